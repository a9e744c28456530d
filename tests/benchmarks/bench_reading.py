"""Squares read from files a second on one core: `pytest -s tests/benchmarks/bench_reading.py`.

Each square of 64 x 64 costs a file's decoding. JPEGs are drawn as smooth noise of quality 90; the
first size is that of Flowers102's pictures. At the end a table is printed, with what one process
that reads ahead delivers.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from factories import config_for
from PIL import Image

from inpaint_lib.feed import Feed
from inpaint_lib.model import PixelRNN

SIZES = [(667, 500), (1280, 960), (4000, 3000)]  # width, height
COUNT = 64  # squares in an epoch


@pytest.fixture(scope="module")
def measured():
    """Collects a line for each case, and prints them as a table at the end."""
    rows: list[tuple[str, int, float]] = []
    yield rows
    lines = ["| pictures, px | processes ahead | squares a second |", "|---|---|---|"]
    lines += [f"| {size} | {workers} | {speed:.0f} |" for size, workers, speed in rows]
    print("\n\n" + "\n".join(lines))


def write_pictures(folder: Path, size: tuple[int, int], count: int = 8) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        small = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
        picture.save(folder / f"{i}.jpg", quality=90)
    return folder


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("size", SIZES, ids=lambda v: f"{v[0]}x{v[1]}")
def test_read(benchmark, measured, tmp_path, size, workers):
    config = config_for(
        tmp_path,
        tmp_path / "run",
        data_dir=write_pictures(tmp_path / "pictures", size),
        crop_size=64,
        epoch_size=COUNT,
        batch_size=16,
        in_memory=False,
        num_workers=workers,
    )
    feed = Feed(config, torch.device("cpu"))
    feed.open()
    model = PixelRNN(hidden_channels=4)

    def an_epoch() -> None:
        assert sum(len(batch.mask) for batch, _ in feed.epoch(1, 0, model)) == COUNT

    benchmark.pedantic(an_epoch, rounds=3, iterations=1, warmup_rounds=1)
    measured.append((f"{size[0]} x {size[1]}", workers, COUNT / benchmark.stats.stats.min))
