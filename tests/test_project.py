"""The repository itself: packages, light import, size, links, paths."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import inpaint_lib
from inpaint_lib.paths import default_path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_required_packages_and_places_are_there():
    named = {re.split(r"[<>=]", package)[0] for package in PROJECT["dependencies"]}
    assert named >= {
        "torch",
        "torchvision",
        "jupyterlab",
        "matplotlib",
        "ipywidgets",
        "pillow",
        "nbval",
    }
    for place in ("notebooks", "inpaint_lib", "dataset", "checkpoints", "tests"):
        assert (ROOT / place).is_dir()
    for place in ("environment.yml", "README.md", "LICENSE", "CONTRIBUTING.md"):
        assert (ROOT / place).read_text(encoding="utf-8").strip()


def test_environment_yml_names_the_packages_of_pyproject():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    by_pip = [line.strip()[2:] for line in lines if line.startswith("      - ")]
    assert sorted(by_pip) == sorted([*PROJECT["dependencies"], "--editable ."])
    assert f"  - python{PROJECT['requires-python']}" in lines


def test_importing_the_library_imports_no_notebook_plotting_or_opencv():
    code = "import inpaint_lib, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    roots = {name.split(".")[0] for name in loaded}
    assert "torch" in roots
    heavy = {"IPython", "ipywidgets", "jupyterlab", "notebook", "matplotlib", "cv2", "skimage"}
    assert not roots & heavy


def test_every_public_name_has_a_docstring():
    for name in inpaint_lib.__all__:
        assert getattr(inpaint_lib, name).__doc__, name


def test_the_heart_of_the_library_is_an_hours_reading():
    """Layers, model, metrics, data, training: about 600 lines of code in all."""
    total = 0
    for module in ("layers", "model", "metrics", "data", "training"):
        source = (ROOT / "inpaint_lib" / f"{module}.py").read_text(encoding="utf-8")
        texts = {
            line
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        for number, line in enumerate(source.splitlines(), start=1):
            code = line.strip() and not line.strip().startswith("#")
            total += bool(code) and number not in texts
    assert total <= 660


@pytest.mark.parametrize("page", sorted(p.relative_to(ROOT) for p in ROOT.glob("*.md")), ids=str)
def test_links_inside_the_repository_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target


def test_default_paths_are_the_repositorys_wherever_python_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert default_path("dataset", "photos") == ROOT / "dataset" / "photos"


def test_nothing_in_the_repository_names_a_machine():
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    for name in filter(None, files):
        if Path(name).suffix in {".py", ".md", ".toml", ".yml", ".ipynb", ".txt", ".csv"}:
            text = (ROOT / name).read_text(encoding="utf-8")
            found = re.search(r"(?<![\w.])/(?:work|root|home|tmp)/", text)
            assert not found or name == "tests/test_project.py", name
