"""What can be done after each epoch of a run: `run(trainer, TimeLimit(30), KeepLast(save_dir, 3))`.

Taught in notebooks/05_gpu_training.ipynb.
"""

import math
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoints import MEASURED, samples_file, weights_file
from .checks import check_number
from .pictures import read_picture
from .processes import as_first, place
from .training import Enough, Step


class TimeLimit:
    """Ends a run before the epoch that would not fit into the minutes since this was made.

    An epoch is expected to last as long as the longest so far; one at least is trained. A schedule
    is not shortened: what remains of it is for a resumed run. After the first epoch the limit says
    how many epochs fit, for who would rather plan for these.

    Raises ValueError unless `minutes` is above 0.
    """

    def __init__(self, minutes: float):
        check_number("minutes", minutes, above=0)
        self.minutes = minutes
        self.began = time.monotonic()
        self.last = self.began
        self.longest = 0.0  # seconds
        self.epochs = 0  # of this session

    def __call__(self, step: Step) -> str:
        now = time.monotonic()
        self.longest = max(self.longest, now - self.last)
        self.last = now
        self.epochs += 1
        epochs = step.epoch * step.total_steps // step.step  # of the whole run
        left = 60 * self.minutes - (now - self.began)
        if step.epoch < epochs and as_first(left < self.longest):
            raise Enough(
                f"Stopped after epoch {step.epoch} of {epochs}: another one, of "
                f"{self.longest:.0f} s, would not end within {self.minutes:g} minutes."
            )
        fitting = step.epoch + math.floor(left / self.longest)
        if self.epochs == 1 and fitting < epochs:
            return (
                f"About {fitting} of the {epochs} epochs fit into {self.minutes:g} minutes; then "
                f"the run can be resumed. A schedule that ends by then: --epochs {fitting}."
            )
        return ""


class KeepLast:
    """Deletes all but the newest `model_epoch{N}.pth` of the run in a folder; `best.pth` stays.

    Raises ValueError or TypeError unless `count` is a whole number, at least 1.
    """

    def __init__(self, save_dir: Path, count: int):
        check_number("keep_last", count, least=1, whole=True)
        self.save_dir = save_dir
        self.count = count

    def __call__(self, step: Step) -> str:
        written = [weights_file(self.save_dir, epoch) for epoch in range(1, step.epoch + 1)]
        if place()[0] == 0:
            for path in [path for path in written if path.is_file()][: -self.count]:
                path.unlink()
        return ""


class TensorBoard:
    """Writes the log and the samples of each epoch for TensorBoard, to `save_dir/tensorboard`.

    Raises ValueError when the package `tensorboard` is not installed.
    """

    def __init__(self, save_dir: Path):
        if find_spec("tensorboard") is None:
            raise ValueError(
                "tensorboard: is not installed; `pip install '.[tensorboard]'` brings it"
            )
        self.save_dir = save_dir
        self.writer: Any = None

    def __call__(self, step: Step) -> str:
        if place()[0] or step.log is None:
            return ""
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # purge_step: what an interrupted run wrote of this and later epochs is hidden.
            self.writer = SummaryWriter(str(self.save_dir / "tensorboard"), purge_step=step.epoch)
        for name, value in step.log.items():
            if name != "epoch":
                self.writer.add_scalar(tag(name), value, step.epoch)
        sheet = samples_file(self.save_dir, step.epoch)
        if sheet.is_file():
            pixels = np.asarray(read_picture(sheet))
            self.writer.add_image("samples", pixels, step.epoch, dataformats="HWC")
        self.writer.flush()
        return ""


def tag(name: str) -> str:
    """A column of the log as TensorBoard groups them: by what stands before a slash."""
    if name.startswith("val "):
        return f"validation/{name.removeprefix('val ')}"
    group = "machine" if name in MEASURED else "training"
    return f"{group}/{name.replace('/', ' per ')}"
