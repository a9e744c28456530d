"""SSIM forward and backward beside piq's: `pytest -s tests/benchmarks/bench_ssim.py`.

Both are called in turn in one process, so that whatever else keeps the machine busy slows both.
The ratio is that of the medians; below 1 ours is the faster one. piq does not pad: its windows are
fewer, in 128 x 128 by a tenth.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import piq
import pytest
import torch
from torch import Tensor

from inpaint_lib import ssim

SHAPES = [(4, 3, 128, 128), (16, 3, 256, 256)]
ROUNDS = {(4, 3, 128, 128): 60, (16, 3, 256, 256): 12}


def ours(pred: Tensor, original: Tensor) -> Tensor:
    return ssim(pred, original, window_size=7, sigma=1.5)


def piqs(pred: Tensor, original: Tensor) -> Tensor:
    found = piq.ssim(pred, original, kernel_size=7, kernel_sigma=1.5, downsample=False)
    assert isinstance(found, Tensor)
    return found


def seconds(measure: Callable[[Tensor, Tensor], Tensor], pred: Tensor, original: Tensor) -> float:
    pred.grad = None
    began = perf_counter()
    measure(pred, original).backward()
    return perf_counter() - began


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_ssim(shape):
    generator = torch.Generator().manual_seed(0)
    original = torch.rand(shape, generator=generator)
    pred = torch.rand(shape, generator=generator).requires_grad_()
    times: dict[str, list[float]] = {"ours": [], "piq": []}
    for i in range(ROUNDS[shape] + 3):
        for name, measure in {"ours": ours, "piq": piqs}.items():
            taken = seconds(measure, pred, original)
            if i >= 3:  # after a warm-up
                times[name].append(taken)
    middle = {name: 1000 * median(taken) for name, taken in times.items()}
    print(
        f"\nSSIM forward and backward, {shape}, {torch.get_num_threads()} threads: ours "
        f"{middle['ours']:.1f} ms, piq {middle['piq']:.1f} ms, "
        f"ratio {middle['ours'] / middle['piq']:.2f}"
    )
