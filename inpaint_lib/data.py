"""Pairs of an occluded picture and its original, and the mask that tells them apart.

Taught in notebooks/01_data_inspection.ipynb.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, default_collate
from torchvision import transforms

from .checks import check_floats, check_triple
from .masks import Doubts, read_mask
from .paths import given_path, matching
from .pictures import list_pictures, read_picture

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
    leaves no difference, so it is not found there. Raises TypeError for integers.
    """
    check_floats("occluded", occluded)
    check_floats("original", original)
    difference = (occluded - original).abs().sum(dim=-3, keepdim=True)
    return (difference > mask_thresh).to(original.dtype)


class Pairs(Dataset[Batch]):
    """A data set of pairs whose number is known."""

    def __len__(self) -> int:
        raise NotImplementedError


class ImageCompletionDataset(Pairs):
    """Item i is a `Batch` of one picture: (3, H, W), (3, H, W), (1, H, W), 1 in the hole.

    An occluded picture `occluded_NAME` belongs to the original `NAME`; where there is none of the
    same name, to the only one whose name differs in case or in how an accent is written. Both
    kinds may be in one folder. `transform` is applied to each picture as in torchvision, PIL in,
    tensor out; by default it resizes to 128 x 128 and converts to [0, 1]. One that draws at
    random draws alike for all pictures of an item, so they stay registered. The mask comes from
    `difference_mask`, or, with `mask_dir`, from `mask_dir/STEM.png` (see `read_mask`), which goes
    through the same transform. Whatever colour a hole has in its file, `occluded` is black there.

    doubts: warn (PictureWarning) of pairs that cannot be meant, by file: see `Doubts`.
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
        doubts: bool = True,
    ):
        self.occluded_dir = given_path(occluded_dir)
        self.original_dir = given_path(original_dir)
        self.mask_dir = None if mask_dir is None else given_path(mask_dir)
        self.transform = transform or transforms.Compose(
            [transforms.Resize((SIZE, SIZE)), transforms.ToTensor()]
        )
        self.mask_thresh = mask_thresh
        self.augment = augment
        self._doubts = Doubts() if doubts else None

        self._occluded_names = list_pictures(self.occluded_dir)
        originals = list_pictures(self.original_dir)
        if self.occluded_dir.samefile(self.original_dir):  # which then has the originals as well
            twins = set(originals)
            self._occluded_names = [n for n in self._occluded_names if PREFIX + n not in twins]
        self.names = [name.removeprefix(PREFIX) for name in self._occluded_names]
        mask_names = [os.path.splitext(name)[0] + ".png" for name in self.names]
        self._originals = matching(self.names, originals)
        self._masks: dict[str, str] = {}
        if self.mask_dir is not None:
            self._masks = matching(mask_names, list_pictures(self.mask_dir))
        pairs = zip(self._occluded_names, self.names, mask_names, strict=True)
        for occluded, name, mask_name in pairs:
            if name not in self._originals:
                raise FileNotFoundError(
                    f"{self.occluded_dir / occluded}: no original named {name} "
                    f"in {self.original_dir}; add it, or remove the occluded picture"
                )
            if self.mask_dir is not None and mask_name not in self._masks:
                raise FileNotFoundError(
                    f"{self.occluded_dir / occluded}: no mask named {mask_name} "
                    f"in {self.mask_dir}; add it, or leave mask_dir out"
                )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Batch:
        name = self.names[index]
        occluded_path = self.occluded_dir / self._occluded_names[index]
        original_path = self.original_dir / self._originals[name]
        pictures = [read_picture(occluded_path), read_picture(original_path)]
        if self.mask_dir is not None:
            mask_path = self.mask_dir / self._masks[os.path.splitext(name)[0] + ".png"]
            hole = read_mask(mask_path, pictures[1])
            if hole.all():
                raise ValueError(
                    f"{mask_path}: is all hole, nothing is known to "
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
            try:
                mask = difference_mask(occluded, original, self.mask_thresh)
            except TypeError as error:
                raise TypeError(f"{occluded_path}: after the transform, {error}") from None
        if self._doubts is not None and mask.is_floating_point():  # integers are refused below
            self._doubts.tell(occluded_path, occluded, original, mask)
        occluded = occluded.masked_fill(mask > 0, 0)
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
    """All pairs of a data set, read once, or a batch, as bytes: 112 KB for one of 128 x 128.

    Exact for the default transform, whose values are multiples of 1/255.
    """

    def __init__(self, pairs: Pairs | Batch, device: torch.device | str = "cpu"):
        if not isinstance(pairs, Batch):
            items = [pairs[i] for i in range(len(pairs))]
            parts = zip(*items, strict=True)
            pairs = Batch(*((255 * torch.stack(part)).round().byte() for part in parts))
        self.all = Batch(*(part.to(device) for part in pairs))

    def __len__(self) -> int:
        return len(self.all.mask)

    def __getitem__(self, index: int) -> Batch:
        return Batch(*(part[index] for part in self.all))

    def draw(self, indices: list[int]) -> Batch:
        """The pairs of these indices, on the device where they are kept; nothing waits for it."""
        index = torch.tensor(indices).to(self.all.mask.device, non_blocking=True)
        return Batch(*(part.index_select(0, index) for part in self.all))


def as_float(tensor: Tensor) -> Tensor:
    """uint8 in [0, 255] -> float32 in [0, 1]; a float tensor stays as it is."""
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


def evenly(pairs: Pairs, count: int) -> Batch:
    """At most `count` pairs spread evenly over a data set, as one batch."""
    total = len(pairs)
    chosen = np.linspace(0, total - 1, min(count, total)).astype(int)
    return Batch(*default_collate([pairs[i] for i in chosen.tolist()]))
