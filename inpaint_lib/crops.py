"""Random crops under fresh holes: of a batch of pairs, or of pictures of any size in memory.

Taught in notebooks/04_training.ipynb.
"""

import os
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .data import Batch, Pairs
from .holes import HoleKind, holes_from, numbers_for
from .pictures import list_pictures, read_picture

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


class PicturesInMemory(Pairs):
    """Squares of `size` pixels cut at random from pictures of any size, kept as bytes.

    Each picture is kept at several sizes, from its own downwards by factors of sqrt(2), to
    `scales` at most, as long as a square fits into it; a smaller picture is enlarged to fit. So
    200 pictures of 640 x 480 take about 340 MB. An index stands for a picture; there are as many
    indices as squares that share no pixel at the pictures' own sizes, so that an epoch sees
    about as many pixels as the pictures have, or `count`.

    Raises what `list_pictures` and `read_picture` raise.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        size: int,
        device: torch.device | str = "cpu",
        scales: int = 5,
        count: int | None = None,
    ):
        self.size = size
        flat: list[Tensor] = []
        levels: list[list[int]] = []  # picture, where it begins, height, width
        squares: list[int] = []
        begin = 0
        for number, name in enumerate(list_pictures(folder)):
            picture = read_picture(Path(folder) / name, srgb=True)
            fitting = max(1.0, size / min(picture.size))
            own = [max(size, round(side * fitting)) for side in picture.size]
            squares.append((own[0] // size) * (own[1] // size))
            for level in range(scales):
                width, height = (round(side * 2 ** (-level / 2)) for side in own)
                if min(width, height) < size:
                    break
                scaled = picture.resize((width, height), Image.Resampling.LANCZOS)
                flat.append(torch.from_numpy(np.array(scaled)).flatten(0, 1))
                levels.append([number, begin, height, width])
                begin += width * height
        self.pixels = torch.cat(flat).to(device)  # (all pixels, 3)
        table = torch.tensor(levels)
        first = torch.searchsorted(table[:, 0].contiguous(), torch.arange(len(squares)))
        self.levels = table[:, 1:].to(device)  # (levels, 3): begin, height, width
        self.first = first.to(device)
        self.count = torch.bincount(table[:, 0]).to(device)
        of_square = torch.repeat_interleave(torch.arange(len(squares)), torch.tensor(squares))
        wanted = torch.arange(count or len(of_square))
        self.picture_of = of_square[wanted % len(of_square)].to(device)

    def __len__(self) -> int:
        return len(self.picture_of)

    def __getitem__(self, index: int) -> Batch:
        """A square with a hole in its middle, to look at; the same each time."""
        original = self.draw([index], torch.Generator().manual_seed(index)).original[0]
        side = self.size // 3
        mask = torch.zeros_like(original[:1])
        mask[:, side : 2 * side, side : 2 * side] = 255
        return Batch(original.masked_fill(mask > 0, 0), original, mask)

    def draw(
        self, indices: list[int], generator: torch.Generator, part: tuple[int, int] = (0, 1)
    ) -> Batch:
        """A random square of each index's picture, without a hole; nothing waits for a device.

        part: see `crop_and_cover`.
        """
        device = self.pixels.device
        index = torch.tensor(indices).to(device, non_blocking=True)
        numbers = torch.rand(part[1] * len(indices), 3, generator=generator)[part[0] :: part[1]]
        scale, y, x = numbers.to(device, non_blocking=True).unbind(dim=1)
        picture = self.picture_of.index_select(0, index)
        level = self.first[picture] + (scale * self.count[picture]).long()
        begin, height, width = self.levels.index_select(0, level).unbind(dim=1)
        top = (y * (height - self.size + 1)).long()
        left = (x * (width - self.size + 1)).long()
        place = torch.arange(self.size, device=device)
        rows = (top[:, None] + place) * width[:, None]  # (B, size)
        where = begin[:, None, None] + rows[:, :, None] + (left[:, None] + place)[:, None, :]
        original = self.pixels[where].movedim(-1, 1).contiguous()  # (B, 3, size, size)
        return Batch(original, original, torch.zeros_like(original[:, :1]))
