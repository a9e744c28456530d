"""Pairs of an occluded picture and its original, and the mask that tells them apart.

Taught in notebooks/01_data_inspection.ipynb.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, default_collate
from torchvision import transforms

from .checks import check_triple
from .holes import HoleKind, holes_from, numbers_for
from .pictures import list_pictures, read_mask, read_picture

PREFIX = "occluded_"
SIZE = 128  # side of the pictures of a pair, in pixels


class Batch(NamedTuple):
    """Pairs and their holes: (B, 3, H, W), (B, 3, H, W), (B, 1, H, W); an item has no B.

    Floats in [0, 1] or, as data are kept in memory, bytes in [0, 255]; `mask` is 1 (255) in the
    hole, and `occluded` is black there.
    """

    occluded: Tensor
    original: Tensor
    mask: Tensor

    def to(self, device: torch.device | str) -> "Batch":
        """On a device, as floats: the one place where bytes become floats."""
        return Batch(*(as_float(tensor.to(device, non_blocking=True)) for tensor in self))


def difference_mask(occluded: Tensor, original: Tensor, mask_thresh: float = 0.03) -> Tensor:
    """The mask rule: 1 where |occluded - original|, summed over the channels, exceeds mask_thresh.

    (..., 3, H, W) twice -> (..., 1, H, W). A black box over pixels that are black themselves
    leaves no difference, so it is not found there.
    """
    difference = (occluded - original).abs().sum(dim=-3, keepdim=True)
    return (difference > mask_thresh).to(original.dtype)


class Pairs(Dataset[Batch]):
    """A data set of pairs whose number is known."""

    def __len__(self) -> int:
        raise NotImplementedError


class ImageCompletionDataset(Pairs):
    """Item i is a `Batch` of one picture: (3, H, W), (3, H, W), (1, H, W), 1 in the hole.

    An occluded picture `occluded_NAME` belongs to the original `NAME`. `transform` is applied
    to each picture as in torchvision, PIL in, tensor out; by default it resizes to 128 x 128
    and converts to [0, 1]. One that draws at random draws alike for all pictures of an item,
    so they stay registered. The mask comes from `difference_mask`, or, with `mask_dir`, from
    `mask_dir/STEM.png` (white is hole), which goes through the same transform.

    augment: called as `augment(occluded, original, mask)`, returns the three: an augmentation
        acts on the whole triple.

    Raises FileNotFoundError or ValueError, naming the file, for a folder that is missing or
    empty, an occluded picture without its original or mask, a pair of different sizes, and a
    file that cannot be read.
    """

    def __init__(
        self,
        occluded_dir: str | os.PathLike[str],
        original_dir: str | os.PathLike[str],
        transform: Callable[[Image.Image], Tensor] | None = None,
        mask_thresh: float = 0.03,
        *,
        mask_dir: str | os.PathLike[str] | None = None,
        augment: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]] | None = None,
    ):
        self.occluded_dir = Path(occluded_dir)
        self.original_dir = Path(original_dir)
        self.mask_dir = None if mask_dir is None else Path(mask_dir)
        self.transform = transform or transforms.Compose(
            [transforms.Resize((SIZE, SIZE)), transforms.ToTensor()]
        )
        self.mask_thresh = mask_thresh
        self.augment = augment

        self._occluded_names = list_pictures(self.occluded_dir)
        self.names = [name.removeprefix(PREFIX) for name in self._occluded_names]
        originals = set(list_pictures(self.original_dir))
        masks = None if self.mask_dir is None else set(list_pictures(self.mask_dir))
        for occluded, name in zip(self._occluded_names, self.names, strict=True):
            if name not in originals:
                raise FileNotFoundError(
                    f"{self.occluded_dir / occluded}: no original named {name} "
                    f"in {self.original_dir}; add it, or remove the occluded picture"
                )
            if masks is not None and self._mask_name(name) not in masks:
                raise FileNotFoundError(
                    f"{self.occluded_dir / occluded}: no mask named {self._mask_name(name)} "
                    f"in {self.mask_dir}; add it, or leave mask_dir out"
                )

    @staticmethod
    def _mask_name(name: str) -> str:
        return os.path.splitext(name)[0] + ".png"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Batch:
        name = self.names[index]
        occluded_path = self.occluded_dir / self._occluded_names[index]
        pictures = [read_picture(occluded_path), read_picture(self.original_dir / name)]
        if self.mask_dir is not None:
            hole = read_mask(self.mask_dir / self._mask_name(name))
            if hole.all():
                raise ValueError(
                    f"{self.mask_dir / self._mask_name(name)}: is all hole, nothing is known to "
                    "complete it from; mend it, or remove the pair"
                )
            pictures.append(Image.fromarray(hole.astype(np.uint8) * 255).convert("RGB"))
        for picture in pictures[1:]:
            if picture.size != pictures[0].size:
                raise ValueError(
                    f"{occluded_path}: its size is {pictures[0].size}, that of its original or "
                    f"mask {name} is {picture.size}; a pair must be of one size"
                )
        occluded, original, *rest = self._transformed(pictures)
        if rest:
            # A resized mask has grey edges: pixels mixed with hidden ones, so they are hole.
            mask = (rest[0].amax(dim=0, keepdim=True) > 0).to(original.dtype)
        else:
            mask = difference_mask(occluded, original, self.mask_thresh)
        if self.augment is not None:
            occluded, original, mask = self.augment(occluded, original, mask)
        try:
            check_triple(occluded[None], original[None], mask[None])
        except (TypeError, ValueError) as error:
            raise type(error)(f"{occluded_path}: after the transform, {error}") from None
        return Batch(occluded, original, mask)

    def _transformed(self, pictures: list[Image.Image]) -> list[Tensor]:
        """Each through the transform, from one state of torch's random numbers."""
        before = torch.get_rng_state()
        results = []
        for picture in pictures:
            torch.set_rng_state(before)
            results.append(self.transform(picture))
        return results


class PairsInMemory(Pairs):
    """All pairs of a data set, read once, as bytes: 112 KB for one of 128 x 128.

    Exact for the default transform, whose values are multiples of 1/255.
    """

    def __init__(self, pairs: Pairs, device: torch.device | str = "cpu"):
        items = [pairs[i] for i in range(len(pairs))]
        parts = zip(*items, strict=True)
        all_bytes = ((255 * torch.stack(part)).round().byte() for part in parts)
        self.all = Batch(*(part.to(device) for part in all_bytes))

    def __len__(self) -> int:
        return len(self.all.mask)

    def __getitem__(self, index: int) -> Batch:
        return Batch(*(part[index] for part in self.all))

    def draw(self, indices: list[int]) -> Batch:
        """The pairs of these indices, on the device where they are kept; nothing waits for it."""
        index = torch.tensor(indices).to(self.all.mask.device, non_blocking=True)
        return Batch(*(part.index_select(0, index) for part in self.all))


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
            picture = read_picture(Path(folder) / name)
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


def as_float(tensor: Tensor) -> Tensor:
    """uint8 in [0, 255] -> float32 in [0, 1]; a float tensor stays as it is."""
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


def evenly(pairs: Pairs, count: int) -> Batch:
    """At most `count` pairs spread evenly over a data set, as one batch."""
    total = len(pairs)
    chosen = np.linspace(0, total - 1, min(count, total)).astype(int)
    return Batch(*default_collate([pairs[i] for i in chosen.tolist()]))


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
