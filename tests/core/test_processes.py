"""Several processes, as `torchrun` starts them: one result, one writer, and all of them end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from factories import learned, one_thread, program, settings_for

from inpaint_lib import processes
from inpaint_lib.checkpoints import load_model
from inpaint_lib.paths import default_path

ROOT = default_path()
SLURM = ROOT / "docs" / "train.slurm"


def launch(count: int, *arguments, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`torchrun` with so many processes on this machine."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return subprocess.run(
        [sys.executable, *torchrun, *map(str, arguments)],
        check=False,
        env=one_thread(),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )


def validated(pairs: Path, save_dir: Path, **changes) -> list[str]:
    settings = settings_for(pairs, save_dir, epochs=2, batch_size=2, hidden_channels=4, **changes)
    for kind in ("occluded", "original"):
        settings[f"val_{kind}_dir"] = pairs / f"{kind}_images"
    return ["train", *(f"--{k.replace('_', '-')}={v}" for k, v in settings.items())]


def test_validation_is_shared_and_says_to_the_bit_what_one_process_says(pairs, tmp_path):
    program_ = ROOT / "tests" / "programs" / "validate_shared.py"
    settings = settings_for(pairs, tmp_path / "run", batch_size=4, norm="batch", crop_size=None)
    settings |= {"val_occluded_dir": pairs / "occluded_images"}
    settings |= {"val_original_dir": pairs / "original_images"}
    text = json.dumps({name: str(v) if isinstance(v, Path) else v for name, v in settings.items()})
    done = launch(2, program_, text, tmp_path)
    assert done.returncode == 0, done.stderr
    alone = subprocess.run(
        program("validate_shared", text, tmp_path), check=False, env=one_thread(), text=True
    )
    assert alone.returncode == 0
    said = [
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("0of1", "0of2", "1of2")
    ]
    assert said[0]["log"] == said[1]["log"] == said[2]["log"]
    assert said[0]["batches"] == 2
    assert [said[1]["batches"], said[2]["batches"]] == [1, 1]


def test_two_processes_train_the_preset_on_a_folder_of_pictures(pairs, tmp_path):
    folder = pairs / "original_images"
    small = ["--epochs=2", "--hidden-channels=4", "--num-layers=1", "--device=cpu", "--size=20"]
    common = ["train", "--preset", f"--data={folder}", *small]
    done = launch(2, "-m", "inpaint_lib", *common, f"--save-dir={tmp_path / 'two'}", "--minutes=60")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("5 pictures are kept in the memory of cpu") == 1
    assert "destroy_process_group" not in done.stderr
    one = subprocess.run(
        [sys.executable, "-m", "inpaint_lib", *common, f"--save-dir={tmp_path / 'one'}"],
        check=False,
        env=one_thread(),
    )
    assert one.returncode == 0
    lines = zip(learned(tmp_path / "one")[1:], learned(tmp_path / "two")[1:], strict=True)
    for single, shared in lines:
        numbers = [list(map(float, line)) for line in (single, shared)]
        assert numbers[1] == pytest.approx(numbers[0], rel=2e-3)


def test_processes_stop_together_when_time_is_up(pairs, tmp_path):
    options = validated(pairs, tmp_path / "run", norm="group")
    done = launch(2, "-m", "inpaint_lib", *options, "--minutes=0.0001")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Stopped after epoch 1 of 2") == 1
    assert done.stdout.count("Epoch 1 of 2 is kept in") == 1
    assert load_model(tmp_path / "run" / "best.pth", "cpu")
    again = launch(2, "-m", "inpaint_lib", *options, "--resume")
    assert again.returncode == 0, again.stderr
    assert len(learned(tmp_path / "run")) == 3


def test_an_error_in_all_processes_ends_them(pairs, tmp_path):
    options = validated(pairs, tmp_path / "run", norm="group", lr=1e30)
    done = launch(2, "-m", "inpaint_lib", *options)
    assert done.returncode == 1
    assert "try a lower lr" in done.stderr


def test_rebuild_is_prepared_and_written_by_one_process(tmp_path):
    done = launch(2, ROOT / "tests" / "programs" / "rebuild_small.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / f"prepared-by-{rank}.txt").read_text() for rank in (0, 1)] == ["1", "0"]
    assert done.stdout.count("bricks.pth") == 1
    assert load_model(tmp_path / "checkpoints" / "runs" / "bricks" / "bricks.pth", "cpu")


def test_pairs_are_prepared_by_one_process(tmp_path, monkeypatch, inpaint, capsys):
    monkeypatch.setattr(torch.distributed, "is_torchelastic_launched", lambda: True)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert inpaint("prepare", "--out", tmp_path / "pairs") == 0
    assert not (tmp_path / "pairs").exists()
    assert capsys.readouterr().out == ""


def test_alone_nothing_is_waited_for():
    assert processes.place() == (0, 1)
    assert processes.join_processes(torch.device("cpu")) == torch.device("cpu")
    assert not torch.distributed.is_initialized()
    with processes.first_alone(torch.device("cpu")) as first:
        assert first
    assert processes.as_first(True)
    assert processes.from_all(3) == [3]
    processes.leave_processes()


def test_rank_0_may_write_and_prepare_for_hours():
    assert processes.PATIENCE.total_seconds() >= 3600


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_slurm_example_starts_a_run_that_can_be_sent_again(pairs, tmp_path):
    """On this machine, with stand-ins for what SLURM brings."""
    tools = tmp_path / "bin"
    tools.mkdir()
    stand_ins = {
        "scontrol": "echo localhost",
        "srun": 'exec "$@"',
        "torchrun": f'exec "{sys.executable}" -m torch.distributed.run "$@"',
    }
    for name, line in stand_ins.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
    environment = one_thread() | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_NNODES": "1",
        "SLURM_GPUS_ON_NODE": "2",
        "SLURM_JOB_ID": "7",
    }
    tiny = ("hidden-channels=4", "num-layers=1", "epoch-size=4", "batch-size=2", "size=20")
    options = [*(f"--{option}" for option in tiny), f"--save-dir={tmp_path / 'run'}"]
    for _ in range(2):
        done = subprocess.run(
            ["bash", SLURM, pairs / "original_images", "--epochs=6", "--device=cpu", *options],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "run").glob("model_epoch*.pth"))) == 3
