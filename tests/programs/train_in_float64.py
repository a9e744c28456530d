"""Train as sys.argv[1] says, computing in float64; alone or as one of the processes of torchrun."""

import json
import sys

import torch

from inpaint_lib import data
from inpaint_lib.training import TrainConfig, Trainer, run

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
data.as_float = lambda tensor: tensor.double() / 255 if tensor.dtype == torch.uint8 else tensor
run(Trainer(TrainConfig(**json.loads(sys.argv[1]))))
