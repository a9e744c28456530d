"""The surroundings of a hole, as the network and the classic methods fill it."""

from math import ceil
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...figures import Figure, picture_grid
from ...filling import push_pull
from ...metrics import psnr
from ...photographs import baselines
from ...photographs.completion import windows
from ...pictures import cover, to_mask, to_tensor

RADIUS = 5  # px, of OpenCV's methods
CLASSICS = {
    "Telea": baselines.telea(RADIUS),
    "Navier-Stokes": baselines.navier_stokes(RADIUS),
    "push-pull": baselines.smooth(push_pull),
}
MAX_SIDE = 384  # px; a larger neighbourhood of a hole is reduced before it is compared


class Neighbourhood(NamedTuple):
    """What is compared: the surroundings of one hole, reduced by a whole factor."""

    photo: np.ndarray  # (H, W, 3) uint8, before the hole was painted
    completed: np.ndarray  # (H, W, 3) uint8
    hole: np.ndarray  # (H, W) bool
    factor: int


def neighbourhood(
    photo: Image.Image, completed: Image.Image, hole: np.ndarray, last: np.ndarray
) -> Neighbourhood:
    """Of the windows that `complete` computed for `hole`, the one with most of `last` in it.

    hole, last: (height, width) bool, of the photograph's size; `last` is a part of the hole.
    """
    window, _ = max(windows(hole), key=lambda found: (found[1] & last[found[0]]).sum())
    rows, columns = window
    box = columns.start, rows.start, columns.stop, rows.stop
    factor = ceil(max(box[2] - box[0], box[3] - box[1]) / MAX_SIDE)
    part = hole[window]
    for axis, size in enumerate(part.shape):  # a reduced pixel is known if all its pixels are
        part = np.logical_or.reduceat(part, range(0, size, factor), axis=axis)
    before, after = (np.asarray(p.crop(box).reduce(factor)) for p in (photo, completed))
    return Neighbourhood(before, after, part, factor)


def fills(
    near: Neighbourhood, ours: str = "network", *, biharmonic: bool = False
) -> dict[str, np.ndarray]:
    """Our result, under the name `ours`, and the classics' (H, W, 3) uint8, by name."""
    methods = CLASSICS | ({"biharmonic": baselines.biharmonic} if biharmonic else {})
    occluded = cover(near.photo, near.hole)
    return {ours: near.completed} | {
        name: method(occluded, near.hole) for name, method in methods.items()
    }


def hole_psnr(filled: np.ndarray, near: Neighbourhood) -> float:
    """PSNR in dB over the hole's pixels, against what was painted over."""
    return psnr(to_tensor(filled), to_tensor(near.photo), to_mask(near.hole)).item()


def draw_fills(near: Neighbourhood, filled: dict[str, np.ndarray], name: str) -> Figure:
    """The neighbourhood with its hole in white, and as each method fills it, with its PSNR.

    name: of the photograph, for the alternative text.
    """
    occluded = cover(near.photo, near.hole, 255)
    decibels = {method: hole_psnr(picture, near) for method, picture in filled.items()}
    titles = [f"{method}\n{value:.1f} dB" for method, value in decibels.items()]
    each = ", ".join(f"{method} {value:.1f} dB" for method, value in decibels.items())
    alt = f"The last hole of {name} and its fills; PSNR in the hole: {each}."
    height, width = near.hole.shape
    side = 10.4 / max(5, len(filled) + 1)
    pictures = [occluded, *filled.values()]
    figure = picture_grid({"": pictures}, ["hole\n", *titles], alt=alt, side=side, dpi=80)
    figure.set_size_inches(10.4, min(side * height / width, 4) + 0.5)
    for ax in figure.axes:
        ax.set_anchor("S")  # what is left over goes above the titles
    return figure


def caption(near: Neighbourhood) -> str:
    """What a reader of the drawing should know."""
    reduced = f", drawn and filled at 1/{near.factor} of its size" if near.factor > 1 else ""
    return (
        f"The surroundings of the last hole{reduced}. Radius of Telea and Navier-Stokes: {RADIUS} "
        "px. dB: PSNR in the hole; higher is closer to what you painted over, which judges a "
        "repair. What you want to be gone, judge by eye."
    )
