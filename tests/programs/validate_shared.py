"""Validate a network with BatchNorm as sys.argv[1] says; alone or as one of several processes.

Writes what it found, and how many batches it computed, to the folder sys.argv[2].
"""

import json
import sys
from pathlib import Path

import torch

from inpaint_lib.processes import leave_processes
from inpaint_lib.training import TrainConfig, Trainer, validate

torch.set_num_threads(1)
trainer = Trainer(TrainConfig(**json.loads(sys.argv[1])))
for buffer in trainer.model.buffers():  # averages that differ: rank 0's are those that count
    buffer += trainer.rank
batches = []
trainer.model.register_forward_hook(lambda *args: batches.append(args))
log = validate(trainer.model, trainer.val, trainer.config, trainer.device)
name = f"{trainer.rank}of{trainer.world}.json"
(Path(sys.argv[2]) / name).write_text(json.dumps({"log": log, "batches": len(batches)}))
leave_processes()
