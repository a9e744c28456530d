"""The walk over an accelerator, on the CPU with tiny sizes: its checks, and its files."""

import json
import subprocess
import sys
from pathlib import Path

import checks
import pytest
from factories import one_thread

from inpaint_lib import load_model


@pytest.mark.parametrize("check", checks.ON_ANY_DEVICE, ids=lambda check: check.__name__)
def test_what_holds_on_any_device_holds_on_the_cpu(check):
    check("cpu")


def test_the_quick_walk_leaves_eight_files_that_say_what_was_measured(tmp_path):
    script = Path(checks.__file__).with_name("run.py")
    out = tmp_path / "records"
    command = [sys.executable, str(script), "--quick", "--out", str(out)]
    done = subprocess.run(
        command, cwd=tmp_path, env=one_thread(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(path.name for path in out.iterdir()) == [
        "checks.txt",
        "device.json",
        "original.pth",
        "original.tsv",
        "original_samples.zip",
        "preset.pth",
        "preset.tsv",
        "speed.tsv",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["records"]
    assert json.loads((out / "device.json").read_text())["torch"]
    verdicts = [line.split("\t")[-1] for line in (out / "checks.txt").read_text().splitlines()]
    assert verdicts == ["ok"] * len(checks.ON_ANY_DEVICE)
    _, *rows = (out / "speed.tsv").read_text().splitlines()
    assert len(rows) >= 10
    assert all(float(row.split("\t")[1]) > 0 for row in rows)
    for name in ("original", "preset"):
        assert len((out / f"{name}.tsv").read_text().splitlines()) == 1 + 2  # title and two epochs
        load_model(out / f"{name}.pth")
