"""Training: the loop, validation, resuming.

Taught in notebooks/04_training.ipynb.
"""

import os
from collections.abc import Callable, Generator
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from tqdm.auto import tqdm

from .checkpoints import COLUMNS, MEASURED, RunFolder
from .config import CHECKPOINTS, PAIRS, TrainConfig, check_same_run, names_of
from .feed import Feed
from .learner import Learner, check_finite, train_step
from .losses import Losses, completion_loss
from .machine import peak_memory
from .model import PixelRNN, choose_device
from .processes import join_processes, leave_processes, place
from .validation import sample_rows, validate

__all__ = ["Step", "TrainConfig", "Trainer", "completion_loss", "run", "train", "train_step"]
WATCH = 50  # steps at most until a loss that is not finite is noticed


class Step(NamedTuple):
    """What the loop yields after each step. `lr` is the learning rate that the step used."""

    epoch: int  # from 1
    step: int  # from 1, through all epochs
    total_steps: int
    lr: float
    losses: Losses  # before the step
    log: dict[str, float] | None  # the epoch's line of the log, at its last step; else None

    @property
    def loss(self) -> float:
        return self.losses.loss.item()

    @property
    def l1(self) -> float:
        return self.losses.l1.item()

    @property
    def ssim(self) -> float:
        return self.losses.ssim.item()


class Trainer:
    """A run: builds or resumes everything from a `TrainConfig`; `steps()` is the loop.

    Several processes (`torchrun`) see each its share of every batch, and rank 0 alone writes.

    Raises FileExistsError when `save_dir` holds another run and neither `resume` nor
    `overwrite` is set; BlockingIOError while another process trains in it; ValueError when a
    resumed run's configuration differs; and what `ImageCompletionDataset` raises.
    """

    def __init__(self, config: TrainConfig):
        self.config = config
        self.rank, self.world = place()
        if config.batch_size % self.world:
            raise ValueError(
                f"batch_size {config.batch_size} must be a multiple of the {self.world} processes"
            )
        self.device = join_processes(choose_device(config.device))

        # File names, then the run's folder, then pictures: who forgot to say `resume` is told
        # before thousands of files are read.
        self.feed = Feed(config, self.device, (self.rank, self.world))
        self.folder = RunFolder(config.save_dir)
        self.pictures = names_of(config)
        state = None
        if not config.overwrite:
            self.folder.check_free(config.resume)
            state = self.folder.load()
        if state is not None:
            check_same_run(state, config, self.pictures, self.folder.state)

        self.feed.open()
        self.data = self.feed.data
        self.val = self.feed.val
        self.batches = self.feed.batches
        self.total_steps = config.epochs * len(self.batches)

        self.learner = Learner(config, self.total_steps, self.device, self.world)
        self.model = self.learner.model
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.measured: list[dict[str, float]] = []  # beside it: what differs from run to run
        if state is not None:
            self.learner.load_state(state)
            self.epoch = state["epoch"]
            self.history = state["history"]
            self.measured = state.get("measured") or [{} for _ in self.history]

    def steps(self) -> Generator[Step, None, None]:
        """Train to the end, yielding a `Step` after every optimizer step.

        The last step of an epoch is yielded once its checkpoint is on disk. Stop by not asking
        for more, or by closing the generator: `state.pth` then holds the last complete epoch,
        and a new Trainer with `resume` goes on from there.

        Losses stay on the device until they are read. Raises FloatingPointError, at most WATCH
        steps after a loss or gradient that is not finite; such a step changes no weight.
        """
        with nullcontext() if self.rank else self.folder.sole_writer():
            if self.rank == 0 and self.epoch == 0:
                self.folder.clear()
            elif self.rank == 0:
                self._export()  # a run killed after its state had yet to write the rest
            while self.epoch < self.config.epochs:
                yield from self._one_epoch()

    def _one_epoch(self) -> Generator[Step, None, None]:
        epoch = self.epoch + 1
        # All randomness of an epoch follows from (seed, epoch), so a resumed run repeats it.
        seed = self.config.seed + 1_000_003 * epoch
        began = perf_counter()
        sums = torch.zeros(4, device=self.device)  # loss, L1, SSIM, pictures
        unread: list[Tensor] = []
        self.learner.wrapped.train()
        for i, (batch, start) in enumerate(self.feed.epoch(epoch, seed, self.model), start=1):
            lr = self.learner.optimizer.param_groups[0]["lr"]
            step = self.epoch * len(self.batches) + i
            losses = self.learner.step(batch, start)
            sums += len(batch.mask) * torch.stack([*losses, torch.ones_like(losses.loss)])
            unread.append(losses.loss)
            last = i == len(self.batches)
            if last or len(unread) == WATCH:
                check_finite(unread, step, epoch)
                unread.clear()
            log = self._end_epoch(epoch, lr, sums, began) if last else None
            yield Step(epoch, step, self.total_steps, lr, losses, log)

    def _end_epoch(self, epoch: int, lr: float, sums: Tensor, began: float) -> dict[str, float]:
        """Averages over the epoch and validation; then everything to disk, the state first."""
        self.learner.check(epoch)
        if self.world > 1:
            dist.all_reduce(sums)
        loss, l1, similarity, pictures = torch.cat([sums[:3] / sums[3], sums[3:]]).tolist()
        log = dict(zip(COLUMNS, (epoch, lr, l1, similarity, loss), strict=True))
        speed = pictures / (perf_counter() - began)
        machine = dict(zip(MEASURED, (speed, peak_memory(self.device)), strict=True))
        due = epoch in (1, self.config.epochs) or epoch % self.config.val_every == 0
        if self.val is not None and due:
            log |= validate(self.learner.kept, self.val, self.config, self.device)
        self.history.append(log)
        self.measured.append(machine)
        if self.rank == 0:
            self.folder.save(self.state())
        self.epoch = epoch
        if self.rank == 0:
            self._export()
        return log | machine

    def _export(self) -> None:
        """Write the log, the samples and the weights. All can be written again from the state."""
        self.folder.write_log(self.history, self.measured)
        self.folder.keep_best(self.learner.kept, self.history)
        if self.epoch == 1 or self.epoch % 5 == 0 or self.epoch == self.config.epochs:
            model, pairs = self.learner.kept, self.val or self.data
            samples = partial(sample_rows, model, pairs, self.device)  # read only where missing
            self.folder.export(model, self.history, samples)

    def state(self) -> dict[str, Any]:
        """Everything a continuation needs."""
        return self.learner.state() | {
            "pictures": self.pictures,
            "train_config": self.config.plain(),
            "epoch": len(self.history),
            "history": self.history,
            "measured": self.measured,
        }


def train(
    occluded_dir: str | os.PathLike[str] = PAIRS.occluded,
    original_dir: str | os.PathLike[str] = PAIRS.original,
    save_dir: str | os.PathLike[str] = CHECKPOINTS,
    epochs: int = 200,
    batch_size: int = 4,
    lr: float = 1e-4,
    hidden_channels: int = 48,
    device: str | None = None,
    **options: Any,
) -> PixelRNN:
    """Train a `PixelRNN` on pairs of pictures with one progress bar; returns it, in eval mode.

    options: any other field of `TrainConfig`. In `save_dir`: `training_log.txt`, tab-separated,
    averages over each epoch; `model_epoch{N}.pth` and `samples/sample_epoch{N}.png` (occluded,
    completed, original) after the first, every 5th and the last, and `state.pth` after every
    epoch, to resume from. Raises what `Trainer` and `train_step` raise.
    """
    paths = (Path(occluded_dir), Path(original_dir), Path(save_dir))
    config = TrainConfig(*paths, epochs, batch_size, lr, hidden_channels, device, **options)
    return run(Trainer(config))


class Enough(Exception):
    """Raised after an epoch by what `run` calls, to end a run there; says why."""


def run(trainer: Trainer, *tell: Callable[[Step], str]) -> PixelRNN:
    """Train to the end behind a progress bar. Ctrl-C passes through; the state is on disk.

    tell: called after each epoch, in every process; what one returns is written above the bar. One
    that raises `Enough` ends the run. See `callbacks`.
    """
    done = trainer.epoch * len(trainer.batches)
    hidden = trainer.rank > 0
    try:
        with (
            tqdm(total=trainer.total_steps, initial=done, unit="step", disable=hidden) as bar,
            closing(trainer.steps()) as steps,
        ):
            for step in steps:
                if bar.update():  # it has just been drawn: once in a tenth of a second
                    loss, l1, similarity = (value.item() for value in step.losses)
                    of = f"epoch {step.epoch}/{trainer.config.epochs}"
                    bar.set_description(of, refresh=False)
                    bar.set_postfix_str(
                        f"L1 {l1:.4f}, SSIM {similarity:.3f}, loss {loss:.4f}", refresh=False
                    )
                for text in [one(step) for one in tell] if step.log else []:
                    if text and not hidden:
                        bar.write(text)
    except Enough as reason:
        if not hidden:
            print(reason)
    except BaseException:
        leave_processes(wait=False)
        raise
    leave_processes()
    return trainer.learner.kept.eval()
