"""Time and memory of completing a photograph: `pytest -s tests/benchmarks/bench_completion.py`.

Each case runs in a process of its own, for a process never gives back what it took at its peak.
Memory is the peak of that process during the call, less what it held before it: Python, the
library, the network and the decoded photograph. So neither decoding nor encoding counts. At the
end a table of all cases is printed.
"""

import json
import subprocess
import sys

import pytest

SIZES = [(128, 128), (512, 512), (2048, 2048), (4000, 3000)]  # width, height
SMALL, LARGE = 32, 300  # side of the hole, in pixels
CASES = [(size, hole) for size in SIZES for hole in (SMALL, LARGE) if hole < min(size)]
ROUNDS = 5

WORKER = """
import json, resource, sys, threading, time
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from inpaint_lib import PixelRNN, complete

width, height, side = map(int, sys.argv[1:])
torch.manual_seed(0)
model = PixelRNN(hidden_channels=24, patch_size=4, norm="group", prefill="push-pull").eval()
small = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
photo = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
top, left = (height - side) // 2, (width - side) // 2

hole = np.zeros((height, width), dtype=bool)
hole[top : top + side, left : left + side] = True
complete(model, photo.crop((0, 0, 64, 64)), np.pad([[True]], (20, 43)))  # what is imported late

def held():
    # In MB. ru_maxrss would be the peak since the start, decoding included, unless it is reset.
    fields = Path("/proc/self/status").read_text().split()
    return {n: int(fields[fields.index(n + ":") + 1]) / 1024 for n in ("VmHWM", "VmRSS")}

try:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = held()["VmRSS"]
    peak = lambda: held()["VmHWM"]
except OSError:
    unit = 1024**2 if sys.platform == "darwin" else 1024
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    before = peak()

print(json.dumps("ready"), flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    done = complete(model, photo, hole)
    took = time.perf_counter() - start
    print(json.dumps([took, peak() - before, torch.get_num_threads()]), flush=True)
assert np.array_equal(np.asarray(done)[~hole], np.asarray(photo)[~hole])
"""


@pytest.fixture(scope="module")
def measured():
    """Collects a line for each case, and prints them as a table at the end."""
    rows: list[tuple] = []
    yield rows
    lines = ["| photograph, px | hole, px | median s | slowest s | peak MB | threads |"]
    lines.append("|---|---|---|---|---|---|")
    for (width, height), hole, seconds, memory, threads in rows:
        middle = sorted(seconds)[len(seconds) // 2]
        lines.append(
            f"| {width} x {height} | {hole} | {middle:.3f} | {max(seconds):.3f} | {memory:.0f} "
            f"| {threads} |"
        )
    print("\n\n" + "\n".join(lines))


@pytest.mark.parametrize(("size", "hole"), CASES, ids=lambda v: str(v).replace(", ", "x"))
def test_complete(benchmark, measured, capsys, size, hole):
    arguments = [str(n) for n in (*size, hole)]
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert json.loads(worker.stdout.readline()) == "ready"
        results = []

        def one_call() -> None:
            worker.stdin.write("go\n")
            worker.stdin.flush()
            results.append(json.loads(worker.stdout.readline()))

        benchmark.pedantic(one_call, rounds=ROUNDS, iterations=1)
        worker.stdin.close()
        assert worker.wait() == 0
    seconds, memory, threads = zip(*results, strict=True)
    benchmark.extra_info["peak_mb"] = max(memory)
    measured.append((size, hole, seconds, max(memory), threads[0]))
