"""Random crops of a batch under fresh holes, and making a batch ahead of its use.

Taught in notebooks/04_training.ipynb.
"""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from .data import Batch
from .holes import HoleKind, holes_from, numbers_for

Item = TypeVar("Item")
CROP = 6  # numbers that a crop follows from: top, left, a pixel of the hole, two mirrors, a turn


def crop_and_cover(
    batch: Batch | tuple[Tensor, Tensor, Tensor],
    crop_size: int | None,
    fresh_holes: bool,
    generator: torch.Generator,
    hole_kind: HoleKind = "both",
    longest_hole: int | None = None,
    *,
    turns: bool = False,
    part: tuple[int, int] = (0, 1),
) -> Batch:
    """Cut a random square out of each pair of a batch, and cover it with a fresh random hole.

    Floats or bytes, on any device: nothing waits for it, and the same `generator`, on the CPU,
    draws the same on all. With `crop_size` None or no smaller than the picture, whole pictures
    stay; without `fresh_holes` the stored holes stay, and a crop is placed so that it holds a
    pixel of its hole. Fresh crops are also mirrored at random. `hole_kind` and `longest_hole`
    go to `holes_from`.

    turns: turn fresh crops by quarter turns, too; square ones only.
    part: (i, n) when the batch is every n-th pair of a larger one, from the i-th on: it is then
        treated as it would be within the larger one.
    """
    occluded, original, mask = batch
    device = mask.device
    height, width = original.shape[-2:]
    h = min(crop_size or height, height)
    w = min(crop_size or width, width)
    columns = CROP + numbers_for((h, w))
    numbers = torch.rand(part[1] * len(mask), columns, generator=generator)[part[0] :: part[1]]
    u = numbers[:, :CROP].to(device, non_blocking=True)
    top = (u[:, 0] * (height - h + 1)).long()
    left = (u[:, 1] * (width - w + 1)).long()
    if not fresh_holes and (h, w) != (height, width):
        y, x, found = _pixel_of_hole(mask, u[:, 2])
        top = torch.where(found, _place(u[:, 0], y, h, height), top)
        left = torch.where(found, _place(u[:, 1], x, w, width), left)
    rows = top[:, None] + torch.arange(h, device=device)  # (B, h)
    across = left[:, None] + torch.arange(w, device=device)
    if fresh_holes:
        across = torch.where(u[:, 3, None] < 0.5, across.flip(1), across)
        if turns:
            rows = torch.where(u[:, 4, None] < 0.5, rows.flip(1), rows)
    one = torch.arange(len(mask), device=device)[:, None, None]

    def crop(pictures: Tensor) -> Tensor:
        return pictures.movedim(1, -1)[one, rows[:, :, None], across[:, None, :]].movedim(-1, 1)

    if not fresh_holes:
        return Batch(crop(occluded), crop(original), crop(mask))
    original = crop(original)
    if turns and h == w:
        turned = u[:, 5, None, None, None] < 0.5
        original = torch.where(turned, original.transpose(-1, -2), original)
    hole = holes_from(numbers[:, CROP:], (h, w), hole_kind, longest_hole, device)
    full = 1 if mask.is_floating_point() else 255
    return Batch(original.masked_fill(hole, 0), original, hole.to(mask.dtype) * full)


def ahead(items: Generator[Item, None, None]) -> Iterator[Item]:
    """The same items, each made by another thread while the one before it is in use."""

    def make() -> list[Item]:  # empty at the end: a thread must not raise StopIteration
        return list(islice(items, 1))

    with closing(items), ThreadPoolExecutor(1) as maker:  # the thread ends before its source
        coming = maker.submit(make)
        while made := coming.result():
            coming = maker.submit(make)
            yield from made


def _pixel_of_hole(mask: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Row and column of a random hole pixel of each mask, and whether there is one: (B,) each."""
    counted = (mask[:, 0] != 0).flatten(1).cumsum(dim=1)
    total = counted[:, -1:]
    wanted = (u[:, None] * total).long() + 1
    index = torch.searchsorted(counted, wanted)[:, 0].clamp(max=counted.shape[1] - 1)
    return index // mask.shape[-1], index % mask.shape[-1], total[:, 0] > 0


def _place(u: Tensor, pixel: Tensor, side: int, whole: int) -> Tensor:
    """Where a crop of `side` may begin so that it holds the pixel, chosen by u in [0, 1)."""
    first = (pixel - side + 1).clamp(min=0)
    last = pixel.clamp(max=whole - side)
    return first + (u * (last - first + 1)).long()
