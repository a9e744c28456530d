"""Squares cut at random from a folder of pictures of any size, in memory or read from files.

Taught in notebooks/05_gpu_training.ipynb.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .data import Batch, Pairs
from .pictures import list_pictures, picture_size, read_picture

LANCZOS = Image.Resampling.LANCZOS


class Pictures(Pairs):
    """Squares of `size` pixels cut at random from the pictures of a folder, which are read each
    time a square of them is asked for.

    Each picture is looked at in several sizes, from its own downwards by factors of sqrt(2), at
    most `scales`, as long as a square fits into it; a smaller picture is enlarged to fit. An
    index stands for a picture; there are as many indices as squares that share no pixel at the
    pictures' own sizes, so that an epoch sees about as many pixels as the pictures have, or
    `count`.

    names: of the files in `folder`; None: all pictures that are there.

    Raises what `list_pictures` and `read_picture` raise.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        size: int,
        scales: int = 5,
        count: int | None = None,
        names: Sequence[str] | None = None,
    ):
        self.size = size
        self.paths = [Path(folder) / name for name in names or list_pictures(folder)]
        levels: list[list[int]] = []  # picture, where it begins, height, width
        squares: list[int] = []
        begin = 0
        with ThreadPoolExecutor() as readers:
            for number, sides in enumerate(readers.map(picture_size, self.paths)):
                fitting = max(1.0, size / min(sides))
                own = [max(size, round(side * fitting)) for side in sides]
                squares.append((own[0] // size) * (own[1] // size))
                for level in range(scales):
                    width, height = (round(side * 2 ** (-level / 2)) for side in own)
                    if min(width, height) < size:
                        break
                    levels.append([number, begin, height, width])
                    begin += width * height
        self.pixel_count = begin
        self.levels = torch.tensor(levels)  # (levels, 4)
        self.first = torch.searchsorted(
            self.levels[:, 0].contiguous(), torch.arange(len(self.paths))
        )
        self.level_count = torch.bincount(self.levels[:, 0])
        of_square = torch.repeat_interleave(torch.arange(len(squares)), torch.tensor(squares))
        wanted = torch.arange(count or len(of_square))
        self.picture_of = of_square[wanted % len(of_square)]

    def __len__(self) -> int:
        return len(self.picture_of)

    def __getitem__(self, index: int) -> Batch:
        """A square with a hole in its middle, to look at; the same each time."""
        original = self.draw([index], torch.Generator().manual_seed(index)).original[0]
        side = self.size // 3
        mask = torch.zeros_like(original[:1])
        mask[:, side : 2 * side, side : 2 * side] = 255
        return Batch(original.masked_fill(mask > 0, 0), original, mask)

    def choose(
        self, indices: Sequence[int], generator: torch.Generator, part: tuple[int, int] = (0, 1)
    ) -> Tensor:
        """A random square of each index's picture: (B, 3), its level, top and left.

        part: see `crop_and_cover`.
        """
        numbers = torch.rand(part[1] * len(indices), 3, generator=generator)[part[0] :: part[1]]
        scale, y, x = numbers.unbind(dim=1)
        picture = self.picture_of[torch.tensor(indices)]
        level = self.first[picture] + (scale * self.level_count[picture]).long()
        _, _, height, width = self.levels[level].unbind(dim=1)
        top = (y * (height - self.size + 1)).long()
        left = (x * (width - self.size + 1)).long()
        return torch.stack([level, top, left], dim=1)

    def take(self, chosen: Tensor) -> Tensor:
        """The pixels of chosen squares, (B, 3, size, size) bytes."""
        return torch.stack([self.read(*one) for one in chosen.tolist()])

    def read(self, level: int, top: int, left: int) -> Tensor:
        """The pixels of one square, (3, size, size) bytes; it alone is resized."""
        number, _, height, width = self.levels[level].tolist()
        picture = read_picture(self.paths[number], srgb=True)
        right, bottom = left + self.size, top + self.size
        if picture.size == (width, height):
            square = picture.crop((left, top, right, bottom))
        else:
            x, y = picture.width / width, picture.height / height
            end = (min(right * x, picture.width), min(bottom * y, picture.height))
            square = picture.resize((self.size, self.size), LANCZOS, (left * x, top * y, *end))
        return torch.from_numpy(np.array(square)).movedim(-1, 0)

    def draw(
        self, indices: Sequence[int], generator: torch.Generator, part: tuple[int, int] = (0, 1)
    ) -> Batch:
        """A random square of each index's picture, without a hole; see `choose`."""
        return without_hole(self.take(self.choose(indices, generator, part)))


def without_hole(original: Tensor) -> Batch:
    """Pictures (B, 3, H, W) as a batch of which nothing is hidden yet."""
    return Batch(original, original, torch.zeros_like(original[:, :1]))


class PicturesInMemory(Pictures):
    """The same squares from pictures that are read once and kept, in all their sizes, as bytes:
    200 of 640 x 480 take about 340 MB. Nothing waits for the device that they are on.

    Whole pictures are resized. Of a thousand bytes about one is rounded otherwise than when its
    square alone is.
    """

    def __init__(self, pictures: Pictures, device: torch.device | str = "cpu"):
        vars(self).update(vars(pictures))
        pixels = torch.empty(self.pixel_count, 3, dtype=torch.uint8)

        def read(number: int) -> None:
            picture = read_picture(self.paths[number], srgb=True)
            first = int(self.first[number])
            for level in self.levels[first : first + int(self.level_count[number])].tolist():
                _, begin, height, width = level
                scaled = picture.resize((width, height), LANCZOS)
                pixels.numpy()[begin : begin + height * width] = np.asarray(scaled).reshape(-1, 3)

        with ThreadPoolExecutor() as readers:
            list(readers.map(read, range(len(self.paths))))
        self.pixels = pixels.to(device)  # (all pixels, 3)
        self.begins = self.levels[:, 1].to(device)
        self.widths = self.levels[:, 3].to(device)

    def take(self, chosen: Tensor) -> Tensor:
        level, top, left = chosen.to(self.pixels.device, non_blocking=True).unbind(dim=1)
        place = torch.arange(self.size, device=self.pixels.device)
        begin = self.begins[level][:, None, None]
        rows = (top[:, None] + place) * self.widths[level][:, None]  # (B, size)
        where = begin + rows[:, :, None] + (left[:, None] + place)[:, None, :]
        return self.pixels[where].movedim(-1, 1).contiguous()  # (B, 3, size, size)
