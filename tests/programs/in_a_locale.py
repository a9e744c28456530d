"""Commands on the files of the working directory, whatever their names; prints the exit codes."""

import os
import sys

import torch

from inpaint_lib import __main__ as command_line

torch.set_num_threads(1)
[photo] = [n for n in os.listdir("photos") if not n.isdigit() and "_completed" not in n]
[folder] = os.listdir("pairs")
training = [
    "train",
    f"--occluded-dir=pairs/{folder}/occluded_images",
    f"--original-dir=pairs/{folder}/original_images",
    f"--save-dir=run {folder}",
    "--batch-size=3",
    "--hidden-channels=4",
    "--crop-size=32",
    "--device=cpu",
]
with_hole = ["--box", "4", "5", "6", "7", "--checkpoint", f"run {folder}/state.pth"]
few = ["--train-pairs=1", "--per-bucket=1"]
commands = {
    "train": [*training, "--epochs=1"],
    "resume": [*training, "--epochs=2", "--resume"],
    "complete": ["complete", f"photos/{photo}", *with_hole],
    "prepare": ["prepare", "--photos", "own", "--out", "out", *few],
    "error": ["complete", f"photos/{folder}.jpg", *with_hole],
    "help": ["train", "--help"],
}
for what in sys.argv[1].split():
    sys.argv = ["inpaint_lib", *commands[what]]
    try:
        code = command_line.main()
    except SystemExit as stop:
        code = stop.code
    except BaseException as error:
        code = repr(error)
    print(f"\n{what}: {code}", flush=True)
