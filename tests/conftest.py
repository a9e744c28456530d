"""What several test files share."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

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
