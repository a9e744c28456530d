"""What is done after each epoch: a time limit, old weights, TensorBoard."""

from pathlib import Path

import pytest
from factories import config_for

from inpaint_lib import callbacks
from inpaint_lib.callbacks import KeepLast, TensorBoard, TimeLimit, tag
from inpaint_lib.training import Enough, Trainer, run


class Clock:
    """Time goes on by so many seconds with every epoch."""

    def __init__(self, monkeypatch, *seconds: float):
        self.now = 100.0
        self.seconds = iter(seconds)
        monkeypatch.setattr(callbacks.time, "monotonic", lambda: self.now)

    def __call__(self, step) -> str:
        self.now += next(self.seconds)
        return ""


def trained(pairs: Path, save_dir: Path, *tell, **changes) -> Trainer:
    trainer = Trainer(config_for(pairs, save_dir, **{"epochs": 7} | changes))
    run(trainer, *tell)
    return trainer


def test_no_epoch_is_begun_that_would_not_end_in_time(pairs, tmp_path, monkeypatch, capsys):
    clock = Clock(monkeypatch, 20, 30, 20, 20)
    trainer = trained(pairs, tmp_path / "run", clock, TimeLimit(1.6))  # 96 seconds
    assert trainer.epoch == 3  # 26 seconds are left, and the longest took 30
    said = capsys.readouterr().out
    assert "About 4 of the 7 epochs fit into 1.6 minutes" in said
    assert "--epochs 4" in said
    assert "Stopped after epoch 3 of 7: another one, of 30 s, would not end" in said
    assert (tmp_path / "run" / "state.pth").is_file()
    resumed = trained(pairs, tmp_path / "run", resume=True)  # the folder is free again
    assert resumed.epoch == 7


def test_one_epoch_is_trained_whatever_the_limit(pairs, tmp_path, monkeypatch):
    clock = Clock(monkeypatch, 1000)
    assert trained(pairs, tmp_path / "run", clock, TimeLimit(1)).epoch == 1


def test_a_run_that_fits_hears_nothing_of_its_limit(pairs, tmp_path, monkeypatch, capsys):
    clock = Clock(monkeypatch, 10, 10)
    assert trained(pairs, tmp_path / "run", clock, TimeLimit(0.5), epochs=2).epoch == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("minutes", [0, -1.0, float("nan"), float("inf")])
def test_a_limit_is_a_number_of_minutes_above_0(minutes):
    with pytest.raises(ValueError, match=f"^minutes {minutes}: "):
        TimeLimit(minutes)


def test_who_has_enough_ends_the_run_and_gets_its_network(pairs, tmp_path, capsys):
    def enough(step) -> str:
        raise Enough("That will do.")

    trainer = Trainer(config_for(pairs, tmp_path / "run", epochs=3))
    model = run(trainer, enough)
    assert not model.training
    assert trainer.epoch == 1
    assert "That will do." in capsys.readouterr().out


def test_the_newest_weights_are_kept_and_nothing_else_is_touched(pairs, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "my_epoch3.pth").write_text("mine")
    trained(pairs, folder, KeepLast(folder, 2), epochs=11)
    names = sorted(path.name for path in folder.glob("*.pth"))
    assert names == ["model_epoch10.pth", "model_epoch11.pth", "my_epoch3.pth", "state.pth"]
    assert len(list((folder / "samples").iterdir())) == 4


def test_so_many_are_kept_as_asked_for():
    with pytest.raises(ValueError, match=r"^keep_last 0: "):
        KeepLast(Path("run"), 0)
    with pytest.raises(TypeError, match=r"^keep_last 1\.5: "):
        KeepLast(Path("run"), 1.5)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("LR", "training/LR"),
        ("val hole PSNR [dB]", "validation/hole PSNR [dB]"),
        ("pictures/s", "machine/pictures per s"),
    ],
)
def test_columns_of_the_log_are_grouped(column, expected):
    assert tag(column) == expected


def test_without_tensorboard_one_line_says_how_to_get_it(pairs, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(callbacks, "find_spec", lambda name: None)
    line = refused("train", "--tensorboard", f"--save-dir={tmp_path / 'run'}")
    assert line == "error: tensorboard: is not installed; `pip install '.[tensorboard]'` brings it"
    assert not (tmp_path / "run").exists()


def test_tensorboard_gets_what_the_log_and_the_samples_show(pairs, tmp_path):
    pytest.importorskip("tensorboard", reason="an extra: pip install '.[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    validation = {
        "val_occluded_dir": pairs / "occluded_images",
        "val_original_dir": pairs / "original_images",
    }
    folder = tmp_path / "run"
    trained(pairs, folder, TensorBoard(folder), epochs=2, **validation)
    again = trained(pairs, folder, TensorBoard(folder), epochs=3, resume=True, **validation)
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    scalars = {name: [e.value for e in events.Scalars(name)] for name in events.Tags()["scalars"]}
    columns = set(again.history[0]) | set(again.measured[0])
    assert set(scalars) == {tag(name) for name in columns - {"epoch"}}
    for name in ("total loss", "val hole PSNR [dB]"):
        assert scalars[tag(name)] == pytest.approx([log[name] for log in again.history], rel=1e-6)
    assert [e.step for e in events.Images("samples")] == [1, 2, 3]
