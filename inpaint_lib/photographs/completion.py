"""Completing a photograph of any size: the cost follows the hole, not the photograph.

Taught in notebooks/06_results.ipynb.
"""

import math
import os
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor, nn

from ..filling import compose, push_pull
from ..holes import bounding_box
from ..model import PixelRNN, ready, threads_for
from ..paths import given_path
from ..pictures import read_picture, to_mask, to_pixels, to_tensor, upright_rgb
from .exemplar import sharpen

Picture = Image.Image | np.ndarray | str | os.PathLike[str]
Window = tuple[slice, slice]  # rows, columns of a photograph

# In pixels. Chosen on dataset/val and dataset/bricks/val; never choose them on test.
MARGIN = 32  # what the network sees around a hole
MAX_DEPTH = 32  # a hole with pixels further than this from all known ones is reduced first
MAX_SIDE = 512  # a window with a longer side is completed in pieces
MIN_REACH, MAX_REACH = 48, 160  # what copies are taken from around a hole
SHARP_SIDE = 720  # a window with a longer side is made sharp in pieces
RELAXATIONS = 10  # smoothing steps for what is added to a reduced hole, see `complete_window`


def as_picture(image: Picture) -> Image.Image:
    """A PIL image, an (H, W, 3) uint8 array or a path, as upright 8-bit RGB.

    Raises ValueError for an array of another shape or type, and what `read_picture` raises.
    """
    if isinstance(image, str | os.PathLike):
        return read_picture(given_path(image))
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"image: needs an (H, W, 3) uint8 array, got {image.shape} {image.dtype}"
            )
        return Image.fromarray(image)
    return upright_rgb(image)


def complete(
    model: nn.Module,
    image: Picture,
    mask: np.ndarray,
    *,
    sharp: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Image.Image:
    """Fill the hole of a photograph; all other pixels come out as they went in.

    model: a `PixelRNN` in any precision and mode, also a compiled or wrapped one; it is left as it
    is. image: PIL image, (H, W, 3) uint8 array, or path; read as upright 8-bit RGB. mask: (H, W),
    non-zero is hole. What lies under the hole never reaches the network. Returns an RGB image
    of the same size; with an empty mask, the picture itself. Its `info` carries on the RGB
    profile that the colours are meant in, the network's as well, and the resolution.

    Only windows are computed: a hole's bounding box and MARGIN pixels around it, cut off at
    the photograph's edge. Holes whose windows meet share one. A crop that contains a window
    is therefore completed there exactly as the whole photograph is.

    sharp: what the network predicts is a mean of what could be there, and therefore blurred; put
    copies of the photograph's known part in its place (see `exemplar`), which look like a
    photograph and are further from the true pixels. They come from up to MAX_REACH pixels around
    a hole. progress: called as `progress(done, of)` whenever a piece has been made sharp.

    Where structure repeats itself, a copy of the network that was trained on the known part of
    the photograph does better: `complete(fit(model, image, mask, seconds=60), image, mask)`.

    Raises ValueError when the mask is not two-dimensional, not of the image's size, or leaves
    no pixel known, and what `read_picture` raises.
    """
    photograph = as_picture(image)
    picture, hole = picture_and_hole(photograph, mask)
    result = picture.copy()
    with ready(model) as network, torch.inference_mode():
        weight = next(network.parameters())
        for window, part in windows(hole):
            with threads_for(network, part.size), torch.autocast(weight.device.type, enabled=False):
                m = to_mask(hole[window]).to(weight)
                occluded = to_tensor(picture[window]).to(weight) * (1 - m)
                result[window][part] = to_pixels(complete_window(network, occluded, m))[part]
        if sharp:
            with threads_for(network, 0):  # one: all steps are small
                result = _sharpened(result, hole, progress)
    completed = Image.fromarray(result)
    completed.info = photograph.info.copy()
    return completed


def _sharpened(
    completed: np.ndarray, hole: np.ndarray, progress: Callable[[int, int], None] | None
) -> np.ndarray:
    """`sharpen` in windows, a wide one piece by piece: (H, W, 3) uint8, (H, W) bool."""
    result = completed.copy()
    left = hole.copy()  # what is copied may be copied further
    around = [
        (_shifted(piece, window[0].start, window[1].start), reach)
        for reach in [_reach(hole)]
        for window, part in windows(hole, reach)
        for piece in _pieces(part.shape, SHARP_SIDE, reach)
    ]
    around = [(piece, reach) for piece, reach in around if hole[piece].any()]
    for done, (piece, reach) in enumerate(around, start=1):
        part = left[piece].copy()
        if part.any():  # else it was in another window, too
            seen = _widened(piece, reach, hole.shape)
            sharp = to_pixels(sharpen(to_tensor(result[seen]), to_mask(left[seen])))
            inner = sharp[_shifted(piece, -seen[0].start, -seen[1].start)]
            result[piece][part] = inner[part]
            left[piece] = False
        if progress is not None:
            progress(done, len(around))
    return result


def _reach(hole: np.ndarray) -> int:
    """How far around a hole (H, W) bool copies are taken from, in pixels: twice its depth."""
    if not hole.any():
        return 0
    depth = ndimage.distance_transform_cdt(hole[bounding_box(hole)], "chessboard").max()
    return int(np.clip(2 * depth, MIN_REACH, MAX_REACH))


def picture_and_hole(image: Picture, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A photograph as (H, W, 3) uint8 and its hole as (H, W) bool.

    Raises ValueError when the mask is not two-dimensional, not of the image's size, or leaves
    no pixel known.
    """
    picture = np.array(as_picture(image))
    hole = np.asarray(mask) != 0
    if hole.shape != picture.shape[:2]:
        raise ValueError(
            f"the mask is {hole.shape}, the picture {picture.shape[:2]} (height, width); "
            "they must be of one size"
        )
    if hole.all():
        raise ValueError("the hole covers the whole picture: nothing is known to complete it from")
    return picture, hole


def windows(hole: np.ndarray, margin: int = MARGIN) -> Iterator[tuple[Window, np.ndarray]]:
    """The windows to compute for a hole (H, W) bool, each with the part of the hole it fills.

    Holes are grouped where squares of `margin` around their pixels meet; a group's window is
    its bounding box and the margin. The part is bool, of the window's shape.
    """
    if not hole.any():
        return
    around = _widened(bounding_box(hole), margin, hole.shape)  # no work on the rest
    near = ndimage.maximum_filter(hole[around].astype(np.uint8), size=2 * margin + 1)
    groups, count = ndimage.label(near)
    groups[~hole[around]] = 0
    for group, box in enumerate(ndimage.find_objects(groups, count), start=1):
        window = _widened(box, margin, groups.shape)
        yield _shifted(window, around[0].start, around[1].start), groups[window] == group


def _widened(window: Window, margin: int, shape: tuple[int, ...]) -> Window:
    """The window and `margin` pixels on each side, cut off at the edge of `shape`."""
    rows, columns = (
        slice(max(0, span.start - margin), min(size, span.stop + margin))
        for span, size in zip(window, shape, strict=True)
    )
    return rows, columns


def _shifted(window: Window, down: int, right: int) -> Window:
    """The window moved by so many pixels."""
    rows, columns = window
    return (
        slice(rows.start + down, rows.stop + down),
        slice(columns.start + right, columns.stop + right),
    )


def complete_window(model: PixelRNN, occluded: Tensor, mask: Tensor) -> Tensor:
    """Run the network on one window: occluded (1, 3, H, W) in [0, 1], mask (1, 1, H, W).

    Returns (1, 3, H, W) in [0, 1], known pixels as they were. A network that learned holes of
    some size knows nothing of the middle of a larger one. So a hole deeper than MAX_DEPTH is
    completed on a picture reduced by a whole factor and brought back up; what is then missing at
    the hole's edge is spread into the hole by push-pull, which leaves no step there (the membrane
    of Perez et al. 2003, "Poisson Image Editing").
    """
    depth = ndimage.distance_transform_cdt(mask[0, 0].cpu().numpy(), "chessboard").max()
    factor = math.ceil(depth / MAX_DEPTH)
    if factor == 1:
        return _complete_in_pieces(model, occluded, mask)
    height, width = mask.shape[-2:]
    beyond = (0, -width % factor, 0, -height % factor)
    known = F.avg_pool2d(F.pad(1 - mask, beyond), factor)
    small = F.avg_pool2d(F.pad(occluded, beyond), factor) / known.clamp(min=factor**-2)
    small = _complete_in_pieces(model, small, (known == 0).to(mask.dtype))
    large = F.interpolate(small, scale_factor=float(factor), mode="bicubic")[..., :height, :width]
    missing = occluded - large
    membrane = push_pull(missing, mask)
    for _ in range(RELAXATIONS):  # towards the solution of Laplace's equation
        around = F.avg_pool2d(F.pad(membrane, (1, 1, 1, 1), "replicate"), 3, stride=1)
        membrane = compose(missing, around, mask)
    return compose(occluded, (large + membrane).clamp(0, 1), mask)


def _complete_in_pieces(model: PixelRNN, occluded: Tensor, mask: Tensor) -> Tensor:
    """Run the network on a window, piece by piece if it is larger than MAX_SIDE.

    (1, 3, H, W), (1, 1, H, W) -> (1, 3, H, W). A piece sees MARGIN pixels around itself, and in
    them what the pieces before it were completed to.
    """
    height, width = mask.shape[-2:]
    occluded = occluded.clone()
    mask = mask.clone()
    for piece in _pieces((height, width), MAX_SIDE, MARGIN):
        if not mask[..., *piece].any():
            continue
        seen = _widened(piece, MARGIN, (height, width))
        pred = model(occluded[..., *seen], mask[..., *seen])
        inner = pred[..., *_shifted(piece, -seen[0].start, -seen[1].start)]
        occluded[..., *piece] = compose(occluded[..., *piece], inner, mask[..., *piece])
        mask[..., *piece] = 0
    return occluded


def _pieces(shape: tuple[int, ...], side: int, margin: int) -> Iterator[Window]:
    """All of a window (height, width), in pieces that with their margins have sides of `side`."""
    height, width = shape
    step = side if max(height, width) <= side else side - 2 * margin
    for top in range(0, height, step):
        for left in range(0, width, step):
            yield slice(top, min(top + step, height)), slice(left, min(left + step, width))
