"""Finding and reading picture files; pictures as tensors and back."""

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from .formats import REPLACE, SUFFIXES, NotRead, opened, seems_to_be, without_notes

ORIENTATION = ExifTags.Base.Orientation
BITS = 258  # tags of a TIFF
PHOTOMETRIC = 262
LEFT_BY_SYSTEMS = {"thumbs.db", "ehthumbs.db", "desktop.ini"}  # in a folder of pictures
Read = TypeVar("Read")


class PictureWarning(UserWarning):
    """A picture is used, but perhaps not as it was meant; names the file."""


def tell(message: str) -> None:
    """Warn; each message once, as Python's warnings are by default."""
    warnings.warn(message, PictureWarning, stacklevel=3)


def is_picture(name: str) -> bool:
    """Whether a file's name says that it is a picture, and not a hidden one."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def list_pictures(folder: str | os.PathLike[str]) -> list[str]:
    """Names of the picture files in a folder, sorted; of the others that are not hidden it warns.

    Raises FileNotFoundError when the folder is missing, ValueError when it holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; `python -m inpaint_lib prepare` makes the tutorial's"
        )
    listed = sorted(os.listdir(folder))
    names = [name for name in listed if is_picture(name)]
    others = [name for name in listed if not (name.startswith(".") or is_picture(name))]
    others = [name for name in others if name.lower() not in LEFT_BY_SYSTEMS]
    some = f"{', '.join(others[:5])}{', ...' if len(others) > 5 else ''}"
    if not names:
        instead = f"; it holds {some}" if others else ""
        known = ", ".join(sorted(SUFFIXES))
        raise ValueError(f"{folder}: no pictures in this folder ({known}){instead}")
    if others:
        tell(f"{folder}: {len(others)} left out, not being named as pictures that are read: {some}")
    return names


def read_picture(
    path: str | os.PathLike[str], content: bytes | None = None, *, srgb: bool = False
) -> Image.Image:
    """A picture file as upright 8-bit RGB; its `info` is what `upright_rgb` carries on.

    content: the file's bytes where they came without a file (an upload); `path` only names it.
    srgb: convert the colours from the picture's own RGB profile to sRGB, as is right for what is
        learned from; otherwise all pixels stay as they are stored, and the profile beside them.

    Notes that are damaged cost the notes, never the picture. Raises FileNotFoundError, or
    ValueError when it is damaged, too large, of a kind that is not read or cannot be told for
    certain; all name the file and say what to do. Warns (PictureWarning) of what is dropped:
    frames after the first, transparency, a profile that cannot be used.
    """

    def convert(image: Image.Image) -> Image.Image:
        rgb = upright_rgb(image, str(path), srgb)
        with suppress(Exception):  # a second frame that is damaged is no loss
            if getattr(image, "is_animated", False) and image.format != "MPO":
                tell(f"{path}: has several frames or pages; the first is used")
        return rgb

    return read_file(path, convert, content)


def picture_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Width and height of a picture file held upright, from its head. Raises as `read_picture`."""

    def convert(image: Image.Image) -> tuple[int, int]:
        turned = _orientation(image) >= 5
        return (image.height, image.width) if turned else image.size

    return read_file(path, convert)


def read_file(
    path: str | os.PathLike[str],
    convert: Callable[[Image.Image], Read],
    content: bytes | None = None,
) -> Read:
    """Open a picture file and return what `convert` makes of it; raises as `read_picture`."""
    try:
        # Given a path, Pillow maps uncompressed TIFFs and then turns them upright wrongly.
        with open(path, "rb") if content is None else BytesIO(content) as file:
            beginning = file.read(64)
            try:
                with opened(file) as image:
                    return convert(image)
            except (NotRead, MemoryError):
                raise
            except Exception:  # decoders raise whatever they meet in a damaged file
                for bare in without_notes(file):
                    with suppress(Exception), opened(bare) as image:
                        return convert(image)
                raise
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except MemoryError:
        raise
    except NotRead as error:
        raise ValueError(f"{path}: {error}") from error
    except UnidentifiedImageError:
        why, remedy = seems_to_be(beginning)
        raise ValueError(f"{path}: cannot be read as a picture ({why}); {remedy}") from None
    except Exception as error:
        raise ValueError(f"{path}: cannot be read as a picture ({error}); {REPLACE}") from error


def upright(image: Image.Image) -> Image.Image:
    """A copy in the image's own mode, turned the way the camera's EXIF note says.

    `info` holds what `upright_rgb` carries on, "transparency" where the mode needs it, and
    "orientation", the EXIF number of how it was stored, where that is not 1.
    """
    stored = _orientation(image)
    image.load()
    turned = image.copy()
    turned.info = {}
    for name in ("icc_profile", "transparency"):
        if name in image.info:
            turned.info[name] = image.info[name]
    if 2 <= stored <= 8:
        turned.info["orientation"] = stored
    with suppress(TypeError, ValueError, ZeroDivisionError):
        dpi = [float(value) for value in image.info["dpi"]] if "dpi" in image.info else []
        if len(dpi) == 2 and all(1 <= value <= 1e5 for value in dpi):  # what PNG can say
            turned.info["dpi"] = tuple(dpi[::-1] if stored >= 5 else dpi)
    # The note alone: Pillow would write the others anew, and stumble over damaged ones. A TIFF
    # has been turned while it was loaded.
    turned.getexif()[ORIENTATION] = _orientation(image)
    ImageOps.exif_transpose(turned, in_place=True)
    return turned


def _orientation(image: Image.Image) -> int:
    """EXIF's number, 1 to 8; 1, as it is stored, where the note is missing or damaged."""
    value = 1
    with suppress(Exception):  # whatever is wrong with the notes, the pixels are there
        image.getexif()
    with suppress(Exception):  # of what could be read of them
        value = int(image.getexif().get(ORIENTATION, 1))
    return value


def upright_rgb(image: Image.Image, name: str = "the picture", srgb: bool = False) -> Image.Image:
    """8-bit RGB, turned the way the camera's EXIF note says. Transparency is dropped.

    A profile of RGB is carried on in `info["icc_profile"]`, and the pixels stay as they are, unless
    `srgb`; one of CMYK or grey is applied: the pixels are then sRGB. `info["dpi"]` is carried on,
    and `info["orientation"]` tells how it was stored.

    Raises ValueError for values whose range cannot be told for certain. Warns (PictureWarning)
    of transparency and of a profile that cannot be used, by `name`.
    """
    turned = upright(image)
    profile = turned.info.pop("icc_profile", None)
    if turned.mode[0] in "IF":
        turned = Image.fromarray(np.rint(levels(image, turned) * 255).astype(np.uint8))
    elif turned.has_transparency_data:
        turned = with_alpha(turned)
        if turned.getchannel("A").getextrema() != (255, 255):
            tell(f"{name}: is transparent in places; what is stored there is taken as its colours")
        turned = turned.convert("L" if image.mode in ("LA", "La") else "RGB")
    elif turned.mode == "1":
        turned = turned.convert("L")
    rgb = _with_profile(turned, profile, name, srgb)
    for note in ("dpi", "orientation"):
        if note in turned.info:
            rgb.info[note] = turned.info[note]
    return rgb


def with_alpha(image: Image.Image) -> Image.Image:
    """As RGBA, from any mode that `has_transparency_data`."""
    straight = {"La": "LA", "RGBa": "RGBA"}  # Pillow has no other way from premultiplied
    return image.convert(straight.get(image.mode, "RGBA")).convert("RGBA")


def levels(image: Image.Image, turned: Image.Image) -> np.ndarray:
    """Values (H, W) of a grey picture of more than 8 bits, as floats in [0, 1], black at 0.

    image: as it was opened, for its notes; turned: the same upright.

    Raises ValueError when their range cannot be told: see the messages.
    """
    values = np.asarray(turned)
    if not np.isfinite(values).all():
        raise NotRead("holds values that are no numbers (NaN or infinite); mend it")
    tags: Any = getattr(image, "tag_v2", {})
    whole = values.max()
    if values.min() < 0 or whole > 65535:
        raise NotRead(
            f"holds values from {values.min():.4g} to {whole:.4g}, and nothing says what is black "
            "and what is white; scale them to [0, 1], or save it with 8 bits"
        )
    if tags.get(BITS) == (12,):
        full = 4095
    elif turned.mode == "F" and whole <= 1:
        full = 1
    elif turned.mode == "F" and (values % 1).any():
        raise NotRead(
            f"holds fractions up to {whole:.4g}, and nothing says what is white; scale them to "
            "[0, 1], or save it with 8 bits"
        )
    elif whole <= 255 and turned.mode in "IF" and image.format not in ("PNG", "PPM"):
        full = 255
    elif whole > 4095 or not (values % 257).any():
        full = 65535
    else:
        raise NotRead(
            f"has 16 bits, but its brightest value is {whole:.0f} of 65535: fewer bits, or nearly "
            "black; stretch its values, or save it with 8 bits"
        )
    scaled = values / full
    return 1 - scaled if white_is_zero(image) else scaled


def white_is_zero(image: Image.Image) -> bool:
    """Whether the notes of a TIFF say so; Pillow sees to it where there are 8 bits or fewer."""
    return bool(getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0)


SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of profiles, and Pillow's modes for them


def _with_profile(image: Image.Image, profile: bytes | None, name: str, srgb: bool) -> Image.Image:
    """As RGB, with the profile in `info` if it is one of RGB and its colours were not converted."""
    rgb = image.convert("RGB")
    rgb.info = {}
    if not profile:
        return rgb
    try:
        opened_profile = ImageCms.ImageCmsProfile(BytesIO(profile))
        space = opened_profile.profile.xcolor_space.strip()
        if space == "RGB" and image.mode != "CMYK":
            if not srgb:
                rgb.info["icc_profile"] = profile
                return rgb
            image = rgb
        if SPACES.get(space) != image.mode:
            raise ValueError(f"it is one of {space}")
        to = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, opened_profile, to, outputMode="RGB")
        assert converted is not None  # as it is not made in place
        converted.info = {}
        return converted
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        tell(f"{name}: its colour profile cannot be used ({error}); taken as sRGB")
        return rgb


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
