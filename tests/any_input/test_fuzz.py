"""Damaged files, by the thousand: read, or refused by name; never a crash, a hang, or code run.

Files are read in a process of their own, so that a crash or a hang is a failed test that names
the file, and not the end of the run. Its memory is limited, for a header may claim any size:
more than the library's limit is refused. Below that, memory is reserved as the header says and
reading ends where the file does; but a GIF whose small frame lies on a large canvas is in order,
and read as large as it says.
"""

import json
import subprocess
import zipfile
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from factories import Code, one_thread, program
from PIL import Image

from inpaint_lib import PixelRNN
from inpaint_lib.checkpoints import save_model

PICTURES, CHECKPOINTS = 700, 300
LONGEST = 5  # seconds for one file; they take milliseconds


class Outcome(NamedTuple):
    file: str
    reader: str
    outcome: str  # "read", or the name of what was raised
    message: str
    seconds: float
    harm: list[str]  # programs started, code compiled, files written


def read_all(folder: Path, checkpoint: Path, picture: Path) -> list[Outcome]:
    """Each file of a folder through the library's readers, in another process."""
    arguments = [folder, checkpoint, picture, 2 * LONGEST]
    done = subprocess.run(
        program("read_files", *arguments, python=("-X", "faulthandler")),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
        env=one_thread(),
    )
    lines = [Outcome(*json.loads(line)) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"stopped at {lines[-1:]}: {done.stderr[-2000:]}"
    return [line for line in lines if line.outcome != "started"]


def whole_pictures() -> dict[str, bytes]:
    """Pictures of 40 x 28 in the formats, modes and compressions that people have."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    photo = small.resize((40, 28), Image.Resampling.BICUBIC)
    grey = photo.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6
    turned[0x010E] = "a description"
    made: dict[str, bytes] = {}

    def add(name: str, picture: Image.Image, kind: str, **options) -> None:
        buffer = BytesIO()
        picture.save(buffer, kind, **options)
        made[name] = buffer.getvalue()

    add("rgb.png", photo, "PNG", exif=turned)
    add("palette.png", photo.quantize(16), "PNG", transparency=3)
    add("deep.png", deep, "PNG")
    add("grey.png", grey, "PNG", dpi=(72, 72))
    add("rgba.png", photo.convert("RGBA"), "PNG")
    add("exif.jpg", photo, "JPEG", exif=turned)
    add("cmyk.jpg", photo.convert("CMYK"), "JPEG")
    add("progressive.jpg", photo, "JPEG", progressive=True, quality=95)
    add("grey.jpg", grey, "JPEG")
    add("palette.gif", photo.quantize(32), "GIF")
    add("moving.gif", photo, "GIF", save_all=True, append_images=[photo.rotate(90)], loop=0)
    add("rgb.bmp", photo, "BMP")
    add("palette.bmp", photo.quantize(16), "BMP")
    add("bits.bmp", photo.convert("1"), "BMP")
    add("rgb.tif", photo, "TIFF", exif=turned)
    add("lzw.tif", grey, "TIFF", compression="tiff_lzw")
    add("deflate.tif", deep, "TIFF", compression="tiff_adobe_deflate")
    add("jpeg.tif", photo, "TIFF", compression="jpeg")
    add("float.tif", Image.fromarray(np.asarray(deep, dtype=np.float32) / 65535), "TIFF")
    add("cmyk.tif", photo.convert("CMYK"), "TIFF")
    add("lossy.webp", photo, "WEBP", exif=turned)
    add("lossless.webp", photo.convert("RGBA"), "WEBP", lossless=True)
    # By their names no such pictures, but Pillow goes by what is in a file.
    add("in_truth_eps.png", photo, "EPS")
    add("in_truth_dds.png", photo, "DDS")
    if "AVIF" in Image.SAVE:
        add("in_truth_avif.jpg", photo, "AVIF")
    return made


def whole_checkpoints(folder: Path, trace: Path) -> list[bytes]:
    """Files of a tiny network: in both of torch's formats, and with code beside the weights."""
    torch.manual_seed(0)
    plain = PixelRNN(hidden_channels=2, num_layers=1)
    options = {"patch_size": 2, "norm": "group", "prefill": "push-pull"}
    save_model(plain, folder / "plain")
    save_model(PixelRNN(hidden_channels=2, num_layers=1, **options), folder / "options")
    content = {"format": 1, "config": plain.config, "model": plain.state_dict()}
    armed = content | {"history": Code(trace)}
    torch.save(content, folder / "old", _use_new_zipfile_serialization=False)
    torch.save(armed, folder / "code")
    torch.save(armed, folder / "old_code", _use_new_zipfile_serialization=False)
    return [(folder / n).read_bytes() for n in ("plain", "options", "old", "code", "old_code")]


def mutated(whole: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """A file damaged in one to three ways; `other` gives what is spliced in."""
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if not data:
            break
        # Half of the damage where sizes and offsets are.
        end = min(len(data), 160) if rng.random() < 0.5 else len(data)
        place, kind = int(rng.integers(0, end)), rng.integers(0, 7)
        if kind == 0:  # single bits
            for at in rng.integers(0, end, int(rng.integers(1, 5))):
                data[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:  # bytes with a meaning: zero, the largest, the sign
            length = int(rng.integers(1, 9))
            data[place : place + length] = bytes([int(rng.choice([0, 1, 127, 128, 255]))]) * length
        elif kind == 2:  # noise
            length = int(rng.integers(1, 30))
            data[place : place + length] = rng.bytes(length)
        elif kind == 3:
            del data[place:]
        elif kind == 4:
            data[place:place] = rng.bytes(int(rng.integers(1, 40)))
        elif kind == 5:  # another file's beginning
            length = int(rng.integers(1, 80))
            data[:length] = other[:length]
        else:  # a piece of another file, or of itself
            source = other if rng.random() < 0.5 else bytes(data)
            start = int(rng.integers(0, len(source)))
            data[place:place] = source[start : start + int(rng.integers(1, 200))]
    return bytes(data)


def mutated_inside(whole: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """A checkpoint whose pickle is damaged, while the archive around it is in order."""
    if not whole.startswith(b"PK"):
        return mutated(whole, other, rng)
    result = BytesIO()
    with zipfile.ZipFile(BytesIO(whole)) as archive, zipfile.ZipFile(result, "w") as copy:
        for name in archive.namelist():
            part = archive.read(name)
            copy.writestr(name, mutated(part, part, rng) if name.endswith(".pkl") else part)
    return result.getvalue()


@pytest.fixture(scope="module")
def trace(tmp_path_factory) -> Path:
    """Where the code in the checkpoints would leave a trace."""
    return tmp_path_factory.mktemp("trace") / "executed"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, trace) -> Path:
    """An undamaged picture and checkpoint, and a folder for what is damaged."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "damaged").mkdir()
    (folder / "picture.png").write_bytes(whole_pictures()["rgb.png"])
    whole_checkpoints(folder, trace)
    return folder


@pytest.fixture(scope="module")
def outcomes(whole, trace) -> list[Outcome]:
    """What became of a thousand damaged files."""
    rng = np.random.default_rng(0)
    pictures, checkpoints = whole_pictures(), whole_checkpoints(whole, trace)
    names = list(pictures)
    for i in range(PICTURES):
        name, other = names[i % len(names)], pictures[names[rng.integers(len(names))]]
        damaged = mutated(pictures[name], other, rng)
        (whole / "damaged" / f"{i:03d}_{name}").write_bytes(damaged)
    for i in range(CHECKPOINTS):
        one, other = checkpoints[i % len(checkpoints)], checkpoints[rng.integers(len(checkpoints))]
        damage = mutated_inside if i % 2 else mutated
        (whole / "damaged" / f"{i:03d}.pth").write_bytes(damage(one, other, rng))
    return read_all(whole / "damaged", whole / "plain", whole / "picture.png")


@pytest.mark.parametrize(
    ("reader", "files", "some"),
    [("read_picture", PICTURES, 100), ("read_mask", PICTURES, 10), ("load_model", CHECKPOINTS, 10)],
)
def test_a_damaged_file_is_read_or_refused_by_name(outcomes, reader, files, some):
    ours = [o for o in outcomes if o.reader == reader]
    assert len(ours) == files
    strange = [
        (o.file, o.outcome, o.message[:200])
        for o in ours
        if o.outcome not in ("read", "ValueError", "FileNotFoundError")
        or (o.outcome != "read" and o.file not in o.message)
    ]
    assert strange == []
    counts = Counter(o.outcome == "read" for o in ours)
    assert min(counts[True], counts[False]) >= some, "damage of one kind only shows little"


def test_no_damaged_file_takes_long(outcomes):
    slowest = max(outcomes, key=lambda o: o.seconds)
    assert slowest.seconds < LONGEST, slowest


def test_no_damaged_file_starts_a_program_runs_code_or_writes(outcomes, trace):
    assert [(o.file, o.harm) for o in outcomes if o.harm] == []
    assert not trace.exists()


@pytest.mark.parametrize("name", ["code", "old_code"])
def test_the_code_in_the_checkpoints_would_run_if_they_were_unpickled(whole, trace, name):
    torch.load(whole / name, weights_only=False)
    assert trace.is_dir()
    trace.rmdir()


def test_a_header_that_claims_an_enormous_size_is_refused_at_once(whole, tmp_path):
    pictures = whole_pictures()
    for side in (9_000, 13_000, 40_000, 2**31 - 1):  # read, read with a warning, never read
        png = bytearray(pictures["rgb.png"])
        png[16:24] = side.to_bytes(4, "big") * 2
        png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
        (tmp_path / f"{side}.png").write_bytes(png)
        bmp = bytearray(pictures["rgb.bmp"])
        bmp[18:26] = side.to_bytes(4, "little") * 2
        (tmp_path / f"{side}.bmp").write_bytes(bmp)
        (tmp_path / f"{side}.ppm").write_bytes(b"P6 %d %d 255 " % (side, side))
    outcomes = read_all(tmp_path, whole / "plain", whole / "picture.png")
    assert len(outcomes) == 2 * 3 * 4
    for o in outcomes:
        assert o.outcome == "ValueError", o
        assert o.file in o.message
        assert o.seconds < LONGEST


@pytest.mark.parametrize("claim", [{"num_layers": 10**9}, {"hidden_channels": 2000}])
def test_a_checkpoint_that_claims_an_enormous_network_is_refused_at_once(whole, tmp_path, claim):
    content = torch.load(whole / "plain", weights_only=True)
    content["config"] |= claim
    torch.save(content, tmp_path / "large.pth")
    [outcome] = read_all(tmp_path, whole / "plain", whole / "picture.png")
    assert outcome.outcome == "ValueError", outcome
    assert "large.pth" in outcome.message
    assert outcome.seconds < 2


def test_a_postscript_file_named_png_is_refused_and_starts_no_interpreter(whole, tmp_path):
    (tmp_path / "drawing.png").write_bytes(whole_pictures()["in_truth_eps.png"])
    for o in read_all(tmp_path, whole / "plain", whole / "picture.png"):
        assert o.harm == []
        assert o.outcome == "ValueError"
