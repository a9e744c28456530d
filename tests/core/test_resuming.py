"""Coming back to a run whose pictures or folders are no longer what they were."""

import shutil
import warnings
from pathlib import Path

import pytest
import torch
from factories import config_for, contents, training

from inpaint_lib import load_model
from inpaint_lib.training import Trainer, run
from inpaint_lib.widgets import TrainingPanel


def started(pairs: Path, save_dir: Path, epochs: int = 2, **changes) -> list[float]:
    """Train two epochs of a longer run; returns the learning rates."""
    rates = []
    for step in Trainer(config_for(pairs, save_dir, epochs=4, **changes)).steps():
        rates.append(step.lr)
        if step.log and step.epoch == epochs:
            break
    return rates


def add(pairs: Path, count: int) -> None:
    for i in range(6, 6 + count):
        for kind, prefix in (("occluded_images", "occluded_"), ("original_images", "")):
            shutil.copy(pairs / kind / f"{prefix}{i % 6}.png", pairs / kind / f"{prefix}{i}.png")


def remove(pairs: Path, count: int) -> None:
    for i in range(6 - count, 6):
        (pairs / "occluded_images" / f"occluded_{i}.png").unlink()


@pytest.mark.parametrize("schedule", ["constant", "one-cycle", "cosine"])
@pytest.mark.parametrize("change", [add, remove])
def test_pairs_that_came_or_went_are_told_and_the_schedule_goes_on_at_its_share_of_the_run(
    pairs, tmp_path, schedule, change
):
    rates = started(pairs, tmp_path / "run", schedule=schedule)
    change(pairs, 4)
    with pytest.warns(UserWarning, match="came or went"):
        trainer = Trainer(
            config_for(pairs, tmp_path / "run", epochs=4, schedule=schedule, resume=True)
        )
    assert trainer.epoch == 2
    rates = rates[-1:] + [step.lr for step in trainer.steps()]
    assert len(rates) == 1 + 2 * len(trainer.batches)
    if schedule == "constant":
        assert set(rates) == {1e-3}
    else:
        assert rates == sorted(rates, reverse=True)  # down to the end, and never up again
        assert rates[-1] < 2e-4
    assert len(trainer.history) == 4


def test_a_moved_folder_is_the_same_configuration_and_resumes_bit_identically(
    pairs, tmp_path, monkeypatch
):
    shutil.copytree(pairs, tmp_path / "copy")
    whole = run(Trainer(config_for(pairs, tmp_path / "whole", epochs=4)))
    started(tmp_path / "copy", tmp_path / "run")
    (tmp_path / "new").mkdir()
    (tmp_path / "copy").rename(tmp_path / "new" / "pairs")
    (tmp_path / "run").rename(tmp_path / "new" / "run")
    monkeypatch.chdir(tmp_path / "new")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moved = run(Trainer(config_for(Path("pairs"), Path("run"), epochs=4, resume=True)))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, moved.state_dict()[name])


def test_other_pictures_in_another_folder_are_another_run(refused, command, pairs, tmp_path):
    assert command(*training(pairs, tmp_path / "run"))[0] == 0
    before = contents(tmp_path / "run")
    shutil.copytree(pairs, tmp_path / "other")
    add(tmp_path / "other", 2)
    line = refused(*training(tmp_path / "other", tmp_path / "run", "--resume", epochs=2))
    assert "8 pictures, at first 6" in line
    assert str(tmp_path / "other") in line
    assert contents(tmp_path / "run") == before


def test_masks_that_were_not_given_before_are_another_configuration(pairs, tmp_path):
    started(pairs, tmp_path / "run")
    with pytest.raises(ValueError, match="mask_dir was None"):
        Trainer(
            config_for(pairs, tmp_path / "run", epochs=4, resume=True, mask_dir=pairs / "masks")
        )


def test_the_pictures_of_a_folder_may_move_too(pairs, tmp_path):
    folder = pairs / "original_images"
    options = {"data_dir": folder, "norm": "group", "in_memory": False}
    started(pairs, tmp_path / "run", **options)
    folder.rename(tmp_path / "photographs")
    options["data_dir"] = tmp_path / "photographs"
    trainer = Trainer(config_for(pairs, tmp_path / "run", epochs=4, resume=True, **options))
    assert trainer.epoch == 2


def test_the_panel_resumes_a_run_whose_folders_have_moved(pairs, tmp_path):
    started(pairs, tmp_path / "run")
    (tmp_path / "new").mkdir()
    pairs.rename(tmp_path / "new" / "pairs")
    (tmp_path / "run").rename(tmp_path / "new" / "run")
    panel = TrainingPanel(
        config_for(tmp_path / "new" / "pairs", tmp_path / "new" / "run", epochs=4)
    )
    panel.resume.click()
    panel.live.join(60)
    assert panel.state == "finished", panel.status.value
    assert load_model(tmp_path / "new" / "run" / "model_epoch4.pth", "cpu")
