"""Machines as they are: what cannot be written, locked, allocated or found is told in a line."""

import errno
import os
import sys
import time
from pathlib import Path

import filelock
import pytest
import torch
from factories import BOX, contents, save_picture, training

from inpaint_lib import load_model, paths
from inpaint_lib.checks import in_words
from inpaint_lib.model import choose_device
from inpaint_lib.photographs import prepare as preparing
from inpaint_lib.widgets import CompletionStudio, TrainingPanel

# What may only be read


@pytest.fixture
def prepared(tmp_path, monkeypatch) -> Path:
    """A checkout's dataset with prepared pairs of both worlds, by name alone."""

    def default_path(*parts: str) -> Path:
        return tmp_path.joinpath("checkout", *parts)

    for module in (paths, preparing):
        monkeypatch.setattr(module, "default_path", default_path)
    for world in ("dataset", "dataset/bricks"):
        folder = default_path(world, "test")
        folder.mkdir(parents=True)
        text = f"name,version\na.png,{preparing.VERSION}\n"
        (folder / "manifest.csv").write_text(text)
    return tmp_path / "checkout"


def test_prepared_pairs_are_used_without_writing_anything(prepared, monkeypatch):
    monkeypatch.setattr(preparing, "locked", lambda *a: pytest.fail("a lock is written"))
    before = contents(prepared)
    preparing.ensure_prepared()
    preparing.ensure_prepared("bricks")
    assert contents(prepared) == before


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such rights on this system")
def test_pairs_that_nobody_prepared_where_nobody_may_write_are_told(prepared, monkeypatch):
    (prepared / "dataset" / "test" / "manifest.csv").unlink()
    refusal = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr(Path, "touch", lambda *a, **k: (_ for _ in ()).throw(refusal))
    with pytest.raises(OSError, match="you may not write there"):
        preparing.ensure_prepared()


def test_who_prepares_without_end_is_not_waited_for_without_end(prepared, monkeypatch):
    (prepared / "dataset" / "test" / "manifest.csv").unlink()
    monkeypatch.setattr(preparing, "WAIT", 0.2)
    with (
        filelock.FileLock(prepared / "dataset" / ".lock"),
        pytest.raises(TimeoutError, match="another process"),
    ):
        preparing.ensure_prepared()


# File systems without locks


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL])
@pytest.mark.parametrize("left", [True, False], ids=["a file left behind", "no file"])
def test_without_locks_training_and_preparing_go_on(
    command, pairs, tmp_path, prepared, monkeypatch, number, left
):
    import fcntl

    def flock(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    if left:
        for folder in (tmp_path / "run", prepared / "dataset"):
            folder.mkdir(exist_ok=True)
            (folder / ".lock").touch()
    code, said = command(*training(pairs, tmp_path / "run"))
    assert code == 0
    assert sum("warning: " in line and "no locks" in line for line in said) == 1
    assert (tmp_path / "run" / "model_epoch1.pth").is_file()
    (prepared / "dataset" / "test" / "manifest.csv").unlink()
    done = []
    monkeypatch.setattr(preparing, "prepare", lambda **options: done.append(options))
    with pytest.warns(UserWarning, match="no locks"):
        preparing.ensure_prepared()
    assert done == [{"world": "photographs"}]


# Memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_where_memory_runs_out_for_one_photograph_the_others_are_done(
    command, photo, network, monkeypatch, error
):
    from inpaint_lib.photographs import completion

    large = save_picture(photo.with_name("large.png"), (40, 30))
    complete = completion.complete

    def limited(model, picture, hole, **options):
        if picture.width == 40:
            raise error
        return complete(model, picture, hole, **options)

    monkeypatch.setattr(completion, "complete", limited)
    code, [line] = command("complete", large, photo, "--checkpoint", network, *BOX)
    assert code == 1
    assert line.startswith(f"error: {large}: there is not enough memory")
    assert "a smaller picture" in line
    assert photo.with_name("photo_completed.png").is_file()


def test_a_network_that_fits_into_no_memory_is_told_in_a_line(refused, pairs, tmp_path):
    line = refused(*training(pairs, tmp_path / "run", hidden_channels=10_000_000))
    assert "not enough memory" in line


def test_an_error_without_words_is_named():
    assert in_words(RuntimeError()) == "RuntimeError"
    assert in_words(ValueError("a\nb")) == "a b"


# Devices


@pytest.mark.parametrize("device", ["meta", "cuda:7", "mps", "xla", "quantum", ""])
def test_a_device_that_is_not_there_is_told_in_a_line(refused, pairs, tmp_path, device):
    assert repr(device) in refused(*training(pairs, tmp_path / "run", device=device))
    with pytest.raises(ValueError, match="device"):
        choose_device(device)


def test_numbers_that_no_machine_can_use_are_told_in_a_line(refused, pairs, tmp_path):
    assert "seed" in refused(*training(pairs, tmp_path / "run", seed=2**70))
    photos = "--photos", pairs / "original_images", "--out", tmp_path / "out"
    for option in ("--train-pairs=0", "--per-bucket=0", "--seed=-1"):
        assert "give" in refused("prepare", *photos, option)


def test_the_widgets_of_the_chapters_compute_on_the_cpu_wherever_they_are(monkeypatch, photo):
    asked = []

    def accelerator(check_available: bool = False) -> torch.device:
        asked.append(True)
        return torch.device("meta")

    monkeypatch.setattr(torch.accelerator, "current_accelerator", accelerator)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    assert TrainingPanel().config.device == "cpu"
    studio = CompletionStudio(photo)
    studio.canvas.shapes = [{"box": [4, 5, 6, 7]}]
    assert studio.completed is not None
    assert load_model(device="cpu").input_conv.weight.device.type == "cpu"


# Several processes


@pytest.mark.parametrize(
    "left", [{"WORLD_SIZE": "2", "RANK": "0"}, {"WORLD_SIZE": "2", "RANK": "1"}, {"WORLD_SIZE": ""}]
)
def test_what_another_job_left_in_the_environment_is_waited_for_by_nobody(
    command, pairs, tmp_path, monkeypatch, left
):
    scheduler = {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "LOCAL_RANK": "1"}
    for name, value in (left | scheduler | {"MASTER_PORT": "1", "MASTER_ADDR": "::1"}).items():
        monkeypatch.setenv(name, value)
    start = time.monotonic()
    code, said = command(*training(pairs, tmp_path / "run"))
    assert code == 0
    assert time.monotonic() - start < 30
    assert (tmp_path / "run" / "model_epoch1.pth").is_file()
    warned = any("WORLD_SIZE=2" in line for line in said)
    assert warned == bool(left["WORLD_SIZE"])
