"""Where files are, and how one is replaced."""

import os
from pathlib import Path

import pytest

import inpaint_lib
from inpaint_lib import paths
from inpaint_lib.paths import default_path, writable_folder, written_whole


def test_default_paths_start_at_the_repository_wherever_python_runs(tmp_path, monkeypatch):
    root = Path(inpaint_lib.__file__).resolve().parent.parent
    monkeypatch.chdir(tmp_path)
    assert default_path("dataset", "train") == root / "dataset" / "train"
    assert default_path() == root
    assert (default_path() / "pyproject.toml").is_file()


def test_without_a_repository_default_paths_start_at_the_working_directory(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "inpaint_lib" / "paths.py"
    monkeypatch.setattr(paths, "__file__", str(installed))
    monkeypatch.chdir(tmp_path)
    assert default_path("dataset").resolve() == (tmp_path / "dataset").resolve()


def test_a_new_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new.txt"
    with written_whole(path) as partial:
        partial.write_text("half ")
        assert not path.exists()
        partial.write_text("half and half")
    assert path.read_text() == "half and half"
    assert os.listdir(tmp_path) == ["new.txt"]


def test_until_the_end_a_reader_sees_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with written_whole(str(path)) as partial:
        assert Path(partial).parent == tmp_path
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps an open file from being replaced")
def test_who_has_the_old_file_open_reads_on_undisturbed(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with open(path) as reader:
        with written_whole(path) as partial:
            partial.write_text("new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("written", [True, False])
def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path, error, written):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def interrupted():
        with written_whole(path) as partial:
            if written:
                partial.write_text("ne")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError("write failed")])
def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with (
        pytest.raises(OSError, match=r"file\.txt.*(No space left|write failed)"),
        written_whole(path),
    ):
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_what_a_killed_process_left_behind_is_replaced(tmp_path):
    path = tmp_path / "file.txt"
    with written_whole(path) as partial:
        partial.write_text("x")
        name = partial.name
    (tmp_path / name).write_text("left over from a killed process")
    with written_whole(path) as partial:
        partial.write_text("y")
    assert path.read_text() == "y"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_several_processes_may_ask_at_once_whether_a_folder_can_be_written_to(
    tmp_path, monkeypatch
):
    touch = Path.touch

    def touched_and_gone(path: Path, *args, **options) -> None:
        touch(path, *args, **options)
        path.unlink()  # another process has asked, and tidied up

    monkeypatch.setattr(Path, "touch", touched_and_gone)
    assert writable_folder(tmp_path / "run") == tmp_path / "run"
    assert list((tmp_path / "run").iterdir()) == []
