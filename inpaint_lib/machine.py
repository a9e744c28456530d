"""What the machine has: memory and processors, and how much of its memory was taken."""

import importlib
import math
import os
import sys
from contextlib import suppress
from pathlib import Path

import torch


def peak_memory(device: torch.device) -> float:
    """The most memory that was taken so far, in MB: of a GPU by tensors, else by this process.

    NaN where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # on Windows
        return math.nan
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)


def memory_of(device: torch.device) -> int:
    """Bytes of a device's memory; of this machine's, the share of each process that trains here.

    Where the system does not tell, 8 GB.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    known = []
    if hasattr(os, "sysconf"):
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # a container's limit
        known.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(known, default=8 * 2**30) // processes_here()


def cores() -> int:
    """Processors that this process may use; a container may have less than the machine."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = Path("/sys/fs/cgroup/cpu.max")
    numbers = quota.read_text().split() if quota.is_file() else []
    if len(numbers) == 2 and numbers[0].isdigit():
        count = min(count or 1, max(1, round(int(numbers[0]) / int(numbers[1]))))
    return count or 1


def processes_here() -> int:
    """Processes that train on this machine, as `torchrun` says."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
