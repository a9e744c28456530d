"""Damaged files, by the thousand: read, or refused by name; never a crash, a hang, or code run.

Files are read in a process of their own, so that a crash or a hang is a failed test that names
the file and not the end of the run. There memory is limited too: a damaged header may claim any
size. Pillow refuses to read more than 179 million pixels (a ValueError of `read_picture`), so a
header of a few bytes can make it reserve half a gigabyte at most, which the system hands out only
where it is written to, and the missing rest of the file ends the reading before that. More than
89 million are a warning, which must not end the run.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint_lib import PixelRNN
from inpaint_lib.model import save_model

PICTURES, CHECKPOINTS = 700, 300
LONGEST = 5  # seconds for one file; they take milliseconds

READER = """
import faulthandler, json, resource, sys, time, warnings
from pathlib import Path
import torch
from PIL import Image
from inpaint_lib import load_model
from inpaint_lib.pictures import read_mask, read_picture

faulthandler.enable()
torch.set_num_threads(1)
Image.init()  # what is imported at need must not look like code from a file
load_model(sys.argv[2], "cpu")
read_picture(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
harm, watched = [], False
HARMFUL = ("os.", "shutil.", "subprocess.", "socket.", "ctypes.", "exec", "compile")
HARMLESS = ("os.listdir", "os.scandir", "os.fwalk", "os.walk")

def watch(event, arguments):
    if not watched:
        return
    if event == "open" and isinstance(arguments[1], str) and not set(arguments[1]) & set("wax+"):
        return
    if event == "open" and arguments[1] is None and not arguments[2] & 3:
        return
    if event == "open" or event.startswith(HARMFUL) and event not in HARMLESS:
        harm.append(f"{event} {arguments!r}"[:300])

sys.addaudithook(watch)
for path in sorted(Path(sys.argv[1]).iterdir()):
    readers = [load_model] if path.suffix == ".pth" else [read_picture, read_mask]
    for reader in readers:
        print(json.dumps([path.name, reader.__name__, "started", "", 0, []]), flush=True)
        harm.clear()
        start = time.perf_counter()
        watched = True
        try:
            reader(path, "cpu") if reader is load_model else reader(path)
            outcome, message = "read", ""
        except BaseException as error:
            outcome, message = type(error).__name__, str(error)
        watched = False
        took = time.perf_counter() - start
        print(json.dumps([path.name, reader.__name__, outcome, message, took, harm]), flush=True)
"""


def sizes_and_modes() -> dict[str, bytes]:
    """Whole pictures of 40 x 28 in the formats, modes and compressions that people have."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    photo = small.resize((40, 28), Image.Resampling.BICUBIC)
    deep = Image.fromarray((np.asarray(photo.convert("L")).astype(np.uint16) * 257))
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
    add("grey_alpha.png", photo.convert("LA"), "PNG", dpi=(72, 72))
    add("rgba.png", photo.convert("RGBA"), "PNG")
    add("exif.jpg", photo, "JPEG", exif=turned)
    add("cmyk.jpg", photo.convert("CMYK"), "JPEG")
    add("progressive.jpg", photo, "JPEG", progressive=True, quality=95)
    add("grey.jpg", photo.convert("L"), "JPEG")
    add("palette.gif", photo.quantize(32), "GIF")
    add("moving.gif", photo, "GIF", save_all=True, append_images=[photo.rotate(90)], loop=0)
    add("rgb.bmp", photo, "BMP")
    add("palette.bmp", photo.quantize(16), "BMP")
    add("bits.bmp", photo.convert("1"), "BMP")
    add("rgb.tif", photo, "TIFF", exif=turned)
    add("lzw.tif", photo, "TIFF", compression="tiff_lzw")
    add("deflate.tif", deep, "TIFF", compression="tiff_adobe_deflate")
    add("jpeg.tif", photo, "TIFF", compression="jpeg")
    add("float.tif", Image.fromarray(np.asarray(deep, dtype=np.float32) / 65535), "TIFF")
    add("cmyk.tif", photo.convert("CMYK"), "TIFF")
    add("lossy.webp", photo, "WEBP", exif=turned)
    add("lossless.webp", photo.convert("RGBA"), "WEBP", lossless=True)
    add("text.ppm", photo, "PPM")
    return made


def mutated(whole: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """One file damaged in one to three ways; `other` gives what is spliced in."""
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if not data:
            break
        head = min(len(data), 160)  # half of the damage where sizes and offsets are
        place = int(rng.integers(0, head if rng.random() < 0.5 else len(data)))
        kind = rng.integers(0, 7)
        if kind == 0:  # single bits
            for at in rng.integers(0, head if rng.random() < 0.5 else len(data), int(rng.integers(1, 5))):
                data[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:  # bytes that mean something: zeros, the largest, the sign
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


class Code:
    """Unpickled by `pickle.load`, it makes a folder."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def whole_checkpoints(folder: Path, trace: Path) -> list[bytes]:
    """A tiny network's file, one with the other options, a pickle of old, and two with code."""
    torch.manual_seed(0)
    options = {"patch_size": 2, "norm": "group", "prefill": True}
    plain = PixelRNN(hidden_channels=2, num_layers=1)
    save_model(plain, folder / "plain")
    save_model(PixelRNN(hidden_channels=2, num_layers=1, **options), folder / "options")
    content = {"format": 1, "config": plain.config, "model": plain.state_dict()}
    torch.save(content, folder / "old", _use_new_zipfile_serialization=False)
    torch.save(content | {"history": Code(trace)}, folder / "code")
    torch.save(
        content | {"history": Code(trace)}, folder / "oldcode", _use_new_zipfile_serialization=False
    )
    return [(folder / n).read_bytes() for n in ("plain", "options", "old", "code", "oldcode")]


def read_all(folder: Path, checkpoint: Path, picture: Path) -> list[list]:
    """[file, reader, outcome, message, seconds, harm] of every file of the folder."""
    done = subprocess.run(
        [sys.executable, "-c", READER, str(folder), str(checkpoint), str(picture)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"ended reading {lines[-1:]}: {done.stderr[-2000:]}"
    return [line for line in lines if line[2] != "started"]
