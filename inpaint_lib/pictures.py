"""Finding, reading and checking picture files; pictures as tensors and back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageChops, ImageOps
from torch import Tensor

# Pillow goes by content, not by name, and would start Ghostscript for a PostScript file.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def is_picture(name: str) -> bool:
    """Whether a file's name says that it is a picture, and not a hidden one."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def list_pictures(folder: str | os.PathLike[str]) -> list[str]:
    """Names of the picture files in a folder, sorted; hidden files and others are passed over.

    Raises FileNotFoundError when the folder is missing, ValueError when it holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; `python -m inpaint_lib prepare` makes the tutorial's"
        )
    names = sorted(name for name in os.listdir(folder) if is_picture(name))
    if not names:
        raise ValueError(f"{folder}: no pictures in this folder ({', '.join(sorted(SUFFIXES))})")
    return names


def upright_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB, turned the way the camera's EXIF note says. Transparency is dropped."""
    image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":
        # Pillow would clip 16-bit values at 255, nearly all of them, and show [0, 1] as black.
        values = np.asarray(image)
        if image.mode.startswith("I;16") or values.max() > 255:
            values = values / 257
        elif image.mode == "F" and values.max() <= 1:
            values = values * 255
        image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return image.convert("RGB")


def picture_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Width and height of a picture file held upright, from its head. Raises as `read_picture`."""
    with _opened(path) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        return (image.height, image.width) if turned else image.size


def read_picture(path: str | os.PathLike[str], content: bytes | None = None) -> Image.Image:
    """A picture file as upright 8-bit RGB.

    content: the file's bytes where they came without a file (an upload); `path` only names it.

    Raises FileNotFoundError, or ValueError when it is damaged or no picture; both name the file.
    """
    with _opened(path, content) as image:
        return upright_rgb(image)


@contextmanager
def _opened(path: str | os.PathLike[str], content: bytes | None = None) -> Iterator[Image.Image]:
    """A picture to read from, with errors as `read_picture` has them."""
    try:
        # Given a path, Pillow maps uncompressed TIFFs and then turns them upright wrongly.
        with (
            open(path, "rb") if content is None else BytesIO(content) as file,
            Image.open(file, formats=FORMATS) as image,
        ):
            yield image
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path}: cannot be read as a picture ({error}); replace or remove it"
        ) from error


def read_mask(path: str | os.PathLike[str]) -> np.ndarray:
    """A mask file of any mode as (H, W) bool, upright: 128 and above is hole, alpha is ignored.

    Raises ValueError when its colour channels differ (by more than the noise of a JPEG), and
    what `read_picture` raises.
    """
    picture = read_picture(path)
    red, green, blue = picture.split()
    differences = (ImageChops.difference(green, other) for other in (red, blue))
    if any(np.asarray(difference).max() > 16 for difference in differences):
        raise ValueError(
            f"{path}: its three channels differ, so it is a picture and not a mask; "
            "paint the hole white on black"
        )
    return np.asarray(picture.convert("L")) >= 128


def as_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """What is left of a picture (H, W, 3) uint8 after it was saved as JPEG, quality 1 to 100."""
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def cover(picture: np.ndarray, hole: np.ndarray, value: int = 0) -> np.ndarray:
    """A picture (H, W, 3) uint8 with `value` in the hole (H, W) bool: by default in black."""
    return np.where(hole[..., None], value, picture).astype(np.uint8)


def to_tensor(picture: Image.Image | np.ndarray) -> Tensor:
    """(H, W, 3) in [0, 255] -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1)[None] / 255


def to_mask(hole: np.ndarray) -> Tensor:
    """(H, W) bool -> (1, 1, H, W) float, 1 in the hole."""
    return torch.from_numpy(hole)[None, None].float()


def to_pixels(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) uint8 in [0, 255]; what is beyond is cut off."""
    return (image[0].permute(1, 2, 0) * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
