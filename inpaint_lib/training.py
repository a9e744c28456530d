"""Training: the loop, validation, resuming.

Taught in notebooks/04_training.ipynb.
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler
from tqdm.auto import tqdm

from .checkpoints import COLUMNS, VAL_COLUMNS, RunFolder
from .config import CHECKPOINTS, PAIRS, TrainConfig, check_same_run
from .crops import PicturesInMemory, ahead, crop_and_cover
from .data import Batch, ImageCompletionDataset, Pairs, PairsInMemory, evenly
from .filling import compose
from .learner import Learner, check_finite, join_processes, leave_processes, train_step
from .losses import Losses, completion_loss
from .metrics import psnr
from .model import PixelRNN, choose_device, threads_for

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


class Trainer:
    """A run: builds or resumes everything from a `TrainConfig`; `steps()` is the loop.

    Several processes (`torchrun`) see each its share of every batch, and rank 0 alone writes.

    Raises FileExistsError when `save_dir` holds another run and neither `resume` nor
    `overwrite` is set; BlockingIOError while another process trains in it; ValueError when a
    resumed run's configuration differs; and what `ImageCompletionDataset` raises.
    """

    def __init__(self, config: TrainConfig):
        self.config = config
        self.rank = int(os.environ.get("RANK", "0"))
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        if config.batch_size % self.world:
            raise ValueError(
                f"batch_size {config.batch_size} must be a multiple of the {self.world} processes"
            )
        self.device = choose_device(config.device)
        if self.world > 1:
            self.device = join_processes(self.device)

        # File names, then the run's folder, then pictures: who forgot to say `resume` is told
        # before thousands of files are read.
        pairs, val_pairs = list_pairs(config)
        self.folder = RunFolder(config.save_dir)
        state = None
        if not config.overwrite:
            self.folder.check_free(config.resume)
            state = self.folder.load()
        if state is not None:
            check_same_run(state["train_config"], config, self.folder.state)

        self.data = read_training_data(config, pairs, self.device)
        self.val: Pairs | None = val_pairs
        if val_pairs is not None and config.in_memory:
            self.val = PairsInMemory(val_pairs, self.device)
        self.sampler: DistributedSampler[Batch] = DistributedSampler(
            self.data, num_replicas=self.world, rank=self.rank, seed=config.seed
        )
        indices = cast("Iterable[int]", self.sampler)
        self.batches = BatchSampler(indices, config.batch_size // self.world, drop_last=False)
        self.total_steps = config.epochs * len(self.batches)

        self.learner = Learner(config, self.total_steps, self.device, self.world)
        self.model = self.learner.model
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        if state is not None:
            self.learner.load_state(state)
            torch.set_rng_state(state["random"])
            self.epoch = state["epoch"]
            self.history = state["history"]

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
        self.sampler.set_epoch(epoch)
        seed = self.config.seed + 1_000_003 * epoch
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        sums = torch.zeros(4, device=self.device)  # loss, L1, SSIM, pictures
        unread: list[Tensor] = []
        self.learner.wrapped.train()
        for i, (batch, start) in enumerate(batches_of_an_epoch(self, generator), start=1):
            lr = self.learner.optimizer.param_groups[0]["lr"]
            step = self.epoch * len(self.batches) + i
            losses = self.learner.step(batch, start)
            sums += len(batch.mask) * torch.stack([*losses, torch.ones_like(losses.loss)])
            unread.append(losses.loss)
            last = i == len(self.batches)
            if last or len(unread) == WATCH:
                check_finite(unread, step, epoch)
                unread.clear()
            log = self._end_epoch(epoch, lr, sums) if last else None
            yield Step(epoch, step, self.total_steps, lr, losses, log)

    def _end_epoch(self, epoch: int, lr: float, sums: Tensor) -> dict[str, float]:
        """Averages over the epoch and validation; then everything to disk, the state first."""
        self.learner.check(epoch)
        if self.world > 1:
            dist.all_reduce(sums)
        loss, l1, similarity = (sums[:3] / sums[3]).tolist()
        log = dict(zip(COLUMNS, (epoch, lr, l1, similarity, loss), strict=True))
        due = epoch in (1, self.config.epochs) or epoch % self.config.val_every == 0
        if self.val is not None and due and self.rank == 0:
            log |= validate(self.learner.kept, self.val, self.config, self.device)
        self.history.append(log)
        if self.rank == 0:
            self.folder.save(self.state())
        self.epoch = epoch
        if self.rank == 0:
            self._export()
        return log

    def _export(self) -> None:
        """Write the log, the samples and the weights. All can be written again from the state."""
        self.folder.write_log(self.history)
        if self.epoch == 1 or self.epoch % 5 == 0 or self.epoch == self.config.epochs:
            model, pairs = self.learner.kept, self.val or self.data
            samples = partial(sample_rows, model, pairs, self.device)  # read only where missing
            self.folder.export(model, self.history, samples)

    def state(self) -> dict[str, Any]:
        """Everything a continuation needs."""
        return self.learner.state() | {
            "random": torch.get_rng_state(),
            "train_config": self.config.plain(),
            "epoch": len(self.history),
            "history": self.history,
        }


Drawn = tuple[Batch, Tensor]  # and what the network starts from


def batches_of_an_epoch(trainer: Trainer, generator: torch.Generator) -> Iterator[Drawn]:
    """The batches as floats on the device: cropped, mirrored, covered; and what the network
    starts from. On a CPU a second core draws the next one; a GPU is behind Python anyway.
    """
    batches = draw_batches(trainer, generator)
    return ahead(batches) if trainer.device.type == "cpu" else batches


def draw_batches(trainer: Trainer, generator: torch.Generator) -> Generator[Drawn, None, None]:
    """See `batches_of_an_epoch`."""
    config = trainer.config
    data = trainer.data
    part = (trainer.rank, trainer.world)
    source: Iterator[Batch]
    if isinstance(data, PicturesInMemory):
        source = (data.draw(indices, generator, part) for indices in trainer.batches)
    elif isinstance(data, PairsInMemory):
        source = (data.draw(indices) for indices in trainer.batches)
    else:
        loader = DataLoader(
            data,
            batch_sampler=trainer.batches,
            num_workers=config.num_workers,
            pin_memory=trainer.device.type != "cpu",
        )
        source = (Batch(*items) for items in loader)
    fresh = config.fresh_holes or config.data_dir is not None
    for batch in source:
        with threads_for(trainer.model, batch.mask.numel()), torch.no_grad():
            if config.crop_size is not None or fresh:
                batch = crop_and_cover(
                    batch,
                    config.crop_size,
                    fresh,
                    generator,
                    config.hole_kind,
                    config.longest_hole,
                    turns=config.turns,
                    part=part,
                )
            batch = batch.to(trainer.device)
            start = trainer.model.begin(batch.occluded, batch.mask)
        yield batch, start


def list_pairs(
    config: TrainConfig,
) -> tuple[ImageCompletionDataset | None, ImageCompletionDataset | None]:
    """The training pairs, unless pictures are trained on, and the validation pairs, if any."""
    pairs = None
    if config.data_dir is None:
        pairs = ImageCompletionDataset(
            config.occluded_dir,
            config.original_dir,
            mask_dir=config.mask_dir,
            doubts=not config.fresh_holes,  # which are drawn in the originals
        )
    val_pairs = None
    if config.val_occluded_dir is not None and config.val_original_dir is not None:
        val_pairs = ImageCompletionDataset(
            config.val_occluded_dir, config.val_original_dir, mask_dir=config.val_mask_dir
        )
    return pairs, val_pairs


def read_training_data(
    config: TrainConfig, pairs: ImageCompletionDataset | None, device: torch.device
) -> Pairs:
    """The pictures of `data_dir`, or the pairs: kept in memory or read from files."""
    if pairs is None:
        assert config.data_dir is not None
        assert config.crop_size is not None  # TrainConfig has seen to it
        return PicturesInMemory(config.data_dir, config.crop_size, device, count=config.epoch_size)
    if config.num_workers:
        evenly(pairs, 16)  # what there is to say of pairs; the processes that read keep silent
    return PairsInMemory(pairs, device) if config.in_memory else pairs


@torch.no_grad()
def sample_rows(model: PixelRNN, pairs: Pairs, device: torch.device) -> Tensor:
    """Occluded, completed and original of eight pairs at most: (3, B, 3, H, W)."""
    batch = evenly(pairs, 8).to(device)
    pred = model.eval()(batch.occluded, batch.mask)
    comp = compose(batch.occluded, pred, batch.mask)
    return torch.stack([batch.occluded, comp, batch.original])


@torch.no_grad()
def validate(
    model: PixelRNN, pairs: Pairs, config: TrainConfig, device: torch.device
) -> dict[str, float]:
    """Averages over the pairs, by VAL_COLUMNS; the hole's PSNR in dB as a mean over pictures."""
    model.eval()
    rows: list[list[float]] = []
    for items in DataLoader(pairs, config.batch_size):
        batch = Batch(*items).to(device)
        with threads_for(model, batch.mask.numel()):
            pred = model(batch.occluded, batch.mask)
        losses = completion_loss(
            pred, batch, hole_term=config.hole_term, ssim_weight=config.ssim_weight
        )
        means = [losses.l1.item(), losses.ssim.item(), losses.loss.item()]
        rows += [[*means, db] for db in psnr(pred, batch.original, batch.mask).tolist()]
    # Masked: a hole filled without any error has an infinite PSNR.
    columns = np.ma.masked_invalid(rows).mean(axis=0).filled(np.inf)
    return dict(zip(VAL_COLUMNS, columns.tolist(), strict=True))


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


def run(trainer: Trainer, tell: Callable[[Step], str] | None = None) -> PixelRNN:
    """Train to the end behind a progress bar. Ctrl-C passes through; the state is on disk.

    tell: what to write above the bar after each epoch, if anything.
    """
    done = trainer.epoch * len(trainer.batches)
    with tqdm(
        total=trainer.total_steps, initial=done, unit="step", disable=trainer.rank > 0
    ) as bar:
        for step in trainer.steps():
            if bar.update():  # it has just been drawn: once in a tenth of a second
                loss, l1, similarity = (value.item() for value in step.losses)
                bar.set_description(f"epoch {step.epoch}/{trainer.config.epochs}", refresh=False)
                bar.set_postfix_str(
                    f"L1 {l1:.4f}, SSIM {similarity:.3f}, loss {loss:.4f}", refresh=False
                )
            if tell and step.log and (text := tell(step)):
                bar.write(text)
    leave_processes()
    return trainer.learner.kept.eval()
