"""What must hold on an accelerator: each function raises AssertionError where it does not.

They need no test runner, so that the script beside them runs on any machine that has torch.
"""

import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from inpaint_lib import PixelRNN, thin_plate, train_step
from inpaint_lib.crops import crop_and_cover
from inpaint_lib.data import PREFIX, Batch
from inpaint_lib.holes import random_holes
from inpaint_lib.paths import pair_folders
from inpaint_lib.training import TrainConfig, Trainer, run

SMALL = {"hidden_channels": 8, "patch_size": 4, "norm": "group", "prefill": "thin-plate"}


def a_batch(count: int = 4, side: int = 64) -> Batch:
    """Smooth pictures under random holes, on the CPU."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    original = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    mask = random_holes(count, (side, side), generator).float()
    return Batch(original * (1 - mask), original, mask)


def write_pairs(folder: Path, count: int = 12, side: int = 48) -> Path:
    """Pairs as `prepare` lays them out."""
    batch = a_batch(count, side)
    for place, pictures in zip(pair_folders(folder), batch, strict=True):
        place.mkdir(parents=True)
        prefix = PREFIX if pictures is batch.occluded else ""
        for i, picture in enumerate(pictures.expand(-1, 3, -1, -1)):
            pixels = (255 * picture.permute(1, 2, 0)).round().byte().numpy()
            Image.fromarray(pixels).save(place / f"{prefix}{i}.png")
    return folder


def small_run(pairs: Path, save_dir: Path, device: str, **changes: object) -> TrainConfig:
    options = {
        "occluded_dir": pairs / "occluded_images",
        "original_dir": pairs / "original_images",
        "save_dir": save_dir,
        "epochs": 4,
        "device": device,
        "crop_size": 32,
        "fresh_holes": True,
        "turns": True,
        "in_memory": True,
        "grad_clip": 1.0,
        "hole_term": "psnr",
        "lr": 1e-3,
    }
    return TrainConfig(**(options | SMALL | changes))  # type: ignore[arg-type]


def parameters(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().cpu().double().flatten() for p in model.parameters()])


def check_a_step_equals_the_cpus(device: str) -> None:
    """In float64, where the order of sums hardly matters; then in float32."""
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 2e-3)):
        torch.manual_seed(0)
        model = PixelRNN(hidden_channels=8).to(dtype)
        moved = []
        for where in ("cpu", device):
            one = copy.deepcopy(model).to(where)
            optimizer = torch.optim.SGD(one.parameters(), lr=0.1)
            batch = Batch(*(part.to(where, dtype) for part in a_batch()))
            losses = train_step(one, batch, optimizer)
            moved.append(torch.cat([parameters(one), torch.stack([*losses]).cpu().double()]))
        assert (moved[0] - moved[1]).abs().max() < tolerance, f"{dtype}"


def check_fills_and_holes_equal_the_cpus(device: str) -> None:
    batch = a_batch()
    here = thin_plate(batch.occluded, batch.mask)
    there = thin_plate(batch.occluded.to(device), batch.mask.to(device)).cpu()
    assert (here - there).abs().max() < 1e-3
    draws = [
        crop_and_cover(
            Batch(*(part.to(where) for part in batch)),
            32,
            True,
            torch.Generator().manual_seed(1),
            turns=True,
        ).to("cpu")
        for where in ("cpu", device)
    ]
    for one, other in zip(*draws, strict=True):
        assert (one != other).float().mean() < 1e-3  # a distance may round to the other side


def check_a_run_resumes_to_the_bit(device: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        pairs = write_pairs(Path(name) / "pairs")
        whole = run(Trainer(small_run(pairs, Path(name) / "whole", device, ema=0.9)))
        config = small_run(pairs, Path(name) / "cut", device, ema=0.9, resume=True)
        steps = Trainer(config).steps()
        for _ in range(7):  # two epochs and a step
            next(steps)
        steps.close()  # type: ignore[attr-defined]
        with deterministic():
            resumed = run(Trainer(config))
        difference = (parameters(whole) - parameters(resumed)).abs().max()
        # To the bit where the device's sums always have one order; atomics have not.
        assert difference < (1e-12 if device == "cpu" else 1e-3), difference


@contextmanager
def deterministic() -> Iterator[None]:
    """Nothing to set on a CPU; elsewhere torch chooses its fastest algorithm anew in each run."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def check_every_precision_learns(device: str) -> None:
    """One batch is learned by heart, and nothing becomes infinite."""
    for precision in ("float32", "bfloat16", "float16", "auto"):
        torch.manual_seed(0)
        model = PixelRNN(**SMALL).to(device)  # type: ignore[arg-type]
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
        half = precision == "float16"
        kind = torch.device(device).type
        scaler = torch.amp.GradScaler(kind, init_scale=2.0**16 if half else 1.0)
        batch = a_batch().to(device)
        losses = []
        for _ in range(40):
            step = train_step(
                model,
                batch,
                optimizer,
                grad_clip=1.0,
                hole_term="psnr",
                precision=precision,  # type: ignore[arg-type]
                scaler=scaler,
            )
            losses.append(step.loss)
        values = torch.stack(losses).cpu()
        assert values.isfinite().all(), precision
        assert values[-1] < values[0] - 0.01, f"{precision}: {values[0]:.4f} to {values[-1]:.4f}"


def check_a_compiled_network_computes_the_same(device: str) -> None:
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=8, norm="group").to(device)
    batch = a_batch().to(device)
    with torch.no_grad():
        expected = model(batch.occluded, batch.mask)
        compiled = torch.compile(model, fullgraph=True)(batch.occluded, batch.mask)
    assert (expected - compiled).abs().max() < 1e-2


def check_a_step_never_waits(device: str) -> None:
    """Twenty steps of a run under torch's watch for what waits for a GPU."""
    if torch.device(device).type != "cuda":
        return
    with tempfile.TemporaryDirectory() as name:
        pairs = write_pairs(Path(name) / "pairs", count=120)
        trainer = Trainer(small_run(pairs, Path(name) / "run", device, precision="auto", ema=0.9))
        steps = trainer.steps()
        for _ in range(5):  # the first steps load kernels
            next(steps)
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(20):
                next(steps)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        steps.close()  # type: ignore[attr-defined]


def check_a_weight_that_is_not_a_number_is_never_kept(device: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        pairs = write_pairs(Path(name) / "pairs")
        config = small_run(pairs, Path(name) / "run", device, resume=True)
        trainer = Trainer(config)
        steps = trainer.steps()
        for _ in range(3):
            next(steps)
        trainer.model.input_conv.weight.data[:] = float("nan")
        message = ""
        try:
            list(steps)
        except FloatingPointError as error:
            message = str(error)
        assert "step 4 (epoch 2)" in message, message
        kept = Trainer(config)
        assert kept.epoch == 1
        assert np.isfinite(parameters(kept.model).numpy()).all()


ON_ANY_DEVICE = [
    check_a_step_equals_the_cpus,
    check_fills_and_holes_equal_the_cpus,
    check_a_run_resumes_to_the_bit,
    check_every_precision_learns,
    check_a_weight_that_is_not_a_number_is_never_kept,
]
# The first watches CUDA; compiling needs a compiler, and minutes on a CPU.
ON_A_GPU = [check_a_step_never_waits, check_a_compiled_network_computes_the_same]
