"""Putting a prediction into the hole, and the simplest good guess of what belongs there."""

import torch.nn.functional as F
from torch import Tensor


def compose(occluded: Tensor, pred: Tensor, mask: Tensor) -> Tensor:
    """The prediction inside the hole, the picture outside of it, known pixels bit-identical.

    occluded, pred (B, 3, H, W); mask (B, 1, H, W), 1 in the hole. A selection, not
    `occluded * (1 - mask) + pred * mask`: that sum would let a NaN or an infinity of the
    hidden side through, and turn -0.0 into 0.0.
    """
    return pred.where(mask > 0.5, occluded)


def push_pull(image: Tensor, mask: Tensor) -> Tensor:
    """Fill the hole with smoothly interpolated colours of its surroundings.

    The pull-push pyramid of Gortler et al. (1996, "The Lumigraph"): average the known pixels
    2 x 2 until nothing is unknown, then come back up, bilinearly, into the hole alone.
    image (B, C, H, W), of which only the known pixels count; mask (B, 1, H, W), 1 in the
    hole. Returns the filled image; with nothing known at all, zeros.
    """
    image = image.masked_fill(mask > 0.5, 0.0)
    if max(image.shape[-2:]) == 1:
        return image
    known = F.avg_pool2d(1 - mask, 2, ceil_mode=True)
    coarse = F.avg_pool2d(image, 2, ceil_mode=True) / known.clamp(min=0.125)
    filled = push_pull(coarse, (known == 0).to(mask.dtype))
    filled = F.interpolate(filled, scale_factor=2.0, mode="bilinear", align_corners=False)
    return compose(image, filled[..., : image.shape[-2], : image.shape[-1]], mask)
