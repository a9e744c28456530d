"""What holds for any photograph, any mask and any box: known pixels, sizes, windows, errors."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import pytest
from factories import random_network
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from inpaint_lib import __main__ as command_line
from inpaint_lib import complete
from inpaint_lib.checkpoints import save_model
from inpaint_lib.masks import read_mask
from inpaint_lib.photographs import completion
from inpaint_lib.photographs.completion import windows
from inpaint_lib.pictures import read_picture

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"]


def some(examples: int):
    """So many examples, the same in every run, however slow the machine."""
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


NETWORKS = {
    "plain": random_network(hidden_channels=3, num_layers=2),
    "patches": random_network(hidden_channels=16, patch_size=4, norm="group", prefill="push-pull"),
}
kinds = st.sampled_from(sorted(NETWORKS))
seeds = st.integers(0, 2**32 - 1)


@st.composite
def holes(draw, height: int, width: int) -> np.ndarray:
    """Boxes, strokes, single pixels, noise, lines along a border; also nothing, and all."""
    rng = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(["boxes", "strokes", "pixels", "noise", "border", "none", "all"]))
    hole = np.zeros((height, width), dtype=bool)
    if kind == "boxes":
        longest = draw(st.sampled_from([12, 50, 180]))
        for _ in range(draw(st.integers(1, 4))):
            top, left = rng.integers(0, height), rng.integers(0, width)
            h, w = rng.integers(1, longest, 2)
            hole[top : top + h, left : left + w] = True
    elif kind == "strokes":
        canvas = Image.new("L", (width, height))
        points = [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(5)]
        ImageDraw.Draw(canvas).line(points, fill=255, width=int(rng.integers(1, 9)))
        hole = np.asarray(canvas) > 0
    elif kind == "pixels":
        for _ in range(draw(st.integers(1, 6))):
            hole[rng.integers(0, height), rng.integers(0, width)] = True
    elif kind == "noise":
        hole = rng.random((height, width)) < draw(st.sampled_from([0.01, 0.5, 0.99]))
    elif kind == "border":
        edges = [np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]]
        hole[edges[draw(st.integers(0, 3))]] = True
    elif kind == "all":
        hole[:] = True
    return hole


def pixels(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def in_mode(picture: np.ndarray, mode: str) -> Image.Image:
    """The same picture in any of MODES, with all values that the mode has, and some alpha."""
    image = Image.fromarray(picture)
    deep = picture[..., 0].astype(np.uint16) * 256 + picture[..., 1]
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(picture[..., 2]))
        return image.convert(mode)
    if mode == "P":
        return image.quantize(16)
    if mode == "I;16":
        return Image.fromarray(deep)
    if mode == "I":
        return Image.fromarray(deep.astype(np.int32))
    if mode == "F":
        return Image.fromarray(deep.astype(np.float32) / 65535)
    return image.convert(mode)


def in_8_bits(picture: np.ndarray, mode: str) -> np.ndarray:
    """What a picture that went through `in_mode` should be read as."""
    deep = picture[..., :1].astype(float) * 256 + picture[..., 1:2]
    if mode in ("I;16", "F") or (mode == "I" and deep.max() > 255):
        deep = deep / 257
    if mode in ("I;16", "I", "F"):
        return np.repeat(deep, 3, axis=2)
    image = in_mode(picture, mode)
    return np.asarray(image.convert("RGB"))


UPRIGHT = {  # what the eight orientations of EXIF ask for
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


def saved(image: Image.Image, folder: Path, orientation: int) -> Path:
    """As PNG, or as TIFF where PNG lacks the mode, with the camera's note."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = folder / ("photo.tif" if image.mode in ("CMYK", "F", "I") else "photo.png")
    image.save(path, exif=exif)
    return path


@given(
    st.integers(1, 80),
    st.integers(1, 80),
    st.sampled_from(MODES),
    st.sampled_from(sorted(UPRIGHT)),
    kinds,
    seeds,
    st.data(),
)
@some(350)
@pytest.mark.filterwarnings("ignore:.*transparent in places")
def test_a_photograph_comes_back_upright_in_rgb_with_its_known_pixels(
    height, width, mode, orientation, kind, seed, data
):
    stored = pixels(height, width, seed)
    expected = UPRIGHT[orientation](in_8_bits(stored, mode))
    hole = data.draw(holes(*expected.shape[:2]))
    with TemporaryDirectory() as folder:
        path = saved(in_mode(stored, mode), Path(folder), orientation)
        with Image.open(path) as opened:
            assert opened.mode == mode
        picture = np.asarray(read_picture(path))
        assert picture.shape == expected.shape
        assert np.abs(picture - expected.astype(float)).max() <= (1 if mode[0] in "IF" else 0)
        if hole.all():
            with pytest.raises(ValueError, match="whole picture"):
                complete(NETWORKS[kind], path, hole)
            return
        done = complete(NETWORKS[kind], path, hole)
    assert done.mode == "RGB"
    assert done.size == picture.shape[1::-1]
    assert np.array_equal(np.asarray(done)[~hole], picture[~hole])


@given(st.integers(1, 80), st.integers(1, 80), st.sampled_from(MODES), kinds, st.data())
@some(150)
@pytest.mark.filterwarnings("ignore:.*transparent in places")
def test_a_picture_in_memory_is_completed_as_the_same_picture_on_disk(
    height, width, mode, kind, data
):
    image = in_mode(pixels(height, width, 0), mode)
    hole = data.draw(holes(height, width))
    assume(not hole.all())
    before = image.tobytes()
    with TemporaryDirectory() as folder:
        path = saved(image, Path(folder), 1)
        from_disk = np.asarray(complete(NETWORKS[kind], path, hole))
    assert np.array_equal(complete(NETWORKS[kind], image, hole), from_disk)
    assert image.tobytes() == before
    assert image.mode == mode


def certain(values: np.ndarray) -> bool:
    """Whether floats can only be meant in [0, 1], or as the whole numbers of 8 or 16 bits."""
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535:
        return False
    if values.max() <= 1:
        return True
    whole = (values == values.round()).all()
    return bool(whole and (values.max() <= 255 or values.max() > 4095 or (values % 257 == 0).all()))


@given(
    st.lists(
        st.floats(width=32) | st.floats(0, 1, width=32) | st.integers(0, 65535),
        min_size=6,
        max_size=6,
    )
)
@some(150)
def test_a_picture_of_any_floats_keeps_its_known_pixels_or_is_refused(values):
    image = Image.fromarray(np.array(values, dtype=np.float32).reshape(2, 3))
    hole = np.array([[True, False, False], [False, False, False]])
    with TemporaryDirectory() as folder:
        path = saved(image, Path(folder), 1)
        if not certain(np.asarray(image)):
            with pytest.raises(ValueError, match=rf"{path.name}: holds|{path.name}: has 16 bits"):
                read_picture(path)
            return
        picture = np.asarray(read_picture(path))
        done = np.asarray(complete(NETWORKS["plain"], path, hole))
    assert done.shape == (2, 3, 3)
    assert np.array_equal(done[~hole], picture[~hole])


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (3, -3)]),
    kinds,
)
@some(40)
def test_a_mask_of_any_other_size_is_a_value_error(height, width, change, kind):
    shape = max(0, height + change[0]), max(0, width + change[1])
    mask = np.zeros(shape, dtype=bool)
    if shape == (height, width):
        assert complete(NETWORKS[kind], pixels(height, width, 0), mask).size == (width, height)
    else:
        with pytest.raises(ValueError, match="one size"):
            complete(NETWORKS[kind], pixels(height, width, 0), mask)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([0, 1, 7, 32, 400]), st.data())
@some(400)
def test_windows_share_out_the_hole_and_leave_a_margin(height, width, margin, data):
    hole = data.draw(holes(height, width))
    times = np.zeros(hole.shape, dtype=int)
    for window, part in windows(hole, margin):
        times[window] += part
        assert part.any()
        for side, size, axis in zip(window, hole.shape, (1, 0), strict=True):
            filled = np.flatnonzero(part.any(axis=axis)) + side.start
            assert side.start == max(0, filled[0] - margin)
            assert side.stop == min(size, filled[-1] + 1 + margin)
    assert np.array_equal(times, hole.astype(int))


@given(
    st.integers(1, 260),
    st.integers(1, 260),
    kinds,
    st.sampled_from([completion.MAX_SIDE, 96]),
    seeds,
    st.data(),
)
@some(120)
def test_a_crop_that_contains_a_window_is_completed_there_as_the_whole_photograph(
    height, width, kind, largest, seed, data
):
    image, hole = pixels(height, width, seed), data.draw(holes(height, width))
    assume(hole.any() and not hole.all())
    with mock.patch.object(completion, "MAX_SIDE", largest):  # else such holes never need pieces
        whole = np.asarray(complete(NETWORKS[kind], image, hole))
        window, part = data.draw(st.sampled_from(list(windows(hole))))
        crop = tuple(
            slice(data.draw(st.integers(0, s.start)), data.draw(st.integers(s.stop, size)))
            for s, size in zip(window, hole.shape, strict=True)
        )
        done = np.asarray(complete(NETWORKS[kind], image[crop], hole[crop]))
    inside = tuple(
        slice(s.start - c.start, s.stop - c.start) for s, c in zip(window, crop, strict=True)
    )
    assert np.array_equal(done[inside][part], whole[window][part])
    assert np.array_equal(done[~hole[crop]], image[crop][~hole[crop]])


@given(kinds, seeds, st.data())
@some(100)
def test_no_hidden_pixel_has_an_influence(kind, seed, data):
    height, width = data.draw(st.tuples(st.integers(1, 120), st.integers(1, 120)))
    image, other = pixels(height, width, seed), pixels(height, width, seed + 1)
    hole = data.draw(holes(height, width))
    assume(not hole.all())
    painted = np.where(hole[..., None], other, image)
    model = NETWORKS[kind]
    assert np.array_equal(complete(model, image, hole), complete(model, painted, hole))


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(MODES), seeds)
@some(150)
def test_a_mask_in_any_mode_is_hole_where_it_is_128_and_more(height, width, mode, seed):
    rng = np.random.default_rng(seed)
    grey = rng.choice(np.array([0, 255], np.uint8), (height, width))
    if mode in ("L", "LA", "RGB", "RGBA") and grey.size >= 200:  # the soft edge of a brush
        grey.flat[rng.choice(grey.size, 14, replace=False)] = [*range(121, 135)]
    image = Image.fromarray(grey)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32) / 255)
    else:
        image = image.convert(mode)
    with TemporaryDirectory() as folder:
        mask = read_mask(saved(image, Path(folder), 1))
    assert mask.dtype == bool
    assert np.array_equal(mask, grey >= 128)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("network") / "tiny.pth"
    save_model(NETWORKS["plain"], path)
    return path


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.lists(st.tuples(*[st.integers(-2, 42)] * 4), min_size=1, max_size=3),
)
@some(80)
def test_any_boxes_are_filled_or_refused_in_one_line(checkpoint, height, width, boxes):
    image = pixels(height, width, 0)
    hole, fits = np.zeros((height, width), dtype=bool), True
    for x, y, w, h in boxes:
        fits &= x >= 0 and y >= 0 and w >= 1 and h >= 1 and x + w <= width and y + h <= height
        hole[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = True
    with TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        Image.fromarray(image).save(photo)
        options = [a for box in boxes for a in ("--box", *map(str, box))]
        arguments = ["complete", str(photo), *options, "--checkpoint", str(checkpoint)]
        shown, errors = StringIO(), StringIO()
        with (
            mock.patch.object(sys, "argv", ["inpaint_lib", *arguments]),
            redirect_stdout(shown),
            redirect_stderr(errors),
        ):
            code = command_line.main()
        assert np.array_equal(read_picture(photo), image)
        results = [p for p in Path(folder).iterdir() if p != photo]
        if fits and not hole.all():
            assert (code, errors.getvalue()) == (0, "")
            [result] = results
            assert np.array_equal(np.asarray(read_picture(result))[~hole], image[~hole])
        else:
            assert code == 1
            assert errors.getvalue().startswith("error: ")
            assert errors.getvalue().count("\n") == 1
            assert results == []
