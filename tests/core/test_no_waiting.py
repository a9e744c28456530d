"""A training step never waits for the accelerator: on a pretended GPU, and counted on the CPU."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from inpaint_lib import PixelRNN, feed, push_pull, thin_plate, training
from inpaint_lib.crops import crop_and_cover
from inpaint_lib.data import Batch
from inpaint_lib.training import TrainConfig, Trainer, completion_loss

PRESET = {"patch_size": 4, "norm": "group", "prefill": "thin-plate", "standardize": True}


def is_real(value: object) -> bool:
    return isinstance(value, Tensor) and not isinstance(value, FakeTensor)


class PretendedGPU(TorchDispatchMode):
    """Tensors on "cuda" have shapes and no values; those on the CPU are computed as ever.

    What would wait for a GPU raises: reading a value, a size that depends on values, a copy
    without `non_blocking` (unless `setting_up`); and so does an operation on tensors of both.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeTensorMode(allow_non_fake_inputs=False)
        self.fake.__deepcopy__ = lambda memo: self.fake  # a copied network stays in it
        self.setting_up = False

    def __enter__(self) -> "PretendedGPU":
        self.fake.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.fake.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tree_leaves((args, kwargs))
        named = kwargs.get("device")
        on_it = named is not None and torch.device(named).type == "cuda"
        if not on_it and not any(isinstance(value, FakeTensor) for value in given):
            with _disable_current_modes():
                return func(*args, **kwargs)
        if any(is_real(value) for value in given):
            assert func is torch.ops.aten._to_copy.default, f"{func} takes a tensor on the CPU"
            waits = not kwargs.get("non_blocking") and not self.setting_up
            assert not waits, "waits until a tensor is copied from the CPU"
            args = tree_map(lambda v: self.fake.from_tensor(v) if is_real(v) else v, args)
        with self.fake:
            return func(*args, **kwargs)


@pytest.fixture
def gpu() -> Iterator[PretendedGPU]:
    with PretendedGPU() as mode:
        yield mode


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of four small photographs."""
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for i in range(4):
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{i}.png")
    return tmp_path / "pictures"


def on_gpu(height: int = 64, width: int = 48) -> Batch:
    original = torch.rand(4, 3, height, width, device="cuda")
    mask = torch.zeros(4, 1, height, width, device="cuda")
    return Batch(original * (1 - mask), original, mask)


# A pretended GPU


@pytest.mark.parametrize(
    ("wait", "error"),
    [
        (lambda x: x.sum().item(), DataDependentOutputException),
        (lambda x: bool(x[0] > 0), DataDependentOutputException),
        (lambda x: x[x > 0], DynamicOutputShapeException),
        (lambda x: x + torch.zeros(3), AssertionError),
        (lambda x: torch.tensor([1.0, 2.0], device="cuda"), AssertionError),
        (lambda x: torch.zeros(3).to("cuda"), AssertionError),
    ],
    ids=["item", "if", "index", "add", "tensor", "copy"],
)
def test_on_the_pretended_gpu_waiting_is_an_error(gpu, wait, error):
    with pytest.raises(error):
        wait(torch.zeros(3, device="cuda"))
    assert torch.zeros(3).to("cuda", non_blocking=True).device.type == "cuda"


@pytest.mark.parametrize("kind", ["both", "boxes", "strokes"])
@pytest.mark.parametrize(("fresh", "turns"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("crop_size", [None, 32])
def test_crops_mirrors_and_holes_wait_for_nothing(gpu, kind, fresh, turns, crop_size):
    generator = torch.Generator().manual_seed(0)
    cropped = crop_and_cover(on_gpu(), crop_size, fresh, generator, kind, turns=turns)
    assert {t.device.type for t in cropped} == {"cuda"}
    assert cropped.mask.shape == (4, 1, *((32, 32) if crop_size else (64, 48)))


@pytest.mark.parametrize("fill", [push_pull, thin_plate])
def test_fills_wait_for_nothing(gpu, fill):
    occluded, _, mask = on_gpu(33, 20)
    assert fill(occluded, mask).device.type == "cuda"


@pytest.mark.parametrize("options", [{}, PRESET | {"refine": 4}], ids=["plain", "preset"])
@pytest.mark.parametrize("hole_term", ["l1", "l1-per-hole", "psnr"])
def test_network_and_loss_wait_for_nothing(gpu, options, hole_term):
    gpu.setting_up = True
    with torch.device("cuda"):
        model = PixelRNN(hidden_channels=4, **options)
    gpu.setting_up = False
    occluded, original, mask = on_gpu(30, 33)
    pred = model(occluded, mask)
    losses = completion_loss(pred, (occluded, original, mask), hole_term=hole_term)
    assert {pred.device.type, *(value.device.type for value in losses)} == {"cuda"}


class Reads(TorchDispatchMode):
    """Counts what would wait, were the CPU a GPU; a tensor elsewhere than on the CPU raises."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves((args, result)):
            assert not isinstance(value, Tensor) or value.device.type == "cpu", func
        waits = ("_local_scalar_dense", "nonzero", "masked_select", "unique")
        self.count += any(word in func.name() for word in waits)
        return result


@pytest.mark.parametrize("options", [{}, PRESET | {"refine": 4}], ids=["plain", "preset"])
def test_the_backward_pass_waits_for_nothing_and_makes_nothing_elsewhere(options):
    """Autograd wants a real device: here it is the CPU, and whoever names none gets another."""
    model = PixelRNN(hidden_channels=4, **options)
    original = torch.rand(2, 3, 16, 20)
    mask = torch.zeros(2, 1, 16, 20)
    mask[..., 3:9, 4:12] = 1
    with Reads() as reads, torch.device("meta"):
        losses = completion_loss(model(original, mask), (original, original, mask))
        losses.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        assert reads.count == 0
        losses.loss.item()
        assert reads.count == 1
        with pytest.raises(AssertionError):
            original + torch.zeros(3, 16, 20)
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("source", ["pictures", "pairs"])
def test_a_trainer_on_a_pretended_gpu_waits_for_nothing(
    gpu, pictures, pairs, source, precision, tmp_path, monkeypatch
):
    """All of the loop but autograd's engine, which wants a real device: gradients are put there."""
    monkeypatch.setattr(training, "choose_device", torch.device)
    monkeypatch.setattr(feed, "memory_of", lambda device: 10**9)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    data = {"data_dir": pictures, "epoch_size": 6} if source == "pictures" else {"in_memory": True}
    config = TrainConfig(
        pairs / "occluded_images",
        pairs / "original_images",
        tmp_path / "run",
        device="cuda",
        batch_size=2,
        hidden_channels=4,
        num_layers=1,
        crop_size=32,
        fresh_holes=True,
        turns=True,
        ema=0.9,
        grad_clip=1.0,
        schedule="one-cycle",
        precision=precision,
        **PRESET,
        **data,
    )
    gpu.setting_up = True
    trainer = Trainer(config)
    gpu.setting_up = False

    def backward(loss: Tensor) -> None:
        assert loss.device.type == "cuda"
        for parameter in trainer.model.parameters():
            parameter.grad = torch.zeros_like(parameter)

    monkeypatch.setattr(Tensor, "backward", backward)
    assert trainer.learner.scaler.is_enabled()
    steps = trainer.steps()
    for _ in range(2):
        assert next(steps).losses.loss.device.type == "cuda"
    assert {p.device.type for p in trainer.model.parameters()} == {"cuda"}


# Counted on the CPU


def test_fifty_steps_read_nothing_back(pictures, tmp_path):
    """But what torch's fused Adam reads of its own on a CPU: how many steps there were before."""
    config = TrainConfig(
        save_dir=tmp_path / "run",
        data_dir=pictures,
        crop_size=8,
        epoch_size=120,
        batch_size=2,
        hidden_channels=4,
        num_layers=1,
        device="cpu",
        turns=True,
        ema=0.9,
        grad_clip=1.0,
        hole_term="psnr",
        schedule="one-cycle",
        **PRESET,
    )
    steps = Trainer(config).steps()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(50):
            step = next(steps)
        assert step.loss > 0  # who looks at a loss, reads it
    profiler.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    adam = [(e["ts"], e["ts"] + e["dur"]) for e in events if e.get("name") == "aten::_fused_adam_"]
    reads = [e["ts"] for e in events if e.get("name") == "aten::_local_scalar_dense"]
    others = [at for at in reads if not any(start <= at <= end for start, end in adam)]
    assert len(adam) == 50
    assert len(others) == 1
    steps.close()
