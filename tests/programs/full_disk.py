"""Run a command line that can write no file longer than sys.argv[2] bytes.

sys.argv[1] says from when on: "at once", or when a run saves its "state" or its "weights".
"""

import resource
import signal
import sys

import torch

from inpaint_lib import __main__ as command_line
from inpaint_lib import checkpoints

torch.set_num_threads(1)
where = sys.argv.pop(1)
limit = int(sys.argv.pop(1))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def fill() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


if where == "state":
    save_state = checkpoints.RunFolder.save
    checkpoints.RunFolder.save = lambda *a: (fill(), save_state(*a))
elif where == "weights":
    save_model = checkpoints.save_model
    checkpoints.save_model = lambda *a: (fill(), save_model(*a))
else:
    fill()
sys.exit(command_line.main())
