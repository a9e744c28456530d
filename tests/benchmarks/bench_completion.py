"""Time and memory of completing a photograph: `pytest -s tests/benchmarks/bench_completion.py`.

Each case runs in a process of its own, for a process never gives back what it took at its peak.
Memory is the peak of that process during the call, less what it held before it: Python, the
library, the network and the decoded photograph. So neither decoding nor encoding counts. At the
end a table of all cases is printed.
"""

import json
import subprocess

import pytest
from factories import program

SIZES = [(128, 128), (512, 512), (2048, 2048), (4000, 3000)]  # width, height
SMALL, LARGE = 32, 300  # side of the hole, in pixels
CASES = [(size, hole) for size in SIZES for hole in (SMALL, LARGE) if hole < min(size)]
ROUNDS = 5


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
    with subprocess.Popen(
        program("complete_timed", *size, hole),
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
