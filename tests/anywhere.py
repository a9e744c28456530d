"""Run tests and chapters as other machines would: `make test-anywhere`.

    python tests/anywhere.py [PYTEST ARGUMENT ...]

One setting after the other, from the instructions that this processor has down to the oldest that
are supported, with more threads, and while the machine is busy. Stops at the first test that fails
and tells its name and the setting. What holds under one setting alone depends on rounding, or on
time, and should not.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# By name, what is set in the environment. Threads are the chapters': tests set one for themselves.
SETTINGS = {
    "as this machine is": {},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "two threads": {"OMP_NUM_THREADS": "2"},
    "beside two busy programs": {},
}
BUSY = {"beside two busy programs": 2}
NBVAL = "--nbval" if sys.platform == "linux" else "--nbval-lax"
ALL = ["tests", "notebooks", NBVAL, "--nbval-current-env", "--nbval-cell-timeout=900"]
SHARED = ["--dist", "loadfile", "--numprocesses"]


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """Keep that many cores busy meanwhile, however it ends."""
    # Killed, this process cannot end them: they also end when it is gone.
    loop = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    running = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(programs)]
    try:
        yield
    finally:
        for program in running:
            program.kill()
            program.wait()


def main() -> int:
    what = sys.argv[1:] or ALL
    pytest = [sys.executable, "-m", "pytest", "--exitfirst", "-rfEs", *what]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    varied = {variable for setting in SETTINGS.values() for variable in setting}
    plain = {name: value for name, value in os.environ.items() if name not in varied}
    plain["OMP_NUM_THREADS"] = "1"  # as `make test` has it
    for name, setting in SETTINGS.items():
        print(f"\n=== {name}: {setting or 'nothing set'}", flush=True)
        environment = plain | setting
        processes = max(1, (cores or 1) // int(environment["OMP_NUM_THREADS"]))
        with busy(BUSY.get(name, 0)):
            done = subprocess.run(
                [*pytest, *SHARED, str(processes)], cwd=ROOT, env=environment, check=False
            )
        if done.returncode:
            print(f"\n=== red: {name}", file=sys.stderr)
            return done.returncode
    print("\n=== green under all settings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
