"""The completion studio: shapes, surroundings, names of files, and what its knobs do."""

import itertools
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from inpaint_lib import complete, load_model
from inpaint_lib.widgets import CompletionStudio
from inpaint_lib.widgets.studio.canvas import HERE, PREVIEW, preview, rasterise
from inpaint_lib.widgets.studio.session import free_name
from inpaint_lib.widgets.studio.surroundings import fills, hole_psnr, neighbourhood

BOX = {"box": [20, 10, 16, 12]}  # left, top, width, height


def colours(width: int, height: int) -> Image.Image:
    """A smooth picture: something to complete from."""
    small = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    colours(96, 64).save("mine.png")
    return tmp_path


@pytest.fixture
def studio(folder: Path) -> CompletionStudio:
    return CompletionStudio("mine.png")


def file(picture: Image.Image) -> bytes:
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def sent(studio: CompletionStudio, content: dict, *buffers: bytes) -> None:
    """What arrives when the page sends a message."""
    studio.upload._handle_custom_msg(content, list(buffers))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_of_the_page_is_a_module_without_a_mistake_in_its_syntax(tmp_path):
    module = tmp_path / "canvas.mjs"  # by this ending node knows that it is a module
    shutil.copy(HERE / "canvas.js", module)
    checked = subprocess.run(["node", "--check", module], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_boxes_and_strokes_cover_what_was_painted():
    assert np.array_equal(np.argwhere(rasterise([BOX], (96, 64)))[[0, -1]], [[10, 20], [21, 35]])
    stroke = {"points": [[10, 30], [60, 30]], "width": 9}
    hole = rasterise([stroke], (96, 64))
    assert hole.shape == (64, 96)
    assert hole[:, 35].sum() == 9
    assert hole[30, 7] and not hole[30, 2]  # noqa: PT018  # a round end
    dot = rasterise([{"points": [[40, 20]], "width": 11}], (96, 64))
    assert dot.sum() == pytest.approx(np.pi * 5.5**2, rel=0.1)
    box = rasterise([BOX], (96, 64))
    assert box.sum() == 16 * 12
    assert np.array_equal(rasterise([BOX, stroke], (96, 64)), box | hole)


def test_a_stroke_that_turns_has_no_gaps():
    rng = np.random.default_rng(0)
    points = np.cumsum(rng.normal(0, 3, (40, 2)), axis=0) + 120
    hole = rasterise([{"points": points.round(1).tolist(), "width": 25}], (240, 240))
    for (x, y), (u, v) in itertools.pairwise(points):
        for share in np.linspace(0, 1, 5):  # all that is a little less than a radius away
            distance = np.hypot(
                *(np.mgrid[:240, :240] - [[[y + share * (v - y)]], [[x + share * (u - x)]]])
            )
            assert hole[distance < 11].all()


def test_shapes_beyond_the_edge_are_cut_off():
    outside = [{"box": [90, 60, 40, 40]}, {"box": [5, 5, 0, 9]}]
    assert rasterise(outside, (96, 64)).sum() == 6 * 4
    assert not rasterise([{"points": [[-90, -90], [-50, -50]], "width": 8}], (96, 64)).any()


@pytest.mark.parametrize("size", [(96, 64), (2000, 500), (1, 3000)])
def test_only_a_small_picture_travels_to_the_page(size):
    seen = Image.open(BytesIO(preview(colours(*size))))
    assert max(seen.size) == min(max(size), PREVIEW)
    assert min(seen.size) >= 1


def test_the_surroundings_of_the_last_hole_are_compared():
    photo = colours(300, 200)
    far = {"box": [250, 150, 10, 10]}
    hole, last = rasterise([far, BOX], photo.size), rasterise([BOX], photo.size)
    near = neighbourhood(photo, photo, hole, last)
    assert near.hole.sum() == 16 * 12
    assert near.hole.shape == (22 + 32, 36 + 32)
    assert near.factor == 1
    filled = fills(near, biharmonic=True)
    assert list(filled) == ["network", "Telea", "Navier-Stokes", "push-pull", "biharmonic"]
    assert np.isinf(hole_psnr(filled["network"], near))  # it was given the photograph itself
    for picture in filled.values():
        assert (picture[~near.hole] == near.photo[~near.hole]).all()


def test_a_long_hole_is_compared_at_a_reduced_size_and_none_of_it_is_called_known():
    photo = colours(2000, 100)
    hole = rasterise([{"points": [[50, 50], [1900, 51]], "width": 5}], photo.size)
    near = neighbourhood(photo, photo, hole, hole)
    assert near.factor == 5
    assert max(near.hole.shape) <= 384
    assert near.photo.shape[:2] == near.hole.shape
    assert near.hole.any(axis=0).sum() >= 1850 / 5


def test_it_starts_with_an_example_that_is_completed():
    studio = CompletionStudio()
    assert "An example, already completed" in studio.hint.value
    assert studio.canvas.completed != studio.canvas.photo
    assert "PSNR in the hole: sharp" in studio.picture.figure.alt


def test_it_is_sharp_unless_it_shall_not_be(studio):
    studio.canvas.shapes = [BOX]
    hole = rasterise([BOX], (96, 64))
    for sharp in (True, False):
        studio.sharp.value = sharp
        assert studio.completed == complete(load_model(), "mine.png", hole, sharp=sharp)
        assert f"PSNR in the hole: {'sharp' if sharp else 'network'}" in studio.picture.figure.alt


def test_painting_completes_with_the_network(studio):
    studio.sharp.value = False
    assert "mine.png, 96 x 64 px" in studio.hint.value
    assert studio.canvas.completed == b""
    studio.canvas.shapes = [BOX]
    hole = rasterise([BOX], (96, 64))
    expected = complete(load_model(), "mine.png", hole)
    assert np.array_equal(studio.completed, expected)
    assert f"Completed {hole.sum()} pixels" in studio.hint.value
    studio.canvas.shapes = []  # undo
    assert studio.completed is None
    assert studio.canvas.completed == b""
    assert "Now paint" in studio.hint.value


def test_what_was_cleared_is_no_hole_and_comes_back_when_that_is_undone(studio):
    studio.canvas.shapes = [BOX, {"clear": True}]
    assert studio.completed is None
    assert "Now paint" in studio.hint.value
    small = {"box": [2, 2, 5, 5]}
    studio.canvas.shapes = [BOX, {"clear": True}, small]
    assert f"Completed {rasterise([small], (96, 64)).sum()} pixels" in studio.hint.value
    studio.canvas.shapes = [BOX]
    assert f"Completed {rasterise([BOX], (96, 64)).sum()} pixels" in studio.hint.value


def test_a_path_that_is_no_picture_is_an_error_in_the_cell(folder):
    with pytest.raises(FileNotFoundError, match=r"absent\.png: no such file"):
        CompletionStudio("absent.png")


def test_other_weights_make_another_picture_and_biharmonic_comes_on_request(studio):
    studio.canvas.shapes = [BOX]
    first = np.array(studio.completed)
    assert "biharmonic" not in studio.picture.figure.alt
    studio.biharmonic.value = True
    assert "biharmonic" in studio.picture.figure.alt
    studio.weights.value = "bricks"
    assert not np.array_equal(studio.completed, first)


def test_what_was_painted_on_the_photograph_before_is_not_a_hole_in_this_one(studio):
    stale = BOX | {"number": studio.canvas.number}
    sent(studio, {"name": "other.png"}, file(colours(80, 50)))
    studio.canvas.shapes = [stale]
    assert studio.canvas.shapes == []
    assert "other.png, 80 x 50 px. Now paint" in studio.hint.value


def test_by_hand_it_waits_for_the_button(studio):
    studio.automatic.value = False
    assert studio.again.layout.display != "none"
    studio.canvas.shapes = [BOX]
    assert studio.completed is None
    assert "press Complete" in studio.hint.value
    studio.again.click()
    assert studio.completed is not None


def test_a_hole_that_leaves_nothing_is_refused_in_words(studio):
    studio.canvas.shapes = [{"box": [0, 0, 96, 64]}]
    assert "nothing is known" in studio.hint.value
    assert 'role="alert"' in studio.hint.value
    assert studio.completed is None
    assert not studio.canvas.busy
    studio.canvas.shapes = [BOX]
    assert studio.completed is not None


def test_an_upload_is_opened_and_what_is_no_picture_leaves_the_last_one(studio):
    sent(studio, {"name": "other.png"}, file(colours(80, 50)))
    assert studio.canvas.size == [80, 50]
    studio.canvas.shapes = [BOX]
    before = studio.completed
    sent(studio, {"name": "bad.png"}, b"\x89PNG\r\n" + bytes(range(200)))
    assert "bad.png: cannot be read as a picture" in studio.hint.value
    sent(studio, {"name": "cut.png"}, file(colours(80, 50))[:300])
    assert "cut.png: cannot be read as a picture" in studio.hint.value
    sent(studio, {"name": "huge.png", "problem": "is 12.0 MB; give its path instead"})
    assert "huge.png is 12.0 MB; give its path instead" in studio.hint.value
    assert studio.session.name == "other.png"
    assert studio.completed is before
    assert studio.canvas.shapes == [BOX]


def test_shipped_photographs_and_paths_replace_each_other(studio):
    studio.canvas.shapes = [BOX]
    studio.shipped.value = "a cat"
    assert studio.canvas.size == [451, 300]
    assert studio.canvas.shapes == []
    studio.path.value = "mine.png"
    assert studio.canvas.size == [96, 64]
    assert studio.shipped.label == "choose ..."
    studio.open_path.click()  # after Enter, or by leaving the field: it is open already
    assert studio.canvas.number == 3
    studio.path.value = "absent.jpg"
    assert "absent.jpg: no such file" in studio.hint.value
    studio.path.value = " "
    studio.open_path.click()
    assert "Type the path" in studio.hint.value
    assert studio.session.name == "mine.png"


def test_a_wide_gamut_photograph_is_shown_and_saved_with_its_profile(studio, folder):
    content = BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    colours(80, 50).save(content, "JPEG", icc_profile=profile, dpi=(300, 300))
    sent(studio, {"name": "wide.jpg"}, content.getvalue())
    studio.canvas.shapes = [BOX]
    for seen in (studio.canvas.photo, studio.canvas.completed):
        assert Image.open(BytesIO(seen)).info["icc_profile"] == profile
    studio.save.click()
    saved = Image.open(folder / "completed.png")
    assert saved.info["icc_profile"] == profile
    assert saved.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_what_is_dropped_of_an_upload_is_said_in_the_panel(studio):
    content = BytesIO()
    frames = [colours(80, 50), colours(80, 50).rotate(180)]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    sent(studio, {"name": "moving.gif"}, content.getvalue())
    assert "moving.gif: has several frames or pages; the first is used" in studio.hint.value
    assert "Now paint" in studio.hint.value
    sent(studio, {"name": "other.png"}, file(colours(80, 50)))
    assert "frames" not in studio.hint.value


@pytest.mark.parametrize(
    ("content", "words"), [(b"\0\0\0\x18ftypheic" + bytes(50), "HEIC"), (b"", "empty")]
)
def test_an_upload_of_another_kind_is_named_with_what_to_do(studio, content, words):
    sent(studio, {"name": "IMG_1.jpg"}, content)
    assert f"IMG_1.jpg: cannot be read as a picture (it is {words}" in studio.hint.value


def test_saves_every_pixel_and_replaces_no_file(studio, folder):
    original = np.asarray(Image.open("mine.png"))
    studio.save.click()
    assert "paint a hole first" in studio.hint.value
    studio.canvas.shapes = [BOX]
    studio.save_as.value = "mine.png"
    studio.save.click()
    assert str(folder / "mine_2.png") in studio.hint.value
    assert np.array_equal(np.asarray(Image.open("mine.png")), original)
    assert np.array_equal(np.asarray(Image.open("mine_2.png")), studio.completed)
    studio.save.click()  # a double click
    assert "Already saved" in studio.hint.value
    assert {path.name for path in folder.iterdir()} == {"mine.png", "mine_2.png"}
    studio.save_as.value = "no/such/folder/x.png"
    studio.save.click()
    assert "could not be written" in studio.hint.value


def test_the_name_of_a_file_to_save(folder):
    (folder / "sub").mkdir()
    Image.new("RGB", (1, 1)).save(folder / "a.png")
    Image.new("RGB", (1, 1)).save(folder / "a_2.png")
    expected = {
        "": "completed.png",
        "a.png": "a_3.png",
        "b.jpg": "b.jpg.png",
        "sub": "sub/completed.png",
    }
    assert {text: str(free_name(text).relative_to(folder)) for text in expected} == expected


def test_before_anything_is_painted_a_page_without_a_kernel_has_a_text(studio):
    data = studio._repr_mimebundle_()
    assert "text/html" not in data
    assert "paint a hole" in data["text/plain"]


def test_a_page_without_a_kernel_has_the_pictures_and_their_text(studio):
    studio.canvas.shapes = [BOX]
    data = studio._repr_mimebundle_()
    assert set(data) >= {"text/html", "application/vnd.jupyter.widget-view+json"}
    assert data["text/html"].startswith(f'<img alt="{studio.picture.figure.alt}"')
    assert "PSNR in the hole: sharp" in studio.picture.figure.alt
