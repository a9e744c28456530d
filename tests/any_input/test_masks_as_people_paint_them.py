"""Masks as people paint them: understood where the hole is certain, otherwise refused in words."""

import numpy as np
import pytest
from factories import completing, contents, save_picture
from PIL import Image, ImageFilter

from inpaint_lib.masks import read_mask
from inpaint_lib.pictures import read_picture

HOLE = np.zeros((20, 30), dtype=bool)
HOLE[4:10, 5:12] = True
BITS = HOLE.astype(np.uint8)


def layer(colour: tuple[int, int, int], paper: tuple[int, int, int], alpha: int = 255):
    """Strokes of a colour on a transparent layer whose hidden pixels have that of the paper."""
    pixels = np.zeros((20, 30, 4), dtype=np.uint8)
    pixels[..., :3] = paper
    pixels[HOLE] = (*colour, alpha)
    return Image.fromarray(pixels)


def label_picture(*colours: tuple[int, int, int], labels: np.ndarray = BITS) -> Image.Image:
    image = Image.fromarray(labels)
    image.putpalette([value for colour in colours for value in colour])
    return image


def soft(strength: float = 1, radius: float = 1) -> Image.Image:
    blurred = Image.fromarray(BITS * 255).filter(ImageFilter.GaussianBlur(radius))
    return Image.fromarray((np.asarray(blurred) * strength).astype(np.uint8))


BLACK, RED, WHITE = (0, 0, 0), (200, 0, 0), (255, 255, 255)
VOC = label_picture(BLACK, (128, 0, 0))
UNDERSTOOD = {
    "white": Image.fromarray(BITS * 255),
    "one bit": Image.fromarray(HOLE),
    "0 and 1": Image.fromarray(BITS),
    "0 and 1 in RGB": Image.fromarray(np.stack([BITS] * 3, axis=2)),
    "a label in a palette of greys": label_picture(*[(i, i, i) for i in range(256)]),
    "a label in a colour of its own": VOC,
    "a label in 16 bits": Image.fromarray(HOLE.astype(np.uint16) * 7),
    "255 in 16 bits": Image.fromarray(HOLE.astype(np.uint16) * 255),
    "white in 16 bits": Image.fromarray(HOLE.astype(np.uint16) * 65535),
    "1 in 32 bits": Image.fromarray(HOLE.astype(np.int32)),
    "1 in floats": Image.fromarray(HOLE.astype(np.float32)),
    "255 in floats": Image.fromarray(HOLE.astype(np.float32) * 255),
    "grey of 40 %": Image.fromarray(BITS * 100),
    "dark grey and white": Image.fromarray(np.where(HOLE, 255, 30).astype(np.uint8)),
    "a red brush on black": Image.fromarray(BITS[..., None] * np.array(RED, np.uint8)),
    "black on a layer": layer(BLACK, BLACK),
    "white on a layer of white": layer(WHITE, WHITE),
    "white on a layer of black": layer(WHITE, BLACK),
    "red on a layer": layer(RED, BLACK),
    "a faint layer": layer(WHITE, WHITE, 90),
    "a grey layer": layer(WHITE, WHITE).convert("LA"),
    "opaque": Image.fromarray(BITS * 255).convert("RGBA"),
}


def save(image: Image.Image, folder) -> str:
    path = folder / ("m.tif" if image.mode in ("F", "I") else "m.png")
    image.save(path)
    return path


@pytest.mark.parametrize("kind", UNDERSTOOD)
def test_a_certain_mask_is_understood(tmp_path, kind):
    assert np.array_equal(read_mask(save(UNDERSTOOD[kind], tmp_path)), HOLE)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_of_a_soft_brush_what_is_more_than_half_white_is_hole(tmp_path, suffix, mode):
    if (suffix, mode) == ("jpg", "RGBA"):
        pytest.skip("JPEG has no layers")
    image = soft()
    expected = np.asarray(image) >= 128
    if mode == "RGBA":
        image = Image.merge("RGBA", [Image.new("L", image.size, 90)] * 3 + [image])
    image.save(tmp_path / f"m.{suffix}", quality=100)
    hole = read_mask(tmp_path / f"m.{suffix}")
    assert (hole != expected).mean() < 0.02
    assert hole.any()


def test_a_transparent_layer_on_which_nothing_was_painted_has_no_hole(tmp_path):
    assert not read_mask(save(Image.new("RGBA", (30, 20), (0, 0, 0, 0)), tmp_path)).any()


def grey_photograph() -> Image.Image:
    return Image.fromarray(np.linspace(20, 235, 600).reshape(20, 30).astype(np.uint8))


LABELS = BITS.copy()
LABELS[15:18, 3:20] = 2
VOID = BITS.copy()
VOID[15:18, 3:20] = 255
STRENGTHS = BITS * 255
STRENGTHS[15:18, 3:20] = 100
TWO_COLOURS = layer(BLACK, BLACK)
TWO_COLOURS.paste((255, 255, 255, 255), (15, 12, 20, 18))
REFUSED = {
    "several labels": (Image.fromarray(LABELS), "several labels"),
    "several labels in 16 bits": (Image.fromarray(LABELS.astype(np.uint16) * 300), "16 bits"),
    "several labels of colours": (label_picture(BLACK, RED, WHITE, labels=LABELS), "channels"),
    "a label and a void": (Image.fromarray(VOID), "more than two values"),
    "brushes of two strengths": (Image.fromarray(STRENGTHS), "more than two values"),
    "a soft and faint brush": (soft(0.4), "brightest value is"),
    "a grey photograph": (grey_photograph(), "grey picture and not a mask"),
    "a layer of two colours": (TWO_COLOURS, "several colours"),
    "floats that are no numbers": (
        Image.fromarray(np.where(HOLE, np.nan, 0).astype(np.float32)),
        "NaN",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_mask_that_is_not_certain_is_refused_with_what_to_do(tmp_path, kind):
    image, words = REFUSED[kind]
    path = save(image, tmp_path)
    with pytest.raises(ValueError, match=words) as raised:
        read_mask(path)
    assert str(path) in str(raised.value)
    assert "; " in str(raised.value)


# Inverted masks, and masks without a hole


def inverted(folder) -> str:
    return save(Image.fromarray((~HOLE).astype(np.uint8) * 255), folder)


def changed(photo, result) -> np.ndarray:
    return (np.asarray(read_picture(photo)) != np.asarray(Image.open(result))).any(axis=2)


def test_more_than_half_white_is_refused_with_the_option_that_decides(
    refused, command, photo, network, tmp_path
):
    mask = inverted(tmp_path)
    before = contents(photo.parent)
    line = refused(*completing(photo, network, "--mask", mask))
    assert f"{mask}: 93% of it is white" in line
    assert "--hole black" in line
    assert contents(photo.parent) == before
    result = photo.with_name("photo_completed.png")
    for hole, filled in (("black", HOLE), ("white", ~HOLE)):
        arguments = completing(photo, network, "--mask", mask, "--hole", hole, "--overwrite")
        assert command(*arguments) == (0, [])
        assert (changed(photo, result)[filled]).mean() > 0.9
        assert not changed(photo, result)[~filled].any()


def test_a_mask_without_a_hole_is_said(command, photo, network, tmp_path):
    mask = save(Image.new("L", (30, 20)), tmp_path)
    code, [line] = command(*completing(photo, network, "--mask", mask))
    assert code == 0
    assert line.startswith(f"warning: {mask}: has no hole")
    assert not changed(photo, photo.with_name("photo_completed.png")).any()


# Photographs that EXIF turns


def turned_photo(folder, orientation: int, size=(30, 20)):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save_picture(folder / "photo.png", size)
    Image.open(path).save(path, exif=exif)
    return path


SHOWN = {6: np.rot90(HOLE, -1), 8: np.rot90(HOLE), 5: HOLE.T, 7: HOLE[::-1, ::-1].T}


@pytest.mark.parametrize("orientation", SHOWN)
def test_a_mask_painted_on_the_pixels_as_stored_is_told_by_its_size(tmp_path, orientation):
    picture = read_picture(turned_photo(tmp_path, orientation))
    stored = save(Image.fromarray(HOLE), tmp_path)
    assert np.array_equal(read_mask(stored, picture), SHOWN[orientation])
    shown = save(Image.fromarray(np.ascontiguousarray(SHOWN[orientation])), tmp_path)
    assert np.array_equal(read_mask(shown, picture), SHOWN[orientation])


@pytest.mark.parametrize(("orientation", "size"), [(3, (30, 20)), (2, (30, 20)), (6, (20, 20))])
def test_a_mask_that_fits_a_turned_photograph_either_way_needs_a_word(
    refused, command, network, tmp_path, orientation, size
):
    photo = turned_photo(tmp_path, orientation, size)
    square = HOLE[:, : size[0]]
    mask = save(Image.fromarray(np.ascontiguousarray(square)), tmp_path)
    assert "--painted-on" in refused(*completing(photo, network, "--mask", mask))
    turn = {3: square[::-1, ::-1], 2: square[:, ::-1], 6: np.rot90(square, -1)}[orientation]
    for how, filled in (("shown", square), ("stored", turn)):
        arguments = completing(photo, network, "--mask", mask, "--painted-on", how, "--overwrite")
        assert command(*arguments) == (0, [])
        assert np.array_equal(
            changed(photo, tmp_path / "photo_completed.png") & ~filled, np.zeros_like(filled)
        )
        assert changed(photo, tmp_path / "photo_completed.png")[filled].mean() > 0.9


def test_a_mask_that_carries_the_photographs_note_is_turned_by_it(tmp_path):
    picture = read_picture(turned_photo(tmp_path, 3))
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(HOLE).save(tmp_path / "m.png", exif=exif)
    assert np.array_equal(read_mask(tmp_path / "m.png", picture), HOLE[::-1, ::-1])


def test_a_mask_that_looks_the_same_either_way_is_certain(tmp_path):
    picture = read_picture(turned_photo(tmp_path, 3))
    middle = np.zeros((20, 30), dtype=bool)
    middle[8:12, 12:18] = True
    assert np.array_equal(read_mask(save(Image.fromarray(middle), tmp_path), picture), middle)
