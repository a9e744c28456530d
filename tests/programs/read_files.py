"""Read each file of a folder as pictures, masks or checkpoints; print what became of it.

    python read_files.py FOLDER CHECKPOINT PICTURE LONGEST

CHECKPOINT and PICTURE are whole, and read first. A file that takes more than LONGEST seconds ends
the program with a traceback. A line of JSON before each reading and one after it: file, reader,
outcome, message, seconds, and what was done that reading should not do.
"""

import faulthandler
import json
import sys
import time
from pathlib import Path

import torch
from PIL import Image

from inpaint_lib import load_model
from inpaint_lib.masks import read_mask
from inpaint_lib.pictures import read_picture

HARMFUL = ("os.", "shutil.", "subprocess.", "socket.", "ctypes.", "exec", "compile")
HARMLESS = ("os.listdir", "os.scandir", "os.walk")

torch.set_num_threads(1)
folder, checkpoint, picture, longest = sys.argv[1:]
Image.init()  # what is imported at need must not look like code from a file
load_model(checkpoint, "cpu")
read_picture(picture)
try:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (3 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
except (ImportError, OSError):
    pass

harm: list[str] = []
watched = False


def watch(event: str, arguments: tuple) -> None:
    if not watched:
        return
    if event == "open":
        _, mode, flags = arguments
        bad = set(mode) & set("wax+") if isinstance(mode, str) else flags & 3
    else:
        bad = event.startswith(HARMFUL) and event not in HARMLESS
    if bad:
        harm.append(f"{event} {arguments!r}"[:300])


sys.addaudithook(watch)
for path in sorted(Path(folder).iterdir()):
    for reader in [load_model] if path.suffix == ".pth" else [read_picture, read_mask]:
        print(json.dumps([path.name, reader.__name__, "started", "", 0, []]), flush=True)
        faulthandler.dump_traceback_later(float(longest), exit=True)
        harm.clear()
        start = time.perf_counter()
        watched = True
        try:
            reader(path, "cpu") if reader is load_model else reader(path)
            outcome, message = "read", ""
        except BaseException as error:
            outcome, message = type(error).__name__, str(error)
        watched = False
        took = time.perf_counter() - start
        print(json.dumps([path.name, reader.__name__, outcome, message, took, harm]), flush=True)
