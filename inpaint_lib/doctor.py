"""What stands in the way of the project on this machine, and what to do about it.

`inpaint doctor` runs this; where a package cannot even be imported, `python inpaint_lib/doctor.py`
does, for until the packages have been looked at nothing but Python's own library is used.
"""

import os
import platform
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

PACKAGE = "inpaint-lib"
PYTHON = (3, 11)
MEMORY = 1.0  # GB: importing PyTorch and completing a photograph of 4000 x 3000 take 0.8
DISK = 0.5  # GB: prepared pairs take 75 MB, a run of the preset 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MODULES = {  # packages that are imported by another name
    "opencv-contrib-python-headless": "cv2",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}

Verdict = Literal["ok", "note", "FAULT"]


class Finding(NamedTuple):
    """One thing that was looked at. A note is about what not everybody needs."""

    verdict: Verdict
    what: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.verdict:6}{self.what:13}{self.found}"
        return f"{line}\n{'':6}{'':13}-> {self.remedy}" if self.remedy else line


def check_python() -> Iterator[Finding]:
    """The version, and whether it is a 64-bit build, for which alone there is PyTorch."""
    version = platform.python_version()
    wanted = ".".join(map(str, PYTHON))
    if sys.version_info[:2] < PYTHON:
        yield Finding("FAULT", "Python", version, f"install Python {wanted} or newer")
    elif sys.maxsize < 2**32:
        yield Finding("FAULT", "Python", f"{version}, 32 bit", "install a 64-bit Python")
    else:
        yield Finding("ok", "Python", f"{version} on {platform.system()} {platform.machine()}")


def requirements(extra: str | None = None) -> dict[str, str]:
    """The packages, each with its lowest version: those of the library, or those of an extra.

    Of pyproject.toml in a checkout, else of what was installed.
    """
    file = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
    else:
        every = metadata.requires(PACKAGE) or []
        if extra:
            listed = [line for line in every if re.search(f"extra == .{extra}.", line)]
        else:
            listed = [line for line in every if "extra ==" not in line]
    named = (re.match(r"([\w.-]+)>=([\d.]+)", line) for line in listed)
    return {match[1]: match[2] for match in named if match}


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.split("+")[0])[:3]]


def check_package(name: str, lowest: str, use: bool = True) -> str:
    """What is wrong with a package, in words; nothing if it is there, new enough, importable.

    use: import it, too.
    """
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if find_spec(MODULES.get(name, name)) is None:
            return f"{name} is missing"
        version = lowest  # the module came with a package of another name
    if _numbers(version) < _numbers(lowest):
        return f"{name} {version} is older than {lowest}"
    if not use:
        return ""
    try:
        import_module(MODULES.get(name, name.replace("-", "_")))
    except Exception as error:  # whatever a broken package raises
        return f"{name} {version} cannot be imported ({' '.join(str(error).split())[:100]})"
    return ""


def check_packages() -> Iterator[Finding]:
    """Those of the library, and those of the chapters, which not everybody needs."""
    for what, extra in (("packages", None), ("chapters", "notebooks")):
        wanted = requirements(extra)
        says = {name: check_package(name, wanted[name], use=extra is None) for name in wanted}
        wrong = {name: words for name, words in says.items() if words}
        for name, words in wrong.items():
            again = "--force-reinstall " if "cannot be imported" in words else "--upgrade "
            remedy = f"python -m pip install {again}'{name}>={wanted[name]}'"
            yield Finding("note" if extra else "FAULT", what, words, remedy)
        right = [f"{name} {metadata.version(name)}" for name in wanted if _installed(name)]
        if not wrong:
            yield Finding("ok", what, ", ".join(right))


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def check_threads() -> Iterator[Finding]:
    """As many as cores at most: further ones only wait for each other."""
    import torch

    from inpaint_lib import machine

    threads = torch.get_num_threads()
    cores = machine.cores()
    found = f"{threads}, on {cores} core(s)"
    if threads > cores:
        yield Finding("FAULT", "threads", found, f"set OMP_NUM_THREADS={cores} before Python")
    else:
        yield Finding("ok", "threads", found)


def free_memory() -> float | None:
    """In GB; None where the system does not tell. A container's own limit counts."""
    file = Path("/proc/meminfo")
    told = re.search(r"MemAvailable:\s+(\d+)", file.read_text()) if file.is_file() else None
    if not told:
        return None
    free = int(told[1]) / 1e6
    limit, used = (Path("/sys/fs/cgroup", f"memory.{name}") for name in ("max", "current"))
    if limit.is_file() and used.is_file() and limit.read_text().strip().isdigit():
        free = min(free, (int(limit.read_text()) - int(used.read_text())) / 1e9)
    return free


def check_memory() -> Iterator[Finding]:
    """What is free."""
    free = free_memory()
    if free is None:
        yield Finding("ok", "memory", f"not told by this system; {MEMORY:.0f} GB are needed")
    elif free < MEMORY:
        remedy = f"close other programs: {MEMORY:.0f} GB are needed"
        yield Finding("FAULT", "memory", f"{free:.1f} GB free", remedy)
    else:
        yield Finding("ok", "memory", f"{free:.1f} GB free")


def places() -> list[Path]:
    """Where pairs and runs go, as far as it is there."""
    from inpaint_lib.paths import default_path

    found = []
    for path in (default_path("dataset"), default_path("checkpoints")):
        while not path.exists():
            path = path.parent
        if path not in found:
            found.append(path)
    return found


def check_places() -> Iterator[Finding]:
    """Room, and the right to write."""
    for place in places():
        free = shutil.disk_usage(place).free / 1e9
        if free < DISK:
            remedy = f"free some space there, or start in a folder elsewhere: {DISK} GB are needed"
            yield Finding("FAULT", "disk", f"{place}: {free:.2f} GB free", remedy)
            continue
        try:
            with tempfile.TemporaryFile(dir=place):
                yield Finding("ok", "disk", f"{place}: {free:.0f} GB free, may be written to")
        except OSError as error:
            remedy = "get the right to write there, or start in a folder of your own"
            yield Finding("FAULT", "writing", f"{place}: {error.strerror}", remedy)


def check_accelerator() -> Iterator[Finding]:
    """The device that is used, and the precisions that it computes in."""
    import torch

    from inpaint_lib.learner import autocast_dtype
    from inpaint_lib.model import choose_device

    device = choose_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    works = ", ".join(_precisions(device))
    auto = str(autocast_dtype("auto", device)).removeprefix("torch.")
    found = f"{name}: {works}; --precision auto is {auto}"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""  # on purpose
    if device.type == "cpu" and shutil.which("nvidia-smi") and not hidden:
        build = f"{found}; there is an NVIDIA driver, which PyTorch {torch.__version__} cannot use"
        remedy = "install the build of PyTorch for your driver: https://pytorch.org/get-started"
        yield Finding("FAULT", "accelerator", build, remedy)
    elif "float32" not in works:
        remedy = "update its driver, or give --device cpu"
        yield Finding("FAULT", "accelerator", found, remedy)
    else:
        yield Finding("ok", "accelerator", found)


def _precisions(device: Any) -> Iterator[str]:
    """Those in which a convolution is right to their number of digits."""
    import torch

    for dtype, tolerance in ((torch.float32, 1e-3), (torch.bfloat16, 0.1), (torch.float16, 0.02)):
        ones = torch.ones(1, 8, 6, 6, device=device, dtype=dtype)
        try:
            value = torch.nn.functional.conv2d(ones, ones[:, :, :3, :3] / 72).float().mean().item()
        except RuntimeError:
            continue
        if abs(value - 1) < tolerance:
            yield str(dtype).removeprefix("torch.")


def check_weights() -> Iterator[Finding]:
    """The shipped weights are there, whole, and complete a picture."""
    import torch

    from inpaint_lib.checkpoints import load_model
    from inpaint_lib.paths import shipped_weights

    worlds: tuple[Literal["photographs", "bricks"], ...] = ("photographs", "bricks")
    for world in worlds:
        path = shipped_weights(world)
        try:
            grey, hole = torch.full((1, 3, 16, 16), 0.5), torch.zeros(1, 1, 16, 16)
            with torch.no_grad():
                made = load_model(world, "cpu")(grey, hole)
            if not made.isfinite().all():
                raise ValueError("they give numbers that are not finite")
        except (OSError, ValueError) as error:
            says = str(error).removeprefix(f"{path}: ").split(";")[0]
            remedy = f"get {path.name} again: `git checkout checkpoints`, or install anew"
            yield Finding("FAULT", "weights", f"{path}: {says}", remedy)
        else:
            yield Finding("ok", "weights", str(path))


def check_browser() -> Iterator[Finding]:
    """For the tests that drive widgets; nothing else needs it."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        remedy = "install a Chromium (Debian: apt-get install chromium); only tests need it"
        yield Finding("note", "browser", "no Chromium", remedy)
    else:
        yield Finding("ok", "browser", found)


FIRST = (check_python, check_packages)
"""They use Python's own library alone; the others are asked when these found no fault."""

THEN = (
    check_threads,
    check_memory,
    check_places,
    check_accelerator,
    check_weights,
    check_browser,
)


def examine() -> Iterator[Finding]:
    """Look at everything, in an order in which a fault may explain those that follow."""
    healthy = True
    for check in FIRST:
        for finding in check():
            healthy &= finding.verdict != "FAULT"
            yield finding
    rest: tuple[Callable[[], Iterator[Finding]], ...] = THEN if healthy else ()
    for check in rest:
        yield from check()


def doctor() -> int:
    """Look at Python, packages, threads, memory, disk, accelerator, weights; name remedies.

    The exit code is 1 if there is a fault. Notes are about what not everybody needs.
    """
    faults = 0
    for finding in examine():
        print(finding, flush=True)
        faults += finding.verdict == "FAULT"
    print(f"{faults} fault(s)." if faults else "Nothing stands in the way.")
    return int(faults > 0)


def unless_asked(error: ImportError) -> ImportError:
    """What to raise where a package cannot be imported; `inpaint doctor` looks, and ends."""
    if sys.argv[1:2] == ["doctor"]:
        raise SystemExit(doctor())
    return ImportError(f"{error}; `inpaint doctor` says what to do about it", name=error.name)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # not this folder's modules
    sys.exit(doctor())
