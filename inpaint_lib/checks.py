"""What a tensor must be before it is worth computing with."""

import torch
from torch import Tensor


def check_shape(name: str, tensor: Tensor, channels: int) -> None:
    """Raises TypeError unless floats, ValueError unless (B, channels, H, W); needs no values."""
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: is {tensor.dtype}; give floats in [0, 1] (divide by 255)")
    if tensor.ndim != 4 or tensor.shape[1] != channels:
        raise ValueError(f"{name}: is {tuple(tensor.shape)}; give (B, {channels}, H, W)")


def check_triple(occluded: Tensor, original: Tensor, mask: Tensor) -> None:
    """A batch: (B, 3, H, W) twice and (B, 1, H, W), of one size, finite and in [0, 1].

    Raises TypeError for integers and ValueError for all else, naming the tensor.
    """
    triple = {"occluded": occluded, "original": original, "mask": mask}
    for name, tensor in triple.items():
        check_shape(name, tensor, 1 if name == "mask" else 3)
        if tensor.shape[-2:] != occluded.shape[-2:] or len(tensor) != len(occluded):
            raise ValueError(f"{name}: is {tuple(tensor.shape)}, occluded {tuple(occluded.shape)}")
        low, high = (value.item() for value in torch.aminmax(tensor))
        if not (low >= 0 and high <= 1):  # false for NaN, too
            raise ValueError(
                f"{name}: has values from {low:.4g} to {high:.4g}; give finite values in [0, 1], "
                "without a Normalize"
            )
