"""Several processes that train together, as `torchrun` starts them; alone, all of this is nothing.

Taught in notebooks/05_gpu_training.ipynb.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch import nn

Args = ParamSpec("Args")
Result = TypeVar("Result")
PATIENCE = timedelta(hours=6)  # rank 0 may write to a slow disk, or prepare pictures, that long


def place() -> tuple[int, int]:
    """Rank of this process and number of all that `torchrun` started, or that have met already.

    What other programs leave in RANK and WORLD_SIZE does not count: nobody would come to meet us.
    """
    world = os.environ.get("WORLD_SIZE") or "1"
    if dist.is_torchelastic_launched() or dist.is_initialized():
        return int(os.environ.get("RANK", "0")), int(world)
    if world != "1":
        warnings.warn(
            f"WORLD_SIZE={world} is not of torchrun: this process trains alone", stacklevel=3
        )
    return 0, 1


def join_processes(device: torch.device) -> torch.device:
    """Meet the other processes of `torchrun`, if there are any; returns this one's device."""
    if place()[1] == 1:
        return device
    if device.type != "cpu":
        device = torch.device(device.type, int(os.environ["LOCAL_RANK"]))
        torch.accelerator.set_device_index(device.index)
    if not dist.is_initialized():
        dist.init_process_group(dist.get_default_backend_for_device(device), timeout=PATIENCE)
    return device


def leave_processes(wait: bool = True) -> None:
    """Close the connections to the other processes, where there are any.

    wait: for the others; a process that ends with open connections can be ended by those that did
    so before it. After an error they may never come.
    """
    if dist.is_initialized():
        if wait:
            dist.barrier()
        dist.destroy_process_group()


@contextmanager
def first_alone(device: torch.device) -> Iterator[bool]:
    """True for rank 0, which runs the block while the others wait; theirs runs after it."""
    join_processes(device)
    first = place()[0] == 0
    if not first:
        dist.barrier()
    yield first
    if first and dist.is_initialized():
        dist.barrier()


def first_only(function: Callable[Args, Result]) -> Callable[Args, Result | None]:
    """The same function, which does nothing in all processes but rank 0's."""

    @wraps(function)
    def guarded(*args: Args.args, **options: Args.kwargs) -> Result | None:
        return function(*args, **options) if place()[0] == 0 else None

    return guarded


def as_first(value: bool) -> bool:
    """What rank 0 says, in every process."""
    if not dist.is_initialized():
        return value
    said = [value]
    dist.broadcast_object_list(said, src=0)
    return said[0]


def share_buffers(model: nn.Module) -> None:
    """Give every process rank 0's averages of BatchNorm, those that are written."""
    if dist.is_initialized():
        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)


def from_all(value: Any) -> list[Any]:
    """What each process gives, by rank."""
    if not dist.is_initialized():
        return [value]
    given: list[Any] = [None] * place()[1]
    dist.all_gather_object(given, value)
    return given
