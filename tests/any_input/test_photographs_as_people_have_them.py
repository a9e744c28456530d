"""Photographs of telephones, scanners, cameras, drawing programs and broken downloads.

Read with their known pixels and what these mean, or refused in a line that says what to do. What
stands beside the pixels never costs the photograph.
"""

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from factories import BOX, completing, save_picture
from PIL import Image, ImageCms, features

from inpaint_lib import complete
from inpaint_lib.formats import LIMIT
from inpaint_lib.pictures import PictureWarning, list_pictures, read_picture, upright_rgb
from inpaint_lib.results import save_png

SIZE = (30, 20)
SRGB = ImageCms.createProfile("sRGB")
NUMBERS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def said():
    """All that is said while a picture is read, for those tests that look at it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield told


def photo(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(NUMBERS).convert(mode)


def as_file(image: Image.Image, kind: str, **options) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def profile(space: bytes = b"RGB ", gamma: float = 2.2) -> bytes:
    """A profile of Adobe RGB's primaries (https://www.color.org/adobergb.xalter), or of grey."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1, 0.8249),
    }
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= {
            b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
            b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
            b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        }
    start = 132 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        value += b"\0" * (-len(value) % 4)
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value
    head = struct.pack(
        ">I4sI4s4s4s", start + len(data), b"lcms", 0x02100000, b"mntr", space, b"XYZ "
    )
    rest = b"\0" * 12 + b"acsp" + b"\0" * 28 + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return head + rest + b"\0" * 48 + table + data


# The profile and the resolution


def in_srgb(image: Image.Image) -> np.ndarray:
    """What a viewer that goes by profiles shows."""
    own = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
    return np.asarray(ImageCms.profileToProfile(image, own, SRGB, outputMode="RGB")).astype(int)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_wide_gamut_photograph_keeps_its_pixels_and_what_they_mean(
    command, network, tmp_path, kind
):
    path = tmp_path / f"wide.{kind.lower()}"
    path.write_bytes(as_file(photo(), kind, icc_profile=profile(), dpi=(300, 200)))
    assert command(*completing(path, network)) == (0, [])
    before, after = Image.open(path), Image.open(tmp_path / "wide_completed.png")
    known = np.ones((20, 30), dtype=bool)
    known[5:12, 4:10] = False
    assert np.array_equal(np.asarray(after)[known], np.asarray(before.convert("RGB"))[known])
    assert np.array_equal(in_srgb(after)[known], in_srgb(before.convert("RGB"))[known])
    if kind != "WEBP":  # which has no resolution
        assert after.info["dpi"] == pytest.approx((300, 200), abs=0.01)


def test_the_result_of_a_call_carries_the_profile_on_when_it_is_saved(tmp_path):
    from factories import random_network

    path = tmp_path / "wide.jpg"
    path.write_bytes(as_file(photo(), "JPEG", icc_profile=profile()))
    done = complete(random_network(), path, np.zeros((20, 30)))
    done.save(tmp_path / "done.png")
    assert Image.open(tmp_path / "done.png").info["icc_profile"] == profile()


def test_what_is_learned_from_is_converted_to_srgb(tmp_path):
    image = photo()
    image.info["icc_profile"] = profile()
    path = tmp_path / "wide.png"
    image.save(path)
    picture = read_picture(path, srgb=True)
    assert "icc_profile" not in picture.info
    assert np.abs(in_srgb(image) - np.asarray(picture)).max() <= 1
    assert np.abs(np.asarray(image).astype(int) - np.asarray(picture)).max() > 20


def test_a_profile_of_grey_is_applied(tmp_path, said):
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    content = as_file(grey, "PNG", icc_profile=profile(b"GRAY", gamma=1.8))
    picture = np.asarray(read_picture("grey.png", content))[..., 0].ravel() / 255
    light = (np.arange(256) / 255) ** 1.8
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(picture - srgb).max() < 3 / 255
    assert said == []


@pytest.mark.parametrize(
    ("mode", "broken"),
    [
        ("RGB", b"no profile"),
        ("RGB", profile()[:200]),
        ("RGB", profile(b"GRAY")),
        ("L", b"x" * 200),
    ],
)
def test_a_profile_that_cannot_be_used_is_named_and_costs_nothing(said, mode, broken):
    content = as_file(photo(mode), "PNG", icc_profile=broken)
    picture = read_picture("p.png", content)
    assert np.array_equal(picture, photo(mode).convert("RGB"))
    assert "icc_profile" not in picture.info
    [warning] = said
    assert "p.png: its colour profile cannot be used" in str(warning.message)


@pytest.mark.parametrize("dpi", [(0, 0), (-72, 72), (float("inf"), 72)])
def test_a_resolution_that_is_none_is_left_out(tmp_path, dpi):
    image = photo()
    image.info["dpi"] = dpi
    save_png(upright_rgb(image), tmp_path / "x.png")
    assert "dpi" not in Image.open(tmp_path / "x.png").info


def test_the_resolution_of_a_fax_is_turned_with_it():
    turned = Image.Exif()
    turned[0x0112] = 6
    content = as_file(photo(), "JPEG", exif=turned, dpi=(204, 98))
    assert read_picture("fax.jpg", content).info["dpi"] == (98, 204)


# Notes that are damaged or too long


def exif_with_a_negative_resolution() -> bytes:
    entries = struct.pack("<HHI", 0x0112, 3, 1) + struct.pack("<HH", 6, 0)
    entries += struct.pack("<HHII", 0x011A, 10, 1, 38)
    rest = b"\0" * 4 + struct.pack("<ii", -72, 1)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + rest


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_odd_note_of_exif_costs_neither_the_picture_nor_its_turn(kind):
    lossless = {"lossless": True} if kind == "WEBP" else {}
    content = as_file(photo(), kind, exif=exif_with_a_negative_resolution(), **lossless)
    picture = np.asarray(read_picture("p", content))
    assert picture.shape == (30, 20, 3)
    if kind != "JPEG":
        assert np.array_equal(picture, np.rot90(NUMBERS, -1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"\xff" * 40])
def test_exif_that_is_none_costs_nothing(kind, exif):
    assert read_picture("p", as_file(photo(), kind, exif=exif)).size == SIZE


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    if checksum is None:
        checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


PNG_NOTES = {
    "a text of two megabytes": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000))),
    "a text with a wrong checksum": chunk(b"tEXt", b"a\0b", 1),
    "a profile of two megabytes": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2_000_000))),
    "a profile that ends at its name": chunk(b"iCCP", b"a"),
    "exif with a wrong checksum": chunk(b"eXIf", b"II*\0", 1),
    "a resolution without numbers": chunk(b"pHYs", b""),
}


@pytest.mark.parametrize("note", PNG_NOTES)
def test_notes_of_a_png_that_are_damaged_or_long_cost_nothing(note):
    whole = as_file(photo(), "PNG")
    content = whole[:33] + PNG_NOTES[note] + whole[33:]
    assert np.array_equal(read_picture("p.png", content), NUMBERS)


def test_the_profile_beside_a_long_text_is_carried_on():
    whole = as_file(photo(), "PNG", icc_profile=profile())
    long = PNG_NOTES["a text of two megabytes"]
    for content in (whole[:33] + long + whole[33:], whole[:-12] + long + whole[-12:]):
        assert read_picture("p.png", content).info["icc_profile"] == profile()


def test_half_a_png_with_a_damaged_note_is_still_refused():
    whole = as_file(photo(), "PNG")
    content = whole[:33] + PNG_NOTES["a text with a wrong checksum"] + whole[33 : len(whole) // 2]
    with pytest.raises(ValueError, match=r"p\.png: cannot be read as a picture"):
        read_picture("p.png", content)


# What telephones make


def test_a_second_picture_in_a_jpeg_or_a_film_behind_it_is_passed_over(said):
    gain_map = as_file(photo(), "MPO", save_all=True, append_images=[photo().resize((8, 8))])
    motion = as_file(photo(), "JPEG") + struct.pack(">I", 24) + b"ftypmp42" + bytes(5000)
    for content in (gain_map, motion):
        assert read_picture("p.jpg", content).size == SIZE
    assert said == []


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says how large it is."""
    head = struct.pack(">II", width, height) + bytes([8, 2, 0, 0, 0])
    whole = as_file(photo(), "PNG")
    return whole[:8] + chunk(b"IHDR", head) + whole[33:]


def test_a_telephones_200_megapixels_and_panoramas_are_within_the_limit(said):
    for size in ((16320, 12240), (12000, 9000), (65000, 3000)):
        with pytest.raises(ValueError, match=r"truncated|IDAT|broken|decoder|data"):
            read_picture("p.png", claims(*size))  # not its size is the matter
    assert [w for w in said if "bomb" in str(w.message)] == []


def test_above_the_limit_the_message_says_how_to_raise_it(monkeypatch):
    with pytest.raises(ValueError, match=rf"p\.png.*400 megapixels, 300.*{LIMIT}=400"):
        read_picture("p.png", claims(20_000, 20_000))
    monkeypatch.setenv(LIMIT, "0.0001")
    with pytest.raises(ValueError, match=r"megapixels, 0\.0001 are"):
        read_picture("p.png", as_file(photo(), "PNG"))
    monkeypatch.setenv(LIMIT, "many")
    with pytest.raises(ValueError, match=f"{LIMIT}=many: give a number"):
        read_picture("p.png", as_file(photo(), "PNG"))


def test_pillows_own_limit_is_the_callers_before_and_after(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    assert read_picture("p.png", as_file(photo(), "PNG")).size == SIZE
    assert Image.MAX_IMAGE_PIXELS == 50


# What is not read


def iso(brand: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"mif1heic" + bytes(400)


OTHERS = {
    "IMG_1.HEIC": (iso(b"heic"), "HEIC", "Most Compatible"),
    "renamed.jpg": (iso(b"mif1"), "HEIC", "export it as JPEG"),
    "raw.cr3": (iso(b"crx "), "raw", "export"),
    "film.mov": (iso(b"qt  "), "video", "export"),
    "scan.pdf": (b"%PDF-1.7\n", "PDF", "export"),
    "logo.svg": (b"<svg xmlns=", "SVG", "export"),
    "logo2.svg": (b"<?xml version='1.0'?><svg", "SVG", "export"),
    "layers.psd": (b"8BPS\0\1", "Photoshop", "export"),
    "layers.xcf": (b"gimp xcf v011", "GIMP", "export"),
    "layers.kra": (b"PK\3\4mimetype", "zip", "export"),
    "page.jpg": (b"<!doctype html><html>", "web page", "replace"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull"),
    "empty.jpg": (b"", "empty", "replace"),
    "noise.jpg": (b"\x01\x02\x03", "none of the formats", "replace"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_kind_is_named_with_what_to_do(refused, network, tmp_path, name):
    content, what, remedy = OTHERS[name]
    (tmp_path / name).write_bytes(content)
    line = refused(*completing(tmp_path / name, network))
    assert f"{name}: cannot be read as a picture" in line
    assert what in line
    assert remedy in line
    assert "BufferedReader" not in line


def test_the_preview_in_a_raw_file_is_not_taken_for_the_photograph(tmp_path):
    photo().save(tmp_path / "p.dng", "TIFF", tiffinfo={254: 1})
    with pytest.raises(ValueError, match=r"p\.dng: .*raw file.*export"):
        read_picture(tmp_path / "p.dng")


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_avif_is_read_where_pillow_reads_it():
    assert read_picture("p.avif", as_file(photo(), "AVIF")).size == SIZE


def test_a_file_is_read_by_what_is_in_it_whatever_its_name(tmp_path):
    for kind, name in (("JPEG", "a.png"), ("PNG", "b.jpg"), ("WEBP", "c.jpeg"), ("BMP", "d.tif")):
        (tmp_path / name).write_bytes(as_file(photo(), kind))
        assert read_picture(tmp_path / name).size == SIZE


# Scanners and programs of science: values and layouts


def deep(values: np.ndarray, **options) -> bytes:
    return as_file(Image.fromarray(values), "TIFF", **options)


RAMP = np.linspace(0, 65535, 600).reshape(20, 30)
GREY = np.rint(RAMP / 257).astype(np.uint8)
CERTAIN = {
    "16 bits": RAMP.astype(np.uint16),
    "16 bits of 8": GREY.astype(np.uint16) * 257,
    "dark 16 bits of 8": (GREY // 20).astype(np.uint16) * 257,
    "32 bits, 8 used": GREY.astype(np.int32),
    "floats in [0, 1]": (RAMP / 65535).astype(np.float32),
    "dark floats": (RAMP / 65535 / 10).astype(np.float32),
    "floats of 8 bits": GREY.astype(np.float32),
    "floats of 16 bits": np.rint(RAMP).astype(np.float32),
}


@pytest.mark.parametrize("name", CERTAIN)
def test_values_that_are_certain_are_read_as_they_are_meant(name):
    picture = np.asarray(read_picture("p.tif", deep(CERTAIN[name]))).astype(int)
    expected = {"dark 16 bits of 8": GREY // 20, "dark floats": GREY / 10}.get(name, GREY)
    assert np.abs(picture - expected[..., None]).max() <= 1


UNCERTAIN = {
    "12 bits in 16": (RAMP / 16).astype(np.uint16),
    "8 bits in 16": GREY.astype(np.uint16),
    "light beyond white": (RAMP / 65535 * 3.7).astype(np.float32),
    "negative": (RAMP / 65535 - 0.5).astype(np.float32),
    "not a number": np.where(RAMP > 60000, np.nan, 0.5).astype(np.float32),
    "infinite": np.where(RAMP > 60000, np.inf, 0.5).astype(np.float32),
    "beyond 16 bits": (RAMP * 100).astype(np.int32),
}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_values_that_are_not_certain_are_refused_with_what_to_do(name):
    with pytest.raises(ValueError, match=r"p\.tif: (holds|has).*; (scale|stretch|mend)"):
        read_picture("p.tif", deep(UNCERTAIN[name]))


def test_where_white_is_zero_it_is_read_as_white():
    for values in (RAMP.astype(np.uint16), GREY, GREY > 127):
        inverted = deep(values, tiffinfo={262: 0})
        given = Image.open(BytesIO(inverted))
        assert given.tag_v2[262] == 0
        stored = np.asarray(Image.fromarray(values).convert("F"), dtype=float)
        raw = 255 - np.asarray(read_picture("p.tif", inverted))[..., 0].astype(float)
        if given.mode == "I;16":
            assert np.abs(raw - stored / 257).max() <= 1


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG"])
def test_of_several_pages_or_frames_the_first_is_read_and_that_is_said(said, kind):
    several = as_file(photo("L"), kind, save_all=True, append_images=[photo("L").rotate(180)])
    assert read_picture("p.tif", several).size == SIZE
    assert [str(w.message) for w in said] == [
        "p.tif: has several frames or pages; the first is used"
    ]


def test_a_palette_with_transparency_has_its_colours_and_says_what_is_dropped(said):
    few = Image.fromarray(NUMBERS // 128 * 255).quantize(8)
    content = as_file(few, "PNG", transparency=bytes([0, 128, 255]))
    assert np.array_equal(read_picture("p.png", content), NUMBERS // 128 * 255)
    [warning] = said
    assert "p.png: is transparent in places" in str(warning.message)


def test_an_alpha_channel_that_hides_nothing_is_not_mentioned(said):
    assert read_picture("p.png", as_file(photo("RGBA"), "PNG")).mode == "RGB"
    assert said == []


# Folders


def test_a_folder_says_what_it_leaves_out(tmp_path):
    for name in ("a.png", "b.JFIF", "Thumbs.db", ".DS_Store", "._a.png"):
        save_picture(tmp_path / "a.png").replace(tmp_path / name)
    save_picture(tmp_path / "a.png")
    for name in ("c.HEIC", "d.nef", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "more").mkdir()
    with pytest.warns(PictureWarning, match=r"4 left out.*: c\.HEIC, d\.nef, more, notes\.txt$"):
        assert list_pictures(tmp_path) == ["a.png", "b.JFIF"]


def test_a_folder_without_pictures_says_what_is_there_instead(tmp_path):
    for i in range(7):
        (tmp_path / f"{i}.HEIC").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"no pictures.*it holds 0\.HEIC, .*4\.HEIC, \.\.\."):
        list_pictures(tmp_path)


def test_a_command_tells_it_in_one_line(command, network, tmp_path):
    path = Path(tmp_path / "cut out.png")
    cut_out = photo("RGBA")
    cut_out.putalpha(Image.new("L", SIZE, 7))
    cut_out.save(path)
    code, [line] = command(*completing(path, network, *BOX))
    assert code == 0
    assert line.startswith(f"warning: {path}: is transparent in places")
