"""The package built and installed as any other is: used from a folder that knows no repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import save_picture
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
CARRIED = ("pyproject.toml", "README.md", "LICENSE", "inpaint_lib", "checkpoints", "dataset/photos")
# What completing a photograph must not need.
EXTRAS = ("IPython", "anywidget", "ipywidgets", "jupyterlab", "nbval", "pytest", "hypothesis")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that the wheel was installed into."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in CARRIED:  # a copy, for setuptools builds beside what it reads
        place = source / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("runs", "large", "__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, place, ignore=ignored)
        else:
            shutil.copy(ROOT / name, place)
    alone = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    pip = [sys.executable, "-m", "pip"]
    built = folder / "built"
    wheel = [*pip, "wheel", *alone, "--no-build-isolation", "--wheel-dir", str(built), str(source)]
    subprocess.run(wheel, check=True)
    [file] = built.glob("inpaint_lib-*.whl")
    assert file.stat().st_size < 10e6
    target = folder / "installed"
    subprocess.run([*pip, "install", *alone, "--target", str(target), str(file)], check=True)
    return target


@pytest.fixture
def foreign(installed, tmp_path, monkeypatch) -> Path:
    """A working directory of somebody's own, where the installed package comes first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(installed))
    return tmp_path


def ended(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def test_the_package_brings_its_weights_and_photographs(installed):
    shipped = installed / "inpaint_lib" / "shipped"
    for name in ("photographs.pth", "bricks.pth", "README.md"):
        carried = shipped / "checkpoints" / name
        assert carried.read_bytes() == (ROOT / "checkpoints" / name).read_bytes()
    ours = {path.name for path in (ROOT / "dataset" / "photos").glob("*.jpg")}
    assert {path.name for path in (shipped / "dataset" / "photos").glob("*.jpg")} == ours


def test_the_command_completes_a_photograph_and_leaves_nothing_else(installed, foreign):
    photo = save_picture(foreign / "photo.png")
    script = next(
        (installed / folder) for folder in ("bin", "Scripts") if (installed / folder).is_dir()
    )
    done = ended(script / "inpaint", "complete", photo, "--box", "4", "4", "8", "8")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(foreign)) == ["photo.png", "photo_completed.png"]
    before, after = (np.asarray(Image.open(foreign / name)) for name in sorted(os.listdir(foreign)))
    changed = (before != after).any(axis=2)
    assert changed[4:12, 4:12].any()
    changed[4:12, 4:12] = False
    assert not changed.any()
    assert "usage: inpaint complete" in ended(script / "inpaint", "complete", "--help").stdout


def test_it_needs_neither_notebooks_nor_test_tools_for_that(foreign):
    save_picture(foreign / "photo.png")
    code = (
        f"import runpy, sys; sys.modules |= dict.fromkeys({EXTRAS}); "
        "sys.argv[1:] = 'complete photo.png --box 4 4 8 8'.split(); "
        "runpy.run_module('inpaint_lib', run_name='__main__', alter_sys=True)"
    )
    done = ended(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert (foreign / "photo_completed.png").is_file()


def test_what_it_makes_goes_to_the_working_directory(installed, foreign):
    code = (
        "import inpaint_lib.paths as p; from inpaint_lib.photographs import tutorial_source; "
        "print(p.default_path('dataset')); print(p.shipped_weights('bricks')); "
        "print(tutorial_source('dogs.jpg').read().size)"
    )
    data, weights, size = ended(sys.executable, "-c", code).stdout.splitlines()
    assert Path(data).resolve() == (foreign / "dataset").resolve()
    assert Path(weights).is_relative_to(installed.resolve())
    assert size == str(Image.open(ROOT / "dataset" / "photos" / "dogs.jpg").size)


def test_what_the_package_does_not_carry_is_said_with_a_remedy(foreign):
    done = ended(sys.executable, "-m", "inpaint_lib", "prepare", "--large")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert re.match(r"error: .*CREDITS\.csv: the large set is not carried .* repository", line)
