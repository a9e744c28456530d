"""The loss: what the network is asked for. Taught in notebooks/03_ssim_and_loss.ipynb."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .checks import check_choice
from .filling import compose
from .metrics import ssim

HoleTerm = Literal["l1", "l1-per-hole", "psnr"]


class Losses(NamedTuple):
    """Of one batch, scalars: the loss that is minimized, and its two parts."""

    loss: Tensor
    l1: Tensor
    ssim: Tensor


def completion_loss(
    pred: Tensor,
    batch: tuple[Tensor, Tensor, Tensor],
    *,
    hole_term: HoleTerm = "l1",
    ssim_weight: float = 0.2,
) -> Losses:
    """loss = (1 - w) T + w (1 - SSIM), with w the `ssim_weight` and T by `hole_term`.

    "l1": L1 compares `pred * mask` with `original * mask` and is averaged over all pixels, so
    a hole counts by its area. "l1-per-hole": over each hole's pixels, then over the batch.
    "psnr": 1 - PSNR / 50 dB of each hole, so that a faint hole counts like a contrasty one; a
    squared error under 1e-5, which is 50 dB, counts as none. SSIM compares the composite with
    the original. Computed in float32 at least. Raises ValueError for another `hole_term`.
    """
    check_choice("hole_term", hole_term, HoleTerm)
    occluded, original, mask = batch
    pred = pred.to(torch.promote_types(pred.dtype, torch.float32))
    difference = (pred * mask - original * mask).abs()  # (B, 3, H, W)
    hole = (mask.sum(dim=(1, 2, 3)) * pred.shape[1]).clamp(min=1)  # (B,)
    if hole_term == "l1":
        # T = L1 = mean |pred m - original m|
        term = l1 = difference.mean()
    else:
        # T = L1 = mean over holes of (sum |pred m - original m| / sum m)
        term = l1 = (difference.sum(dim=(1, 2, 3)) / hole).mean()
    if hole_term == "psnr":
        # T = mean over holes of 1 - PSNR / 50 = 1 + log10(MSE) / 5
        mse = difference.square().sum(dim=(1, 2, 3)) / hole
        term = 1 + (mse + 1e-5).log10().mean() / 5
    # SSIM(comp, original), comp = pred in the hole, occluded outside of it
    similarity = ssim(compose(occluded, pred, mask), original)
    # loss = (1 - w) T + w (1 - SSIM)
    loss = (1 - ssim_weight) * term + ssim_weight * (1 - similarity)
    return Losses(loss, l1, similarity)
