"""Complete a photograph of noise once for each line on stdin; print seconds, MB, threads.

    python complete_timed.py WIDTH HEIGHT SIDE

SIDE is that of the hole. MB are the peak of this process during the call, less what it held before.
"""

import json
import resource
import sys
import time
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
top = (height - side) // 2
left = (width - side) // 2
hole = np.zeros((height, width), dtype=bool)
hole[top : top + side, left : left + side] = True
complete(model, photo.crop((0, 0, 64, 64)), np.pad([[True]], (20, 43)))  # what is imported late


def held(name: str) -> float:
    """In MB. ru_maxrss would be the peak since the start, decoding included."""
    fields = Path("/proc/self/status").read_text().split()
    return int(fields[fields.index(f"{name}:") + 1]) / 1024


def peak_since_the_start() -> float:
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


try:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    peak_is_new = True
    before = held("VmRSS")
except OSError:
    peak_is_new = False
    before = peak_since_the_start()

print(json.dumps("ready"), flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    done = complete(model, photo, hole)
    took = time.perf_counter() - start
    peak = held("VmHWM") if peak_is_new else peak_since_the_start()
    print(json.dumps([took, peak - before, torch.get_num_threads()]), flush=True)
assert np.array_equal(np.asarray(done)[~hole], np.asarray(photo)[~hole])
