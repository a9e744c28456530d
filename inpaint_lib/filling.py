"""Putting a prediction into the hole, and two smooth fills to start from.

Taught in notebooks/01_data_inspection.ipynb.
"""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_floats

TENSION = 0.1  # a little of a stretched membrane in the plate keeps wide holes from overshooting
Prefill = Literal["push-pull", "thin-plate"]


def compose(occluded: Tensor, pred: Tensor, mask: Tensor) -> Tensor:
    """The prediction inside the hole, the picture outside of it, known pixels bit-identical.

    occluded, pred (B, 3, H, W); mask (B, 1, H, W), 1 in the hole. A selection, not
    `occluded * (1 - mask) + pred * mask`: that sum would let a NaN or an infinity of the
    hidden side through, and turn -0.0 into 0.0.
    """
    return pred.where(mask > 0.5, occluded)


def push_pull(
    image: Tensor, mask: Tensor, refine: Callable[[Tensor, Tensor], Tensor] | None = None
) -> Tensor:
    """Fill the hole with smoothly interpolated colours of its surroundings.

    The pull-push pyramid of Gortler et al. (1996, "The Lumigraph"): average the known pixels
    2 x 2 until nothing is unknown, then come back up, bilinearly, into the hole alone.
    image (B, C, H, W), of which only the known pixels count; mask (B, 1, H, W), 1 in the
    hole. Returns the filled image; with nothing known at all, zeros. Raises TypeError for integers.

    refine: called as `refine(filled, mask)` at every size on the way up, improves the filled.
    """
    check_floats("image", image)
    check_floats("mask", mask)
    image = image.masked_fill(mask > 0.5, 0.0)
    if max(image.shape[-2:]) == 1:
        return image
    known = F.avg_pool2d(1 - mask, 2, ceil_mode=True)
    coarse = F.avg_pool2d(image, 2, ceil_mode=True) / known.clamp(min=0.125)
    filled = push_pull(coarse, (known == 0).to(mask.dtype), refine)
    filled = F.interpolate(filled, scale_factor=2.0, mode="bilinear", align_corners=False)
    filled = compose(image, filled[..., : image.shape[-2], : image.shape[-1]], mask)
    return refine(filled, mask) if refine else filled


def thin_plate(image: Tensor, mask: Tensor) -> Tensor:
    """Fill the hole with the surface of a thin plate held by the known pixels (Duchon 1977).

    The plate with the least bending solves the biharmonic equation in the hole. Push-pull is
    where the solution starts, from the coarsest picture to the finest (cascadic multigrid:
    Bornemann & Deuflhard 1996), and at each size a few steps of conjugate gradients (Hestenes
    & Stiefel 1952) bend it further. Few on purpose: thin holes are solved by then, and wide
    ones, where the exact solution overshoots, stay near push-pull. Arguments and result as
    those of `push_pull`; the filled part is clipped to [0, 1].
    """
    filled = push_pull(image, mask, lambda u, hole: _bend(u, hole, steps=10))
    return compose(image, _bend(filled, mask, steps=10).clamp(0, 1), mask)


def _bend(u: Tensor, mask: Tensor, steps: int) -> Tensor:
    """Conjugate gradients for `A u = 0` in the hole, A = Laplacian squared - TENSION Laplacian."""
    residual = _energy_gradient(u).mul_(-mask)
    direction = residual
    size = _dot(residual, residual)
    solved = 1e-8 * size.clamp(min=1e-6)  # beyond it float32 would only add noise
    for _ in range(steps):
        bent = _energy_gradient(direction).mul_(mask)
        step = size / _dot(direction, bent).clamp(min=1e-12) * (size > solved)
        u = torch.addcmul(u, step, direction)
        residual = torch.addcmul(residual, step, bent, value=-1)
        before = size
        size = _dot(residual, residual)
        direction = torch.addcmul(residual, size / before.clamp(min=1e-12), direction)
    return u


def _energy_gradient(u: Tensor) -> Tensor:
    """`A u` = Laplacian (Laplacian - TENSION) u."""
    return _laplacian(_laplacian(u, minus=TENSION))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each channel, (B, C, 1, 1)."""
    return (a * b).sum(dim=(2, 3), keepdim=True)


def _laplacian(u: Tensor, minus: float = 0.0) -> Tensor:
    """The sum of differences to the four neighbours, minus a multiple of u itself.

    Beyond the edge lies the edge's own value.
    """
    v = F.pad(u, (1, 1, 1, 1), "replicate")
    neighbours = v[..., :-2, 1:-1] + v[..., 2:, 1:-1]
    neighbours += v[..., 1:-1, :-2]
    neighbours += v[..., 1:-1, 2:]
    return neighbours.sub_(u, alpha=4 + minus)


FILLS: dict[Prefill, Callable[[Tensor, Tensor], Tensor]] = {
    "push-pull": push_pull,
    "thin-plate": thin_plate,
}
