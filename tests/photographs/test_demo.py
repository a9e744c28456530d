"""`make demo`, at a size that takes seconds."""

import csv
from dataclasses import replace

import pytest
from PIL import Image

from inpaint_lib import paths, prepare
from inpaint_lib.photographs import recipes as module


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The demo on a handful of pairs, six steps long; returns its run's folder."""
    prepare(out=tmp_path / "dataset", train_pairs=15, per_bucket=2)

    def here(*parts: str):
        return tmp_path.joinpath(*parts)

    for place in (module, paths):
        monkeypatch.setattr(place, "default_path", here)
    monkeypatch.setattr(module, "ensure_prepared", lambda world: None)
    small = replace(module.demo_config(), epochs=2, batch_size=8, hidden_channels=4)
    monkeypatch.setattr(module, "demo_config", lambda: replace(small))
    return small.save_dir


def test_the_demo_writes_its_table_grid_and_curve_and_says_where(tiny, capsys):
    module.demo()
    printed = capsys.readouterr().out
    with open(tiny / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {
        "ours",
        "our start",
        "mean colour",
        "push-pull",
        "biharmonic",
        "Telea",
        "Navier-Stokes",
    }
    assert {row["bucket"] for row in rows} == {"small", "medium", "large", "strokes"}
    assert all(5 < float(row["hole_psnr"]) < 60 for row in rows)
    for name in ("samples.png", "curve.png"):
        assert str(tiny / name) in printed
        assert min(Image.open(tiny / name).size) > 300
    assert "patches of 4 x 4 pixels" in printed


def test_a_second_demo_replaces_a_finished_one(tiny):
    module.demo()
    first = (tiny / "state.pth").stat().st_mtime_ns
    module.demo()
    assert (tiny / "state.pth").stat().st_mtime_ns > first
    assert len((tiny / "training_log.txt").read_text().splitlines()) == 3


def test_an_interrupted_demo_says_how_to_go_on_and_does(tiny, monkeypatch, capsys):
    whole = module.run

    def interrupted(trainer, tell):
        for step in trainer.steps():
            if step.step == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(module, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        module.demo()
    assert "epoch 1 is kept" in capsys.readouterr().out
    monkeypatch.setattr(module, "run", whole)
    module.demo()
    assert "Going on after epoch 1 of 2" in capsys.readouterr().out
    assert len((tiny / "training_log.txt").read_text().splitlines()) == 3


def test_an_unfinished_run_of_other_settings_is_replaced(tiny, monkeypatch, capsys):
    config = module.demo_config()
    steps = module.Trainer(replace(config, lr=1e-5)).steps()
    for _ in range(3):
        next(steps)
    steps.close()
    module.demo()
    assert "starting anew" in capsys.readouterr().out
    assert (tiny / "table.csv").is_file()
