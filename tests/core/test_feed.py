"""What the loop is fed with: kept in memory where it fits, else read ahead; the same either way."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import config_for
from PIL import Image

from inpaint_lib import feed
from inpaint_lib.data import PairsInMemory
from inpaint_lib.feed import Feed, memory_of, spread
from inpaint_lib.model import PixelRNN
from inpaint_lib.squares import Pictures, PicturesInMemory
from inpaint_lib.training import TrainConfig, Trainer, run

CPU = torch.device("cpu")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of twelve pictures of different sizes, the first turned by its EXIF note."""
    (tmp_path / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        small = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        size = (50 + 3 * i, 40 + 5 * (i % 4))
        note = Image.Exif()
        note[0x0112] = 6 if i == 0 else 1
        picture = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
        picture.save(tmp_path / "pictures" / f"{i:02d}.{'jpg' if i % 2 else 'png'}", exif=note)
    return tmp_path / "pictures"


def config_of(pictures: Path, save_dir: Path, **changes) -> TrainConfig:
    nowhere = pictures.parent / "nowhere"
    data = {"data_dir": pictures, "crop_size": 24, "epoch_size": 10, "batch_size": 4}
    return config_for(nowhere, save_dir, **data | changes)


def opened(config: TrainConfig, part: tuple[int, int] = (0, 1)) -> Feed:
    made = Feed(config, CPU, part)
    made.open()
    return made


def drawn(made: Feed, epoch: int = 1, seed: int = 7) -> list[torch.Tensor]:
    """The originals of an epoch, batch by batch, as bytes."""
    model = PixelRNN(hidden_channels=4)
    return [255 * batch.original for batch, _ in made.epoch(epoch, seed, model)]


@pytest.mark.parametrize("workers", [0, 2])
def test_squares_from_files_are_those_in_memory(pictures, tmp_path, workers):
    in_memory = opened(config_of(pictures, tmp_path))
    config = config_of(pictures, tmp_path, in_memory=False, num_workers=workers)
    from_files = opened(config)
    assert isinstance(in_memory.data, PicturesInMemory)
    assert not isinstance(from_files.data, PicturesInMemory)
    for epoch in (1, 2):  # the workers stay for the next
        for one, other in zip(*(drawn(f, epoch) for f in (in_memory, from_files)), strict=True):
            assert one.shape == other.shape
            difference = (one - other).abs()
            assert difference.max() < 1.5  # resized alone, a square is rounded otherwise
            assert (difference > 0.5).float().mean() < 0.01


@pytest.mark.parametrize("in_memory", [True, False])
def test_an_epoch_follows_from_its_seed(pictures, tmp_path, in_memory):
    made = opened(config_of(pictures, tmp_path, in_memory=in_memory, num_workers=0))
    first = torch.cat(drawn(made, 1, 7))
    assert torch.equal(torch.cat(drawn(made, 1, 7)), first)
    assert not torch.equal(torch.cat(drawn(made, 1, 8)), first)
    assert not torch.equal(torch.cat(drawn(made, 2, 7)), first)


def test_processes_draw_their_shares_of_the_same_squares(pictures, tmp_path):
    config = config_of(pictures, tmp_path, in_memory=False, num_workers=0)
    whole = drawn(opened(config))
    shares = [drawn(opened(config, (rank, 2))) for rank in range(2)]
    for batch, *parts in zip(whole, *shares, strict=True):
        for rank, part in enumerate(parts):
            assert torch.equal(part, batch[rank::2])


def test_training_from_files_resumes_bit_identically_with_other_workers(pictures, tmp_path):
    def of(name: str, **changes) -> TrainConfig:
        return config_of(pictures, tmp_path / name, epochs=3, in_memory=False, **changes)

    whole = run(Trainer(of("whole", num_workers=2)))
    steps = Trainer(of("cut", num_workers=1, resume=True)).steps()
    for _ in range(5):
        next(steps)
    steps.close()
    resumed = run(Trainer(of("cut", num_workers=0, resume=True)))
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("source", "needed"), [("pairs", 6 * 7 * 128**2), ("pictures", None)])
def test_what_does_not_fit_into_a_third_of_the_memory_is_read_from_files(
    pairs, pictures, tmp_path, monkeypatch, source, needed
):
    config = config_for(pairs, tmp_path) if source == "pairs" else config_of(pictures, tmp_path)
    if needed is None:
        needed = 3 * Pictures(pictures, 24).pixel_count
    for memory, fits in ((3 * needed, True), (3 * needed - 3, False)):
        monkeypatch.setattr(feed, "memory_of", lambda device, memory=memory: memory)
        made = opened(config)
        assert isinstance(made.data, PairsInMemory | PicturesInMemory) == fits
        count = "6 pairs" if source == "pairs" else "12 pictures"
        assert made.words.startswith(count)
        assert ("are kept in the memory of cpu" in made.words) == fits
        assert ("are read from files by" in made.words) != fits
    made = opened(TrainConfig(**config.plain() | {"in_memory": False, "num_workers": 3}))
    assert made.words == f"{count} are read from files by 3 processes ahead: as asked"


def test_the_memory_is_that_of_this_machine_shared_by_its_processes(monkeypatch):
    whole = memory_of(CPU)
    if hasattr(os, "sysconf"):
        assert 2**28 < whole <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory_of(CPU) == whole // 4


def test_by_default_a_core_a_reader_is_left_for_training(pictures, tmp_path, monkeypatch):
    made = Feed(config_of(pictures, tmp_path), CPU)
    for cores, processes, readers in [(1, 1, 1), (2, 1, 1), (8, 1, 7), (8, 4, 1), (64, 1, 16)]:
        monkeypatch.setattr(feed, "cores", lambda cores=cores: cores)
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
        assert made.workers == readers


# What to validate on


def test_pictures_held_out_are_validated_on_and_not_trained_on(pictures, tmp_path):
    made = opened(config_of(pictures, tmp_path, held_out=3))
    names = {path.name for path in made.data.paths}
    assert len(names) == 9
    assert names.isdisjoint(made.held_out)
    assert len(made.val) == 3 * 4
    holes = made.val.all.mask
    assert holes.any(dim=-1).any(dim=-1).all()
    assert not (made.val.all.occluded * (holes > 0)).any()
    again = opened(config_of(pictures, tmp_path, held_out=3))
    assert torch.equal(again.val.all.occluded, made.val.all.occluded)


def test_a_folder_of_pictures_to_validate_on(pictures, pairs, tmp_path):
    made = opened(config_of(pairs / "original_images", tmp_path, val_dir=pictures))
    assert len(made.val) == 12 * 4
    assert len(made.data.paths) == 6
    steps = list(Trainer(config_of(pictures, tmp_path / "run", val_dir=pictures, epochs=1)).steps())
    assert steps[-1].log["val hole PSNR [dB]"] > 0


@pytest.mark.parametrize(("count", "chosen"), [(0, 0), (1, 1), (3, 3), (10, 10), (12, 10)])
def test_names_are_chosen_evenly(count, chosen):
    names = [f"{i}" for i in range(10)]
    found = spread(names, count)
    assert len(set(found)) == chosen
    if count == 3:
        assert found == ["0", "3", "6"]


def test_one_picture_at_least_is_trained_on(pictures, tmp_path):
    with pytest.raises(ValueError, match=r"^held_out 12: .* holds 12 pictures"):
        Trainer(config_of(pictures, tmp_path / "run", held_out=12))
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match=r"^held_out: needs a data_dir"):
        config_of(pictures, tmp_path / "run", data_dir=None, held_out=1)
    with pytest.raises(ValueError, match=r"^val_dir: .*crop_size"):
        config_of(pictures, tmp_path, data_dir=None, crop_size=None, val_dir=pictures)
