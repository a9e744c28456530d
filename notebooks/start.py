"""What the first cell of each chapter does: find the library, install what is missing, say what
computes. It works in a kernel that has none of it, without a restart.
"""

import importlib
import platform
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent


def ready() -> None:
    """Make `inpaint_lib` and `drawings` importable, and print the device."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    needed = lacking()
    if needed:
        print(f"Installing {', '.join(needed)}; this may take a minute.")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *needed], check=True)
        importlib.invalidate_caches()
    if "google.colab" in sys.modules:
        sys.modules["google.colab"].output.enable_custom_widget_manager()
    print(computes())


def lacking() -> list[str]:
    """The packages of the library and its widgets that are missing here, or too old."""
    doctor = _doctor()
    wanted = doctor.requirements() | doctor.requirements("notebooks")
    for of_the_server in ("jupyterlab", "nbval"):  # which is not this kernel's business
        del wanted[of_the_server]
    return [
        f"{name}>={low}" for name, low in wanted.items() if doctor.check_package(name, low, False)
    ]


def _doctor() -> ModuleType:
    """By its file, for the library itself cannot be imported before its packages are there."""
    spec = spec_from_file_location("doctor", ROOT / "inpaint_lib" / "doctor.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def computes() -> str:
    """The versions and the device that the library chooses, in a line."""
    import torch

    from inpaint_lib.model import choose_device

    device = choose_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    threads = f", {torch.get_num_threads()} thread(s)" if device.type == "cpu" else ""
    versions = f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    return f"Ready: {versions}, on {name}{threads}"
