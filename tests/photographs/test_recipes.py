"""The preset, and the command that trains the shipped weights again."""

import pytest
import torch

from inpaint_lib import PixelRNN, load_model
from inpaint_lib.paths import world_folder
from inpaint_lib.photographs import recipes
from inpaint_lib.photographs.recipes import preset, rebuild


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Everything below tmp_path; four pairs, one epoch, a small network."""
    monkeypatch.setattr(recipes, "default_path", lambda *parts: tmp_path.joinpath(*parts))
    monkeypatch.setattr(recipes, "TRAIN_PAIRS", 8)
    monkeypatch.setattr(recipes, "EPOCHS", {"photographs": 1, "bricks": 2})
    small = {"hidden_channels": 8, "batch_size": 4}
    monkeypatch.setattr(recipes, "PRESET", recipes.PRESET | small)
    return tmp_path


def test_the_preset_names_the_pairs_of_a_prepared_folder(tmp_path):
    config = preset(tmp_path, tmp_path / "run", epochs=7, lr=0.5)
    assert config.mask_dir == tmp_path / "train" / "masks"
    assert config.val_original_dir == tmp_path / "val" / "original_images"
    assert (config.epochs, config.lr, config.save_dir) == (7, 0.5, tmp_path / "run")
    assert PixelRNN(**config.model_options()).config["prefill"] == "thin-plate"
    without = preset(tmp_path, tmp_path / "run", val_occluded_dir=None, mask_dir=tmp_path)
    assert (without.val_occluded_dir, without.mask_dir) == (None, tmp_path)


@pytest.mark.parametrize("world", ["photographs", "bricks"])
def test_rebuild_trains_a_worlds_weights_and_does_so_only_once(world, few, capsys):
    rebuild(world)
    run = few / "checkpoints" / "runs" / world
    weights = load_model(run / f"{world}.pth", "cpu")
    assert capsys.readouterr().out.strip().endswith(f"{world}.pth")
    assert len((run / "training_log.txt").read_text().splitlines()) == 1 + recipes.EPOCHS[world]
    manifest = world_folder(world, few / "dataset" / "many") / "train" / "manifest.csv"
    prepared = manifest.stat().st_mtime_ns
    rebuild(world)
    again = load_model(run / f"{world}.pth", "cpu")
    assert all(map(torch.equal, weights.parameters(), again.parameters()))
    assert manifest.stat().st_mtime_ns == prepared
