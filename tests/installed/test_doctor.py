"""`inpaint doctor`: a fault that is planted is named, with its remedy, and nothing else is."""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from inpaint_lib import doctor, paths

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def examined(capsys):
    """Ask the doctor; returns its exit code, and the lines of each verdict with their remedies."""

    def run_it() -> tuple[int, dict[str, list[str]]]:
        capsys.readouterr()
        code = doctor.doctor()
        found: dict[str, list[str]] = {"ok": [], "note": [], "FAULT": []}
        for line in re.sub(r"\n *-> ", " -> ", capsys.readouterr().out).splitlines()[:-1]:
            verdict, text = line.split(None, 1)
            found[verdict].append(text)
        return code, found

    return run_it


def test_a_machine_that_passes_these_tests_has_no_fault(examined):
    code, found = examined()
    assert (code, found["FAULT"]) == (0, [])
    whats = {line.split()[0] for lines in found.values() for line in lines}
    named = {"Python", "packages", "chapters", "threads", "memory", "disk", "accelerator"}
    assert whats == named | {"weights", "browser"}
    assert f"torch {metadata.version('torch')}" in str(found["ok"])
    assert "float32" in next(line for line in found["ok"] if line.startswith("accelerator"))


def old_python(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PYTHON", (4, 1))


def missing_package(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "requirements", lambda extra=None: {"no-such-package": "1.0"})


def old_package(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "requirements", lambda extra=None: {"numpy": "99.1"})


def broken_package(monkeypatch, tmp_path):
    (tmp_path / "tyro.py").write_text("raise OSError('libc.so is missing')")
    monkeypatch.delitem(sys.modules, "tyro")
    monkeypatch.syspath_prepend(tmp_path)


def too_many_threads(monkeypatch, tmp_path):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 512)


def no_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "free_memory", lambda: 0.2)


def full_disk(monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: usage)


def closed_folder(monkeypatch, tmp_path):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)


def unused_gpu(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: None)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")


def missing_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "shipped_path", lambda *parts: tmp_path / parts[-1])


def damaged_weights(monkeypatch, tmp_path):
    for world in ("photographs", "bricks"):
        whole = paths.default_path("checkpoints", f"{world}.pth").read_bytes()
        (tmp_path / f"{world}.pth").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(paths, "shipped_path", lambda *parts: tmp_path / parts[-1])


PLANTED = {
    old_python: r"^Python .* -> install Python 4\.1 or newer",
    missing_package: r"^packages +no-such-package is missing -> .*pip install .*no-such-package>=1",
    old_package: r"^packages +numpy \S+ is older than 99\.1 -> .*pip install .*'numpy>=99\.1'",
    broken_package: r"^packages +tyro \S+ cannot be imported \(libc\.so is missing\) -> .*--force",
    too_many_threads: r"^threads +512, on \d+ core.* -> set OMP_NUM_THREADS=\d+",
    no_memory: r"^memory +0\.2 GB free -> close other programs",
    full_disk: r"^disk .*0\.01 GB free -> free some space",
    closed_folder: r"^writing .*Permission denied -> get the right to write there",
    unused_gpu: r"^accelerator .*NVIDIA.* -> install the build of PyTorch",
    missing_weights: r"^weights .*photographs\.pth.* -> get photographs\.pth again",
    damaged_weights: r"^weights .*photographs\.pth: not a checkpoint.* -> get photographs",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_named_with_its_remedy(plant, examined, monkeypatch, tmp_path):
    plant(monkeypatch, tmp_path)
    code, found = examined()
    assert code == 1
    what = PLANTED[plant].split()[0].lstrip("^")
    assert any(re.match(PLANTED[plant], line) for line in found["FAULT"]), found
    assert all(line.startswith(what) for line in found["FAULT"])


def test_without_a_browser_there_is_a_note_and_no_fault(examined, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    code, found = examined()
    assert code == 0
    [note] = found["note"]
    assert re.match(r"browser +no Chromium -> install a Chromium", note)


@pytest.mark.parametrize(
    ("start", "package"),
    [
        (["-m", "inpaint_lib", "doctor"], "tyro"),
        (["-m", "inpaint_lib", "doctor"], "torch"),
        ([str(ROOT / "inpaint_lib" / "doctor.py")], "torch"),
    ],
)
def test_it_looks_where_a_package_keeps_the_library_from_being_imported(start, package, tmp_path):
    (tmp_path / f"{package}.py").write_text("raise ImportError('a part of it is missing')")
    found = subprocess.run(
        [sys.executable, *start],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 1, found.stderr
    assert re.search(rf"FAULT +packages +{package} .*cannot be imported.*\n *->", found.stdout)
    assert "Traceback" not in found.stderr


def test_an_import_that_fails_says_whom_to_ask(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('a part of it is missing')")
    found = subprocess.run(
        [sys.executable, "-c", "import inpaint_lib"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert found.stderr.splitlines()[-1] == (
        "ImportError: a part of it is missing; `inpaint doctor` says what to do about it"
    )


def test_an_installed_package_knows_its_requirements_without_pyproject(monkeypatch):
    here = doctor.requirements()
    monkeypatch.setattr(doctor, "__file__", str(ROOT.parent / "nowhere" / "x" / "doctor.py"))
    listed = [f"{name}>={version}" for name, version in here.items()]
    extra = 'jupyterlab>=4.2; extra == "notebooks"'
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: [*listed, extra])
    assert doctor.requirements() == here
    assert doctor.requirements("notebooks") == {"jupyterlab": "4.2"}
