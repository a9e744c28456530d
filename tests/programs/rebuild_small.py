"""Rebuild the weights of the wall in the working directory, with a tiny run, under `torchrun`.

Says how often pairs were prepared by each process.
"""

import os
from pathlib import Path

import torch

from inpaint_lib.photographs import recipes

torch.set_num_threads(1)
calls = []
prepare = recipes.prepare


def counted(**options) -> dict[str, int]:
    calls.append(options)
    return prepare(**options, per_bucket=1)


recipes.default_path = lambda *parts: Path.cwd().joinpath(*parts)
recipes.prepare = counted
recipes.TRAIN_PAIRS = 8
recipes.EPOCHS = {"bricks": 1}
recipes.PRESET |= {"hidden_channels": 4, "num_layers": 1, "device": "cpu"}
recipes.choose_device = lambda: torch.device("cpu")
recipes.rebuild("bricks")
Path(f"prepared-by-{os.environ['RANK']}.txt").write_text(str(len(calls)))
