"""Input checks: options, numbers, tensors; before anything is computed or read."""

import math
import re
from itertools import chain
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor


def choices(hint: Any) -> tuple[Any, ...]:
    """The values that `Literal[...]` or `Literal[...] | None` allows; () for any other type."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    members = get_args(hint)
    known = tuple(chain.from_iterable(choices(member) for member in members))
    return (*known, None) if known and NoneType in members else known


def check_choice(name: str, value: object, hint: Any) -> None:
    """Raises ValueError, with the known values, unless `value` is one of `choices(hint)`."""
    known = choices(hint)
    if value not in known:
        raise ValueError(f"{name} {value!r}: choose one of {', '.join(map(repr, known))}")


def check_number(
    name: str,
    value: float | None,
    *,
    least: float = 0,
    most: float = math.inf,
    above: float | None = None,
    whole: bool = False,
) -> None:
    """Raises ValueError unless `least` <= value <= `most`, or `above` < value; None passes.

    whole: raises TypeError unless it is an integer.
    """
    if value is None:
        return
    if whole and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"{name} {value!r}: give a whole number")
    low = least <= value if above is None else above < value
    if not (low and value <= most and math.isfinite(value)):  # false for NaN, too
        bound = f"at least {least}" if above is None else f"above {above}"
        most_text = "" if most == math.inf else f" and at most {most}"
        raise ValueError(f"{name} {value!r}: give a finite number {bound}{most_text}")


def check_floats(name: str, tensor: Tensor) -> None:
    """Raises TypeError for integers: their values are in [0, 255], where [0, 1] is meant."""
    if not tensor.is_floating_point():
        how = "convert it with float()" if tensor.dtype == torch.bool else "divide by 255"
        raise TypeError(f"{name}: is {tensor.dtype}; give floats in [0, 1] ({how})")


def check_shape(name: str, tensor: Tensor, channels: int) -> None:
    """Check dtype and shape only; values are not read, so nothing waits for a GPU.

    Raises TypeError for integers, ValueError unless (B, channels, H, W).
    """
    check_floats(name, tensor)
    if tensor.ndim != 4 or tensor.shape[1] != channels:
        raise ValueError(f"{name}: is {tuple(tensor.shape)}; give (B, {channels}, H, W)")


def check_shapes(occluded: Tensor, original: Tensor, mask: Tensor) -> None:
    """A batch: floats, (B, 3, H, W) twice and (B, 1, H, W), of one size; values are not read.

    Raises TypeError for integers and ValueError for another shape, naming the tensor.
    """
    for name, tensor in {"occluded": occluded, "original": original, "mask": mask}.items():
        check_shape(name, tensor, 1 if name == "mask" else 3)
        if tensor.shape[-2:] != occluded.shape[-2:] or len(tensor) != len(occluded):
            raise ValueError(f"{name}: is {tuple(tensor.shape)}, occluded {tuple(occluded.shape)}")


def check_triple(occluded: Tensor, original: Tensor, mask: Tensor) -> None:
    """What `check_shapes` checks, and that all values are finite and in [0, 1].

    Raises TypeError for integers and ValueError for all else, naming the tensor.
    """
    check_shapes(occluded, original, mask)
    for name, tensor in {"occluded": occluded, "original": original, "mask": mask}.items():
        low, high = (value.item() for value in torch.aminmax(tensor))
        if not (low >= 0 and high <= 1):  # false for NaN, too
            raise ValueError(
                f"{name}: has values from {low:.4g} to {high:.4g}; give finite values in [0, 1], "
                "without a Normalize"
            )


def in_words(error: Exception) -> str:
    """What an error says, in one line; where memory ran out, what to do about it."""
    line = " ".join(str(error).split())
    by_torch = isinstance(error, RuntimeError) and re.search("allocate|out of memory", line)
    if isinstance(error, MemoryError) or by_torch:
        asked = re.search(r"\d[\d.]* ?([GMK]i?B|bytes)", line)
        return (
            f"there is not enough memory{f' ({asked[0]} were asked for)' if asked else ''}; close "
            "other programs, or ask for less: a smaller picture, network, batch or crop"
        )
    return line or type(error).__name__
