"""The first cells of the chapters, in a kernel and a folder that know nothing of the project."""

import os
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What a clone holds of the project, and what its first cells read; `prepare` needs no more.
CLONED = ("pyproject.toml", "inpaint_lib", "notebooks", "checkpoints", "dataset", "LICENSE")
NOT_CLONED = shutil.ignore_patterns("runs", "large", "many", "own", "__pycache__", "records")


def first_cells(path: Path) -> list[str]:
    """That which finds the project, and that which imports what the chapter needs."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells[0].id == "start"
    assert "setup" in cells[1].metadata.get("tags", [])
    return [cell.source for cell in cells[:2]]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    """A repository with this project, at another address."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in CLONED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=NOT_CLONED)
        else:
            shutil.copy(ROOT / name, folder / name)
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-qm", "All"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def run(folder: Path, *sources: str) -> list[str]:
    """What cells print, in a kernel of their own that starts in a folder."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(
        notebook, kernel_name="python3", timeout=600, resources={"metadata": {"path": folder}}
    ).execute(env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
    for cell in notebook.cells:
        assert all(output.output_type != "error" for output in cell.outputs)
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]


def test_all_chapters_start_with_the_same_cell():
    assert len({first_cells(path)[0] for path in CHAPTERS}) == 1


def test_in_a_foreign_folder_the_project_is_fetched_and_each_chapter_starts(elsewhere, tmp_path):
    start = first_cells(CHAPTERS[0])[0]
    [address] = [line for line in start.splitlines() if line.startswith("REPOSITORY = ")]
    start = start.replace(address, f"REPOSITORY = {elsewhere.as_uri()!r}")
    where = "import drawings, inpaint_lib; print(inpaint_lib.__file__, drawings.__file__)"
    setups = [first_cells(path)[1] for path in CHAPTERS]
    said, places, *_ = run(tmp_path, start, where, *setups)
    assert said.startswith("Ready: Python 3")
    assert " on cpu" in said
    for place in places.split():
        assert Path(place).is_relative_to(tmp_path / "inpainting")


@pytest.mark.parametrize("folder", ["notebooks", "", "notebooks/drawings"])
def test_within_the_project_it_is_found_from_any_folder(folder, elsewhere):
    where = "import inpaint_lib; print(inpaint_lib.__file__)"
    said, place = run(elsewhere / folder, first_cells(CHAPTERS[0])[0], where)
    assert said.startswith("Ready: ")
    assert Path(place.strip()).is_relative_to(elsewhere)


def test_what_is_missing_is_installed_and_nothing_else(monkeypatch, capsys):
    import start

    monkeypatch.setattr(start, "_doctor", lambda: Doctor)
    called = []
    monkeypatch.setattr(start.subprocess, "run", lambda words, check: called.append(words))
    start.ready()
    [words] = called
    assert words[1:4] == ["-m", "pip", "install"]
    assert [word for word in words[4:] if not word.startswith("-")] == ["absent>=1.2"]
    assert "Installing absent>=1.2" in capsys.readouterr().out


class Doctor:
    @staticmethod
    def requirements(extra=None):
        ours = {"absent": "1.2", "numpy": "1.0"}
        return {"jupyterlab": "9", "nbval": "9"} if extra else ours

    @staticmethod
    def check_package(name, lowest, use):
        return "" if name == "numpy" else f"{name} is missing"
