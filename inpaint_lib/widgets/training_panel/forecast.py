"""What a run will cost: parameters, steps, and time on this machine."""

from functools import cache
from math import ceil, isqrt
from time import perf_counter
from typing import Any, NamedTuple

import torch

from ...data import SIZE, Batch
from ...model import PixelRNN, choose_device, threads_for
from ...pictures import list_pictures
from ...training import TrainConfig, train_step


class Forecast(NamedTuple):
    """What a run will take."""

    parameters: int
    steps: int
    seconds: float


def count_parameters(**model_options: Any) -> int:
    with torch.device("meta"):  # shapes without memory
        return sum(p.numel() for p in PixelRNN(**model_options).parameters())


def forecast(config: TrainConfig) -> Forecast:
    """What a run will take on this machine, from one step that is timed on a small part of it.

    Raises what `list_pictures` raises.
    """
    pairs = len(list_pictures(config.occluded_dir))
    val_pairs = len(list_pictures(config.val_occluded_dir)) if config.val_occluded_dir else 0
    steps = config.epochs * ceil(pairs / config.batch_size)
    side = min(config.crop_size or SIZE, SIZE)
    training = steps * config.batch_size * side**2
    # Validation has no backward pass, which is two thirds of a step.
    validation = config.epochs * val_pairs * SIZE**2 / 3
    options = config.model_options()
    device = str(choose_device(config.device))
    pixel = seconds_per_pixel(config.batch_size, side, device, tuple(options.items()))
    return Forecast(count_parameters(**options), steps, (training + validation) * pixel)


@cache
def seconds_per_pixel(
    batch: int, side: int, device: str, options: tuple[tuple[str, Any], ...]
) -> float:
    """Time a training step on as much of a batch as takes about a tenth of a second.

    options: of the `PixelRNN`, in a form that can be cached.
    """
    with torch.random.fork_rng(devices=[]):  # other cells' random numbers stay theirs
        model = PixelRNN(**dict(options)).to(device)
    work = count_parameters(**dict(options)) / model.patch_size**2  # about 6 operations each
    pixels = int(2e8 / work)
    side = max(16, min(side, isqrt(pixels) // 8 * 8))
    batch = max(1, min(batch, pixels // side**2))
    original = torch.rand(batch, 3, side, side, generator=torch.Generator()).to(device)
    mask = torch.zeros_like(original[:, :1])
    mask[..., side // 4 : side // 2, side // 4 : side // 2] = 1
    pairs = Batch(original * (1 - mask), original, mask)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(2):  # the first also prepares its kernels
        began = perf_counter()
        with threads_for(model, pairs.mask.numel()):
            train_step(model, pairs, optimizer)
    return (perf_counter() - began) / (batch * side**2)


def duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
