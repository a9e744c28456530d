"""Folders that cannot be written to and disks that fill: one line, and what was there stays."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from factories import (
    BOX,
    completing,
    contents,
    learned,
    one_thread,
    program,
    save_picture,
    training,
)

from inpaint_lib import PixelRNN, load_model

# Folders that cannot be written to


@pytest.mark.parametrize("where", ["below-a-file", "a-file"])
def test_a_save_folder_that_cannot_be_made_is_told_with_a_remedy(refused, pairs, tmp_path, where):
    (tmp_path / "file").write_text("mine")
    save_dir = tmp_path / "file" if where == "a-file" else tmp_path / "file" / "run"
    line = refused(*training(pairs, save_dir))
    assert str(save_dir) in line
    assert "choose another" in line
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def in_vain(tmp_path, monkeypatch):
    """Take the right to write in a folder away; from root by becoming somebody else meanwhile."""
    if not hasattr(os, "geteuid"):
        pytest.skip("no such rights on this system")
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above may be closed to others
    root, closed = os.geteuid() == 0, []

    def close(folder: str) -> None:
        Path(folder).chmod(0o555)
        closed.append(folder)
        if root:
            os.seteuid(65534)

    yield close
    if root:
        os.seteuid(0)
    for folder in closed:
        (tmp_path / folder).chmod(0o755)


def test_a_save_folder_without_the_right_to_write_is_told_with_a_remedy(refused, pairs, in_vain):
    Path("run").mkdir()
    in_vain("run")
    line = refused(*training(Path("pairs"), Path("run")))
    assert "run" in line
    assert "choose another" in line


def test_a_run_without_the_right_to_write_any_more_is_left_as_it_is(
    refused, command, pairs, in_vain
):
    assert command(*training(Path("pairs"), Path("run")))[0] == 0
    before = contents(Path("run"))
    Path("run/.lock").unlink(missing_ok=True)
    in_vain("run")
    line = refused(*training(Path("pairs"), Path("run"), "--resume", epochs=2))
    assert "run" in line
    assert "choose another" in line
    assert contents(Path("run")) == before


@pytest.mark.parametrize("out", ["missing/result.png", "file/result.png"])
def test_a_result_that_cannot_be_written_is_told_with_a_remedy(refused, photo, network, out):
    (photo.parent / "file").write_text("mine")
    before = contents(photo.parent)
    line = refused(*completing(photo, network, *BOX, "--out", photo.parent / out))
    assert str(photo.parent / out) in line
    assert "choose another" in line
    assert contents(photo.parent) == before


def test_prepared_pairs_that_cannot_be_written_are_told_with_the_folder(refused, photo, tmp_path):
    for seed in range(3):
        save_picture(tmp_path / "own" / f"{seed}.png", (140, 130), seed)
    (tmp_path / "file").write_text("mine")
    line = refused("prepare", "--photos", tmp_path / "own", "--out", tmp_path / "file" / "pairs")
    assert str(tmp_path / "file" / "pairs") in line
    assert (tmp_path / "file").read_text() == "mine"


# A disk that fills


def on_a_full_disk(where: str, limit: int, *arguments) -> str:
    """Run a command that can write no file longer than `limit`; returns the line of its error."""
    pytest.importorskip("resource")
    done = subprocess.run(
        program("full_disk", where, limit, *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=one_thread(),
    )
    assert done.returncode == 1, done.stderr
    *_, line = done.stderr.replace("\r", "\n").strip().split("\n")
    assert "Traceback" not in done.stderr
    assert line.startswith("error: ")
    return line


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes here")
@pytest.mark.parametrize("where", ["state", "weights"])
def test_a_disk_that_fills_while_saving_leaves_the_checkpoint_before(
    command, pairs, tmp_path, where
):
    save_dir, whole = tmp_path / "run", tmp_path / "whole"
    assert command(*training(pairs, save_dir))[0] == 0
    before = contents(save_dir)
    line = on_a_full_disk(where, 20_000, *training(pairs, save_dir, "--resume", epochs=2))
    name = "state.pth" if where == "state" else "model_epoch2.pth"
    assert str(save_dir / name) in line
    assert "free some space" in line
    assert not list(save_dir.rglob("*.partial"))
    after = contents(save_dir)
    assert after["model_epoch1.pth"] == before["model_epoch1.pth"]
    if where == "state":
        assert after["state.pth"] == before["state.pth"]
    assert isinstance(load_model(save_dir / "state.pth", "cpu"), PixelRNN)
    assert command(*training(pairs, save_dir, "--resume", epochs=2)) == (0, [])
    assert command(*training(pairs, whole, epochs=2)) == (0, [])
    assert learned(save_dir) == learned(whole)
    for name in ("state.pth", "model_epoch2.pth"):
        one, other = (load_model(d / name, "cpu").state_dict() for d in (save_dir, whole))
        assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes here")
def test_a_disk_that_fills_while_a_result_is_written_leaves_the_one_before(photo, network):
    result = photo.with_name("photo_completed.png")
    result.write_text("the result before")
    before = contents(photo.parent)
    line = on_a_full_disk("at once", 500, *completing(photo, network, *BOX, "--overwrite"))
    assert str(result) in line
    assert "free some space" in line
    assert contents(photo.parent) == before


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes here")
def test_a_disk_that_fills_while_pairs_are_prepared_is_told_with_the_file(tmp_path):
    for seed in range(3):
        save_picture(tmp_path / "own" / f"{seed}.png", (140, 130), seed)
    out = tmp_path / "pairs"
    few = ("--train-pairs", 3, "--per-bucket", 1)
    line = on_a_full_disk(
        "at once", 4000, "prepare", "--photos", tmp_path / "own", "--out", out, *few
    )
    assert str(out) in line
