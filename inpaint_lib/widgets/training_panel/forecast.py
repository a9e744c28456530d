"""What a run will cost: parameters, steps, and time on this machine."""

from functools import cache
from math import ceil, isqrt
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch

from ...config import TrainConfig
from ...crops import crop_and_cover
from ...data import SIZE, Batch
from ...feed import VALIDATED, split
from ...learner import Learner
from ...model import PixelRNN, choose_device
from ...pictures import list_pictures
from ...squares import Pictures

STEPS = {"cpu": 2, "accelerator": 8}  # the first of them also choose and load their kernels


class Forecast(NamedTuple):
    """What a run will take."""

    parameters: int
    steps: int
    seconds: float


def count_parameters(**model_options: Any) -> int:
    with torch.device("meta"):  # shapes without memory
        return sum(p.numel() for p in PixelRNN(**model_options).parameters())


def forecast(config: TrainConfig) -> Forecast:
    """What a run will take on this machine, from a few of its steps.

    Raises what `list_pictures` and `choose_device` raise.
    """
    val_pairs = len(list_pictures(config.val_occluded_dir)) if config.val_occluded_dir else 0
    validated = val_pairs * SIZE**2
    if config.data_dir is None:
        items = len(list_pictures(config.occluded_dir))
        side = min(config.crop_size or SIZE, SIZE)
    else:
        side = config.crop_size or SIZE
        items = config.epoch_size or squares(config.data_dir, side, config.held_out)
        validated += VALIDATED[1] * config.held_out * side**2
    steps = config.epochs * ceil(items / config.batch_size)
    names = ("batch_size", "precision", "grad_clip", "hole_term", "ema")
    timed = config.model_options() | {name: getattr(config, name) for name in names}
    timed["device"] = str(choose_device(config.device))
    step = seconds_per_step(side, tuple(timed.items()))
    # Validation has no backward pass, which is two thirds of a step.
    validation = config.epochs * validated / (config.batch_size * side**2) / 3
    options = config.model_options()
    return Forecast(count_parameters(**options), steps, (steps + validation) * step)


@cache
def squares(folder: Path, side: int, held_out: int) -> int:
    """How many squares of a folder's pictures an epoch has."""
    return len(Pictures(folder, side, names=split(folder, held_out)[0]))


@cache
def seconds_per_step(side: int, options: tuple[tuple[str, Any], ...]) -> float:
    """The shortest of the last training steps on a batch of squares; the first warm up.

    On an accelerator on the whole batch: however small it is, launching its kernels takes time.
    On a CPU on as much of it as takes about a tenth of a second.

    options: of the `TrainConfig`, in a form that can be cached.
    """
    config = TrainConfig(**dict(options))
    device = choose_device(config.device)
    part = (config.batch_size, side)
    if device.type == "cpu":
        part = part_of(part, count_parameters(**config.model_options()) / config.patch_size**2)
    count, side_of_part = part
    with torch.random.fork_rng(devices=[]):  # other cells' random numbers stay theirs
        learner = Learner(config, 1000, device)
    generator = torch.Generator().manual_seed(0)
    original = torch.rand(count, 3, side_of_part, side_of_part, generator=generator).to(device)
    pairs = Batch(original, original, torch.zeros_like(original[:, :1]))
    times = []
    for _ in range(STEPS["cpu" if device.type == "cpu" else "accelerator"]):
        synchronize(device)
        began = perf_counter()
        batch = crop_and_cover(pairs, None, True, generator)
        start = learner.model.begin(batch.occluded, batch.mask)
        learner.step(batch, start)
        synchronize(device)
        times.append(perf_counter() - began)
    return min(times[len(times) // 2 :]) * (config.batch_size * side**2) / (count * side_of_part**2)


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all that it was told to."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def part_of(batch: tuple[int, int], work: float) -> tuple[int, int]:
    """Pictures and side of as much of a batch as takes about a tenth of a second on a CPU.

    work: weights that meet each pixel; about 6 operations each.
    """
    count, side = batch
    pixels = int(2e8 / work)
    side = min(side, max(16, isqrt(pixels) // 8 * 8))
    return max(1, min(count, pixels // side**2)), side


def duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
