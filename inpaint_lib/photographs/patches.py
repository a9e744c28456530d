"""Patches of a photograph with a hole, and what they are compared by; see `exemplar`."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..filling import push_pull

# Chosen by looking at pictures of dataset/large/val and dataset/large/train, never of test.
SOURCES = 6000  # patches that are compared at a time, drawn at random
COMPONENTS = 32  # principal components that stand for a patch's colours
BLUR = 3.0  # px, standard deviation; of the completion only what is coarser guides
GUIDANCE = 0.5  # weight of the guide's difference beside that of the colours
TEXTURE = 4.0  # the same of the texture's


class Scale(NamedTuple):
    """A picture at one scale, each (1, C, H, W)."""

    completed: Tensor
    mask: Tensor
    guide: Tensor

    def halved(self) -> "Scale":
        """At half the size; a pixel of which a part is hole is hole."""
        completed, guide = (
            F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            for x in (self.completed, self.guide)
        )
        return Scale(completed, F.max_pool2d(self.mask, 2, ceil_mode=True), guide)


class Patches:
    """The patches of one scale; pixels are indices into the flattened picture.

    targets: those that touch the hole. sources: those that are known as a whole.
    """

    def __init__(self, scale: Scale, radius: int, generator: torch.Generator):
        self.radius = radius
        self.generator = generator
        near = F.max_pool2d(scale.mask, 2 * radius + 1, stride=1, padding=radius)[0, 0] > 0.5
        self.targets = near.flatten().nonzero()[:, 0]
        whole = ~near
        whole[:radius] = whole[-radius:] = False
        whole[:, :radius] = whole[:, -radius:] = False
        self.is_source = whole.flatten()
        self.sources = self.is_source.nonzero()[:, 0]
        if len(self.sources):
            self._find_components(scale.completed)
            coarse = F.unfold(self._padded(scale.guide), 3, dilation=radius)[0].T
            self.texture = texture(scale.completed, scale.mask)  # (1, 2, H, W)
            rough = self.texture[0].flatten(1).T
            fixed = torch.cat([coarse * GUIDANCE / 3, rough * TEXTURE], dim=1)
            self.fixed = fixed * (2 * radius + 1)  # as if every pixel of a patch had them
            self.known = self.features(scale.completed)

    def _padded(self, x: Tensor) -> Tensor:
        return F.pad(x, (self.radius,) * 4, "replicate")

    def _find_components(self, picture: Tensor) -> None:
        """Principal components of the known patches' colours."""
        side = torch.arange(-self.radius, self.radius + 1)
        steps = (side[:, None] * picture.shape[-1] + side).flatten()
        pixels = self.some_sources(SOURCES)[:, None] + steps
        patches = picture[0].flatten(1)[:, pixels].transpose(0, 1).flatten(1)
        mean = patches.mean(dim=0)
        _, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean))
        self.basis = vectors[:, -COMPONENTS:].T  # (COMPONENTS, 3 pixels)
        self.origin = self.basis @ mean

    def features(self, picture: Tensor) -> Tensor:
        """What patches are compared by: colours of the picture (1, 3, H, W), and what no vote
        changes, guide and texture. Returns (H W, features); their squared distance counts.
        """
        side = 2 * self.radius + 1
        colours = F.conv2d(self._padded(picture), self.basis.view(-1, 3, side, side))
        return torch.cat([colours[0].flatten(1).T - self.origin, self.fixed], dim=1)

    def some_sources(self, count: int) -> Tensor:
        """At most so many sources, drawn at random."""
        if len(self.sources) <= count:
            return self.sources
        order = torch.randperm(len(self.sources), generator=self.generator)
        return self.sources[order[:count]]


def texture(picture: Tensor, mask: Tensor) -> Tensor:
    """How rough a picture is around every pixel, across and down, carried on into the hole:
    mean absolute differences, (1, 2, H, W).
    """
    grey = picture.mean(dim=1, keepdim=True)
    across = F.pad(grey.diff(dim=-1).abs(), (0, 1, 0, 0), "replicate")
    down = F.pad(grey.diff(dim=-2).abs(), (0, 0, 0, 1), "replicate")
    touched = F.max_pool2d(mask, 3, stride=1, padding=1)
    return blurred(push_pull(torch.cat([across, down], dim=1), touched), 1.5)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """(B, C, H, W) blurred by a Gaussian of that standard deviation in pixels."""
    radius = math.ceil(2.5 * sigma)
    kernel = torch.exp(-(torch.arange(-radius, radius + 1.0) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), "replicate"), kernel, groups=x.shape[1])
    kernel = kernel.transpose(2, 3)
    return F.conv2d(F.pad(x, (0, 0, radius, radius), "replicate"), kernel, groups=x.shape[1])
