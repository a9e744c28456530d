"""Masks as people paint them: understood where the hole is certain, otherwise refused or told."""

import os
from collections import defaultdict
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import get_worker_info

from .formats import NotRead
from .pictures import ORIENTATION, levels, read_file, tell, upright, white_is_zero, with_alpha

PaintedOn = Literal["shown", "stored"]  # a photograph as it is shown, or its pixels as stored
HALF = 128 / 255
NOISE = 16  # of 255: what JPEG adds to a channel, at most
FEW = 8  # values in all: labels or brushes of several strengths, no soft brush
TOLD = 3  # pairs of one kind of doubt that are named
PAINT = "paint the hole white on black"


def read_mask(
    path: str | os.PathLike[str],
    picture: Image.Image | None = None,
    painted_on: PaintedOn | None = None,
) -> np.ndarray:
    """A mask file as (H, W) bool, upright: True in the hole.

    Hole is what is white: 128 of 255 and above. Of two values, one of which is 0, the other is
    hole: masks of 0 and 1, the one label of a label picture, a faint brush. A picture that is
    transparent in places and has one colour elsewhere is a layer, and what is painted there is
    hole.

    picture: its photograph, from `read_picture`, in case that lies on its side in its file.
    painted_on: whether the mask was painted on such a photograph as it is "shown" or on its
        pixels as they are "stored". None: what the mask's own EXIF note says, or its size.

    Raises ValueError where the hole is not certain (several labels or colours, a grey picture,
    faint brushes, a turned photograph that the mask fits either way), and what `read_picture`
    raises; all name the file and say what to do.
    """

    def convert(image: Image.Image) -> tuple[np.ndarray, int]:
        turned = upright(image)
        return _hole(image, turned), turned.info.get("orientation", 1)

    hole, own = read_file(path, convert)
    stored = 1 if picture is None else picture.info.get("orientation", 1)
    if picture is None or stored == 1 or own != 1 or painted_on == "shown":
        return hole
    image = Image.fromarray(hole)
    image.getexif()[ORIENTATION] = stored
    turned = np.asarray(ImageOps.exif_transpose(image))
    fits = hole.shape == turned.shape == picture.size[::-1]
    if painted_on is None and fits and not np.array_equal(hole, turned):
        raise ValueError(
            f"{path}: its photograph is turned by an EXIF note, and the mask fits before and "
            'after; say painted_on="shown" (--painted-on shown) if it was painted on the '
            'photograph as it is shown, "stored" if on its pixels as they are stored'
        )
    return turned if painted_on == "stored" or turned.shape == picture.size[::-1] else hole


def _hole(image: Image.Image, turned: Image.Image) -> np.ndarray:
    """The hole of a mask; image: as it was opened, for its notes; turned: the same upright."""
    if turned.mode[0] in "IF":
        values = np.asarray(turned)
        if values.min() == 0 and _two(values) and not white_is_zero(image):
            return np.asarray(values > 0)
        return _white(levels(image, turned))
    if turned.has_transparency_data:
        turned = with_alpha(turned)
        alpha = np.asarray(turned.getchannel("A"))
        if alpha.min() < 255:
            _check_one_colour(np.asarray(turned)[alpha >= min(128, alpha.max())])
            return _white(alpha / 255)
    rgb = np.asarray(turned.convert("RGB"))
    brightest = rgb.max(axis=2)
    if (brightest - rgb.min(axis=2)).max() > NOISE:
        colours = turned.convert("RGB").getcolors(2)
        if colours is None or (0, 0, 0) not in [colour for _, colour in colours]:
            raise NotRead(f"its three channels differ, so it is a picture and not a mask; {PAINT}")
        return np.asarray(brightest > 0)
    return _white(np.asarray(turned.convert("L")) / 255)


def _check_one_colour(painted: np.ndarray) -> None:
    """(N, 4): the pixels of a layer that are not transparent."""
    if np.ptp(painted[:, :3], axis=0).max() > NOISE:
        raise NotRead(
            "is transparent in places and of several colours elsewhere, so the hole cannot be "
            f"told; without transparency, {PAINT}"
        )


def _two(values: np.ndarray) -> bool:
    return bool(np.isin(values, (values.min(), values.max())).all())


def _white(values: np.ndarray) -> np.ndarray:
    """What is white in a mask of values in [0, 1]. Raises NotRead where that is not certain."""
    darkest = values.min()
    brightest = values.max()
    if _two(values) and (darkest == 0 or darkest < HALF <= brightest):
        return np.asarray(values > darkest)
    if brightest < HALF:
        raise NotRead(
            f"its brightest value is {255 * brightest:.0f} of 255, among others: several labels, "
            f"or faint brushes; {PAINT}"
        )
    hole: np.ndarray = values >= HALF
    between = (values > 0) & ~hole
    if len(np.unique(values)) <= FEW and 10 * between.sum() > hole.sum():
        raise NotRead(f"has more than two values: labels, or brushes of several strengths; {PAINT}")
    if ((values >= 0.25) & (values < 0.75)).mean() > 0.25:
        raise NotRead(f"is a grey picture and not a mask; {PAINT}")
    return hole


class Doubts:
    """Warns (PictureWarning) of pairs that cannot be meant, the first few of each kind by file.

    Keeps silent in the processes of a DataLoader.
    """

    def __init__(self) -> None:
        self.told: defaultdict[str, set[str]] = defaultdict(set)

    def tell(
        self, path: str | os.PathLike[str], occluded: Tensor, original: Tensor, mask: Tensor
    ) -> None:
        """path: of the occluded picture; the rest as in `doubt`."""
        if get_worker_info() is not None:  # anew in each epoch, it would say all again
            return
        if (words := doubt(occluded, original, mask)) is None:
            return
        told = self.told[words]
        if str(path) not in told and len(told) < TOLD:
            told.add(str(path))
            more = "; further ones are not named" if len(told) == TOLD else ""
            tell(f"{path}: {words}{more}")


def doubt(occluded: Tensor, original: Tensor, mask: Tensor) -> str | None:
    """What cannot be meant in a pair (3, H, W), (3, H, W) with the mask (1, H, W), in words."""
    share = mask.mean().item()
    if share == 0:
        if (occluded.amax(dim=0) == 0).float().mean() > 0.01:
            return None  # a black box over what is black itself, which is not found
        return "no hole was found: the occluded picture and its original are alike"
    if share > 0.9:
        grey = [bool((picture == picture[:1]).all()) for picture in (occluded, original)]
        if grey[0] != grey[1]:
            return "nearly all counts as hole: one of the two pictures is grey, the other coloured"
        return "nearly all is hole: are these two pictures a pair?"
    # Not the mean: at the edges of a hole that was resized, black is mixed with colours.
    brightest = occluded.amax(dim=0)[mask[0] > 0]
    if brightest.quantile(0.25) > 0.15:
        return "the hole is not black in the occluded picture: blacked, as `complete` shows it"
    return None
