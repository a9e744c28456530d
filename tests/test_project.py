"""The repository itself: packages, light import, floors, size, links, paths."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import inpaint_lib
from inpaint_lib.paths import default_path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What `make` and environment.yml install: all that the chapters need.
INSTALLED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["notebooks"]]


def test_required_packages_and_places_are_there():
    named = {re.split(r"[<>=]", package)[0] for package in INSTALLED}
    assert named >= {
        "torch",
        "torchvision",
        "jupyterlab",
        "matplotlib",
        "ipywidgets",
        "pillow",
        "nbval",
    }
    assert "--editable '.[notebooks]'" in (ROOT / "Makefile").read_text()
    for place in ("notebooks", "inpaint_lib", "dataset", "checkpoints", "tests"):
        assert (ROOT / place).is_dir()
    for place in ("environment.yml", "README.md", "LICENSE", "CONTRIBUTING.md"):
        assert (ROOT / place).read_text(encoding="utf-8").strip()


def test_environment_yml_names_the_packages_of_pyproject():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    by_pip = [line.strip()[2:] for line in lines if line.startswith("      - ")]
    assert sorted(by_pip) == sorted([*INSTALLED, "--editable ."])
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


# Who imports whom. The floors are those of the table in CONTRIBUTING.md, the lowest first.

HEART = ("layers", "model", "metrics", "data", "training")
FLOORS = re.findall(
    r"^\| `(\w+)(?:\.py|/)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
)


@cache
def sources() -> dict[str, str]:
    """The library's modules by name, a package under its own: "layers", "widgets", "widgets.panel";
    that of the library itself is "__init__".
    """
    folder = ROOT / "inpaint_lib"
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        found[".".join(parts)] = path.read_text(encoding="utf-8")
    return found


def imported_names(module: str, source: str) -> Iterator[str]:
    """All that a module imports, anywhere in it, by absolute names: "inpaint_lib.layers.Norm"."""
    path = module.split(".") if module != "__init__" else []
    is_package = module == "__init__" or any(m.startswith(f"{module}.") for m in sources())
    package = ["inpaint_lib", *(path if is_package else path[:-1])]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            origin = [*above, *(node.module or "").split(".")]
            yield from (".".join(filter(None, [*origin, alias.name])) for alias in node.names)


def as_module(name: str) -> str:
    """The library's module that an absolute name lies in; what is no module's is "__init__"."""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in sources():
        parts.pop()
    return ".".join(parts) or "__init__"


@cache
def imports(module: str) -> frozenset[str]:
    """The library's modules that a module imports."""
    names = imported_names(module, sources()[module])
    ours = (name for name in names if name.split(".")[0] == "inpaint_lib")
    return frozenset(map(as_module, ours)) - {module}


def needed_by(modules: Iterable[str]) -> set[str]:
    """These modules and all of the library that they import, directly or not."""
    needed: set[str] = set()
    found = set(modules)
    while found:
        needed |= found
        found = set().union(*map(imports, found)) - needed
    return needed


def floor(module: str) -> str:
    return module.split(".")[0]


def test_imports_are_found_wherever_they_are_and_however_they_are_written():
    source = """
from typing import TYPE_CHECKING
import torch.nn, inpaint_lib.layers
from .. import figures
from ..metrics import psnr
from ..photographs.sources import Source
if TYPE_CHECKING:
    from .panel import Panel
def late():
    from inpaint_lib import PixelRNN
    from . import studio
"""
    found = list(imported_names("widgets.pair_browser", source))
    assert {as_module(name) for name in found if name.startswith("inpaint_lib.")} == {
        "layers",
        "figures",
        "metrics",
        "photographs.sources",
        "widgets.panel",
        "__init__",
        "widgets.studio",
    }
    assert "torch.nn" in found
    assert "inpaint_lib.widgets.panel.Panel" in imported_names(
        "widgets", "from .panel import Panel"
    )
    assert {"checks", "filling", "layers"} <= imports("model") <= needed_by(["training"])


def test_the_table_of_floors_names_every_module_once():
    assert sorted(FLOORS) == sorted({floor(module) for module in sources()})


def test_a_module_imports_from_its_own_floor_or_a_lower_one():
    assert [
        f"{module} imports {lower}"
        for module in sources()
        for lower in imports(module)
        if FLOORS.index(floor(lower)) > FLOORS.index(floor(module))
    ] == []


def test_no_module_imports_itself_by_a_detour():
    TopologicalSorter({module: imports(module) for module in sources()}).prepare()


def test_the_library_knows_neither_notebooks_nor_tests():
    beside = {"notebooks", "tests"}
    for folder in tuple(beside):
        beside |= {path.stem for path in (ROOT / folder).iterdir()}
    for module, source in sources().items():
        roots = {name.split(".")[0] for name in imported_names(module, source)}
        assert not roots & beside, module


# How much there is to read. Lines are what an eye meets; but they can be packed, and so the
# budgets of the heart are also in statements.


def is_text(node: ast.AST) -> bool:
    """Docstrings, also those of fields."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def code_lines(source: str) -> int:
    """Lines of code: neither blank, nor comments, nor docstrings."""
    texts = {
        line
        for node in ast.walk(ast.parse(source))
        if is_text(node)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in texts
        for number, line in enumerate(source.splitlines(), start=1)
    )


def statements(source: str) -> int:
    """Statements but for docstrings; `a, b = 1, 2` counts as the two assignments that it is."""
    count = 0
    for node in ast.walk(ast.parse(source)):
        packed = isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
        if packed and isinstance(node.targets[0], ast.Tuple):
            count += len(node.value.elts)
        elif isinstance(node, ast.stmt) and not is_text(node):
            count += 1
    return count


def test_packing_lines_saves_no_statement():
    plain = '"""Text."""\na = 1\nif a:\n    # why\n    b = 2\n    c = 3\n'
    assert (code_lines(plain), statements(plain)) == (4, 4)
    for packed in ("a = 1\nif a: b = 2; c = 3", "a = 1\nif a:\n    b, c = 2, 3"):
        assert code_lines(packed) < 4
        assert statements(packed) == 4


def to_read(modules: Iterable[str]) -> tuple[int, int]:
    """How many lines of code, and how many statements, are in these modules."""
    texts = [sources()[module] for module in modules]
    return sum(map(code_lines, texts)), sum(map(statements, texts))


def test_the_heart_of_the_library_is_an_hours_reading():
    """Layers, model, metrics, data, training: about 600 lines of code in all."""
    lines, counted = to_read(HEART)
    assert lines <= 660
    assert counted <= 500


def test_the_training_loop_can_be_followed():
    """The heart and what its loop imports, an accelerator's needs included."""
    modules = sorted(needed_by(HEART))
    lines, counted = to_read(modules)
    assert len(modules) <= 23, modules
    assert lines <= 2_600
    assert counted <= 2_100


def test_the_library_without_widgets_stays_small():
    lines, _ = to_read(module for module in sources() if floor(module) != "widgets")
    assert lines <= 5_200


def test_no_module_is_longer_than_a_few_screens():
    lines = {module: code_lines(source) for module, source in sources().items()}
    assert {module: count for module, count in lines.items() if count > 250} == {}


def test_no_class_outside_the_widgets_is_longer_than_two_screens():
    lines = {
        f"{module}.{node.name}": node.end_lineno - node.lineno + 1
        for module, source in sources().items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef) and floor(module) != "widgets"
    }
    assert {name: count for name, count in lines.items() if count > 130} == {}


@pytest.mark.parametrize("exception", ["type: ignore", "fmt: skip"])
def test_types_and_format_have_one_exception_at_most(exception):
    found = [
        f"{module}: {line.strip()}"
        for module, source in sources().items()
        for line in source.splitlines()
        if f"# {exception}" in line
    ]
    assert len(found) <= 1, "\n".join(found)


# Pages and paths


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
