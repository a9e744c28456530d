"""`python -m inpaint_lib`: commands, exit codes, one-line errors."""

import subprocess
import sys

import pytest

from inpaint_lib import __main__ as command_line
from inpaint_lib.photographs import prepare


def run(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["inpaint_lib", *arguments])
    return command_line.main()


def test_help_names_the_commands():
    shown = subprocess.run(
        [sys.executable, "-m", "inpaint_lib", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in ("prepare", "train", "demo"):
        assert command in shown


def test_train_trains(monkeypatch, pairs, tmp_path):
    options = {
        "occluded-dir": pairs / "occluded_images",
        "original-dir": pairs / "original_images",
        "save-dir": tmp_path / "run",
        "epochs": 1,
        "hidden-channels": 4,
        "crop-size": 32,
    }
    assert run(monkeypatch, "train", *(f"--{k}={v}" for k, v in options.items())) == 0
    assert (tmp_path / "run" / "model_epoch1.pth").is_file()


def test_train_without_arguments_is_the_originals_script(monkeypatch):
    seen = []
    monkeypatch.setattr(command_line, "Trainer", seen.append)
    monkeypatch.setattr(command_line, "run", lambda trainer: None)
    run(monkeypatch, "train")
    (config,) = seen
    assert config == command_line.TrainConfig()
    assert config.occluded_dir.as_posix().endswith("/dataset/train/occluded_images")
    assert (config.epochs, config.batch_size, config.lr, config.hidden_channels) == (
        200,
        4,
        1e-4,
        48,
    )


def test_an_error_is_one_line_and_exit_code_1(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "train", f"--occluded-dir={tmp_path / 'nowhere'}") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "nowhere" in error


def test_ctrl_c_says_how_to_go_on_and_exits_with_130(monkeypatch, capsys, pairs, tmp_path):
    def interrupted(trainer):
        for step in trainer.steps():
            if step.step == 4:
                raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "run", interrupted)
    code = run(
        monkeypatch,
        "train",
        f"--occluded-dir={pairs / 'occluded_images'}",
        f"--original-dir={pairs / 'original_images'}",
        f"--save-dir={tmp_path / 'run'}",
        "--hidden-channels=4",
        "--batch-size=2",
        "--crop-size=32",
    )
    assert code == 130
    assert "--resume goes on" in capsys.readouterr().out


def test_prepare_tells_how_many_pairs_went_where(monkeypatch, capsys, tmp_path):
    def few(seed: int = 0) -> dict[str, int]:
        return prepare(out=tmp_path, train_pairs=15, per_bucket=1, seed=seed)

    monkeypatch.setattr(command_line, "prepare", few)
    assert run(monkeypatch, "prepare") == 0
    shown = capsys.readouterr().out
    assert f"pairs in {tmp_path / 'bricks' / 'test'}" in shown


@pytest.mark.parametrize("arguments", [["paint"], ["train", "--epochs=many"]])
def test_a_command_that_is_not_understood_exits_with_2(monkeypatch, arguments):
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, *arguments)
    assert stop.value.code == 2
