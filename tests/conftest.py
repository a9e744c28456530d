"""The fixtures that several test files share; what they make by hand is in factories.py."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # tests compute on the CPU, and so do their programs

import numpy as np
import pytest
import torch
from factories import random_network, save_picture
from PIL import Image

from inpaint_lib import __main__ as command_line
from inpaint_lib.checkpoints import save_model

torch.accelerator.current_accelerator = lambda check_available=False: None  # of any other kind
torch.set_num_threads(1)  # on tensors as small as these, threads only wait for each other


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder of six pairs, 40 x 40, as `prepare` lays them out: smooth colours, one box each."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pairs"
    for kind in ("original_images", "occluded_images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(6):
        small = rng.integers(60, 256, (4, 4, 3), dtype=np.uint8)
        original = Image.fromarray(small).resize((40, 40), Image.Resampling.BICUBIC)
        hole = np.zeros((40, 40), dtype=bool)
        hole[8 + i : 20 + i, 10:24] = True
        occluded = np.where(hole[..., None], 0, np.asarray(original)).astype(np.uint8)
        original.save(folder / "original_images" / f"{i}.png")
        Image.fromarray(occluded).save(folder / "occluded_images" / f"occluded_{i}.png")
        Image.fromarray(hole.astype(np.uint8) * 255).save(folder / "masks" / f"{i}.png")
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph of 30 x 20 in a folder of its own."""
    return save_picture(tmp_path / "photos" / "photo.png")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """The checkpoint of a tiny network, in a folder of its own."""
    (tmp_path / "networks").mkdir()
    save_model(random_network(), tmp_path / "networks" / "tiny.pth")
    return tmp_path / "networks" / "tiny.pth"


@pytest.fixture
def inpaint(monkeypatch) -> Callable[..., int]:
    """Run a command line; returns its exit code."""

    def run_it(*arguments) -> int:
        monkeypatch.setattr(sys, "argv", ["inpaint_lib", *map(str, arguments)])
        return command_line.main()

    return run_it


@pytest.fixture
def command(inpaint, capsys) -> Callable[..., tuple[int, list[str]]]:
    """Run a command line; returns its exit code and the lines it wrote as errors."""

    def run_it(*arguments) -> tuple[int, list[str]]:
        capsys.readouterr()
        code = inpaint(*arguments)
        written = capsys.readouterr().err.replace("\r", "\n").split("\n")
        bar = ("step/s", "s/step")  # the progress bar is not an error
        return code, [line for line in written if line.strip() and not any(b in line for b in bar)]

    return run_it


@pytest.fixture
def refused(command) -> Callable[..., str]:
    """Run a command line that must fail with exit code 1; returns its one line."""

    def run_it(*arguments) -> str:
        code, lines = command(*arguments)
        assert code == 1
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        return lines[0]

    return run_it
