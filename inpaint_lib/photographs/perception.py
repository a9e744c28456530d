"""Measures of what PSNR cannot see: is what fills a hole as rich in detail as a photograph?

None needs the features of a trained network. None tells sense from nonsense either: a sharp copy
of the wrong thing has the right detail and the right patches. Only people see that, see `blind`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ..pictures import to_mask, to_tensor

# By distance from what is known, in pixels: more than the first, at most the second.
RINGS = {"rim": (0.0, 4.0), "between": (4.0, 12.0), "deep": (12.0, float("inf"))}
PATCH = 7  # px a side
SCALES = 3  # the picture, a half and a quarter of it
DIRECTIONS = 128  # on which patches are projected


class Look(NamedTuple):
    """How a completed picture looks, beside the original."""

    detail: dict[str, float]  # see `detail`
    true_detail: dict[str, float]  # that of the original
    patch_distance: float  # see `patch_distance`
    haar_similarity: float  # see `haar_similarity`; nan where piq is not installed


def look(picture: np.ndarray, original: np.ndarray, hole: np.ndarray) -> Look:
    """picture, original (H, W, 3) uint8, hole (H, W) bool."""
    return Look(
        detail(picture, hole),
        detail(original, hole),
        patch_distance(picture, original, hole),
        haar_similarity(picture, original),
    )


def detail(picture: np.ndarray, hole: np.ndarray) -> dict[str, float]:
    """Energy of a picture's finest structure in a hole: the sum of its squared Laplacian.

    picture (H, W, 3) uint8, hole (H, W) bool. "hole": of the whole hole; and of each of RINGS, by
    distance from what is known. Divided by that of the original, 1 is as fine as that, and a
    blur near 0.
    """
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    energy = ndimage.convolve(picture.mean(axis=2) / 255, kernel, mode="nearest") ** 2
    depth = ndimage.distance_transform_edt(hole)
    parts = {name: (depth > low) & (depth <= high) for name, (low, high) in RINGS.items()}
    return {name: float(energy[part].sum()) for name, part in ({"hole": hole} | parts).items()}


def patch_distance(picture: np.ndarray, original: np.ndarray, hole: np.ndarray) -> float:
    """How far the patches of a hole are from the original's, as two heaps, not one by one.

    Sliced Wasserstein distance (Rabin et al. 2011) of all patches of PATCH x PATCH around the
    hole's pixels, the mean over SCALES (as Karras et al. 2018 compare pictures). picture,
    original (H, W, 3) uint8, hole (H, W) bool. 0 for the same patches in any order; a blur's are
    far, however likely each pixel is.
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(3 * PATCH**2, DIRECTIONS, generator=generator)
    directions /= directions.norm(dim=0)
    one, other, mask = to_tensor(picture), to_tensor(original), to_mask(hole)
    distances = []
    for _ in range(SCALES):
        inside = mask.flatten() > 0.5
        a, b = ((_patches(x)[inside] @ directions).sort(dim=0).values for x in (one, other))
        distances.append((a - b).abs().mean().item())
        one, other = (F.avg_pool2d(x, 2, ceil_mode=True) for x in (one, other))
        mask = F.max_pool2d(mask, 2, ceil_mode=True)
    return float(np.mean(distances))


def _patches(x: Tensor) -> Tensor:
    """(1, 3, H, W) -> (H W, 3 PATCH^2)."""
    return F.unfold(F.pad(x, (PATCH // 2,) * 4, "replicate"), PATCH)[0].T


def haar_similarity(picture: np.ndarray, original: np.ndarray) -> float:
    """HaarPSI (Reisenhofer et al. 2018) of two pictures (H, W, 3) uint8: at most 1.

    nan without the package piq, and for a picture with a side below 16 px.
    """
    try:
        import piq
    except ImportError:
        return float("nan")
    if min(picture.shape[:2]) < 16:
        return float("nan")
    return float(piq.haarpsi(to_tensor(picture), to_tensor(original), data_range=1.0))


def share_of_detail(looks: list[Look], ring: str = "hole") -> float:
    """The fine detail of the holes, in units of the originals': 1 is as in the originals."""
    true = sum(look.true_detail[ring] for look in looks)
    return sum(look.detail[ring] for look in looks) / true if true else float("nan")


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


MEASURES: dict[str, Callable[[list[Look]], float]] = {
    "fine detail in the hole, of the original's (1 is as fine)": share_of_detail,
    "the same, more than 12 px from what is known": lambda some: share_of_detail(some, "deep"),
    "distance of the hole's patches from the original's (0 is best)": (
        lambda some: _mean([look.patch_distance for look in some])
    ),
    "HaarPSI of the whole picture (1 is best)": (
        lambda some: _mean([look.haar_similarity for look in some])
    ),
}


def table(looks: Mapping[str, Mapping[str, list[Look]]]) -> str:
    """Looks by method and bucket as text: a block for each of MEASURES, a line a method."""
    width = max(map(len, looks)) + 2
    blocks = []
    for title, measure in MEASURES.items():
        buckets = next(iter(looks.values()))
        lines = [title, " " * width + "".join(f"{bucket:>12}" for bucket in buckets)]
        for name, by in looks.items():
            cells = "".join(f"{measure(some):>11.4f} " for some in by.values())
            lines.append(name.ljust(width) + cells)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def edge_jump(picture: np.ndarray, hole: np.ndarray) -> float:
    """Mean absolute difference between neighbours of which one is in the hole and one is not.

    picture (H, W, 3) uint8, hole (H, W) bool; of a range of 1. A seam makes it larger than that
    of the original.
    """
    steps = [
        np.abs(np.diff(picture.astype(float), axis=axis))[np.diff(hole, axis=axis)]
        for axis in (0, 1)
    ]
    return float(np.concatenate(steps).mean()) / 255
