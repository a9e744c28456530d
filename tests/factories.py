"""What several test files make: networks, a batch, a run's configuration, pictures, programs."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import inpaint_lib
from inpaint_lib import PixelRNN
from inpaint_lib.data import Batch
from inpaint_lib.training import TrainConfig

PLAIN = {}
PATCHED = {"patch_size": 4, "norm": "group", "prefill": "thin-plate", "standardize": True}
OPTIONS = [
    pytest.param(PLAIN, id="plain"),
    pytest.param({"patch_size": 4}, id="patches"),
    pytest.param({"norm": "group"}, id="group-norm"),
    pytest.param({"prefill": "push-pull"}, id="prefill"),
    pytest.param({"standardize": True}, id="standardize"),
    pytest.param(PATCHED, id="all"),
]
BOX = ("--box", 4, 5, 6, 7)  # in a photograph of 30 x 20
PROGRAMS = Path(__file__).parent / "programs"


def random_network(
    hidden_channels: int = 4, seed: int = 0, *, untrained: bool = False, **options
) -> PixelRNN:
    """A small network in eval mode whose last layer does something, with prefill too.

    untrained: as training finds it, with a prefill predicting nothing but the fill.
    """
    torch.manual_seed(seed)
    model = PixelRNN(hidden_channels=hidden_channels, **options).eval()
    if not untrained:
        [*_, last] = (m for m in model.output_conv.modules() if isinstance(m, nn.Conv2d))
        nn.init.normal_(last.weight, 0.0, 0.3)
    return model


def picture_and_mask(height: int, width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise (1, 3, height, width) and a mask with one box (1, 1, height, width)."""
    g = torch.Generator().manual_seed(seed)
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : height // 2 + 1, width // 3 : 2 * width // 3 + 1] = 1
    return torch.rand(1, 3, height, width, generator=g), mask


def a_batch(seed: int = 0, size: int = 24) -> Batch:
    """Noise with two holes of different sizes, of `size` pixels squared."""
    generator = torch.Generator().manual_seed(seed)
    original = torch.rand(2, 3, size, size, generator=generator)
    mask = torch.zeros(2, 1, size, size)
    mask[0, :, 4:10, 5:9] = 1
    mask[1, :, 2:20, 3:21] = 1
    return Batch(original * (1 - mask), original, mask)


def settings_for(pairs: Path, save_dir: Path, **changes) -> dict[str, Any]:
    """A run of a few seconds: 4 channels on crops of 32 x 32, two epochs of three steps."""
    settings = {
        "occluded_dir": pairs / "occluded_images",
        "original_dir": pairs / "original_images",
        "save_dir": save_dir,
        "epochs": 2,
        "batch_size": 2,
        "lr": 1e-3,
        "hidden_channels": 4,
        "crop_size": 32,
        "device": "cpu",
    }
    return settings | changes


def config_for(pairs: Path, save_dir: Path, **changes) -> TrainConfig:
    """That run as a configuration."""
    return TrainConfig(**settings_for(pairs, save_dir, **changes))


def training(pairs: Path, save_dir: Path, *more, **changes) -> list[str]:
    """That run on the command line, but of one epoch of two steps."""
    options = settings_for(pairs, save_dir, **({"epochs": 1, "batch_size": 3} | changes))
    named = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return ["train", *named, *map(str, more)]


def elsewhere() -> str:
    """The name of a device that torch knows and that this machine does not have."""
    here = torch.accelerator.current_accelerator(check_available=True)
    return "cuda" if here is None or here.type == "mps" else "mps"


def completing(photo: Path, network: Path, *more) -> list:
    """The arguments that complete a photograph on the command line; by default a box of it."""
    return ["complete", photo, "--checkpoint", network, *(more or BOX)]


def learned(save_dir: Path) -> list[list[str]]:
    """The cells of a run's log, but for what the machine adds: speed and memory."""
    lines = (save_dir / "training_log.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[:9] for line in lines]


def contents(folder: Path) -> dict[str, bytes]:
    """All that a folder holds, but for the lock and the folders themselves."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def save_picture(path: Path, size: tuple[int, int] = (30, 20), seed: int = 0) -> Path:
    """A photograph of noise, (width, height), saved where `path` says."""
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


class Code:
    """Unpickled without care, it makes a folder."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def program(name: str, *arguments, python: tuple[str, ...] = ()) -> list[str]:
    """The command that runs a file of tests/programs in a Python of its own."""
    return [sys.executable, *python, str(PROGRAMS / f"{name}.py"), *map(str, arguments)]


def one_thread(environment: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of a program that computes as this process does, with this library."""
    environment = dict(os.environ) if environment is None else environment
    library = Path(inpaint_lib.__file__).parent.parent
    return environment | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(library)}
