"""Training: the configuration, the loss, one step, the loop.

Taught in notebooks/03_ssim_and_loss.ipynb (the loss) and notebooks/04_training.ipynb.
"""

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_type_hints

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer, lr_scheduler
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler
from tqdm.auto import tqdm

from .checkpoints import COLUMNS, VAL_COLUMNS, RunFolder
from .checks import check_choice, check_number, check_shapes, check_triple, choices
from .data import (
    Batch,
    ImageCompletionDataset,
    PairsInMemory,
    PicturesInMemory,
    crop_and_cover,
    evenly,
)
from .filling import Prefill, compose
from .holes import HoleKind
from .layers import Norm
from .metrics import psnr, ssim
from .model import PixelRNN, choose_device
from .paths import default_path, pair_folders

PAIRS = pair_folders(default_path("dataset", "train"))
CHECKPOINTS = default_path("checkpoints")
KEPT = "the weights before this step were kept: try a lower lr or a grad_clip"
HoleTerm = Literal["l1", "l1-per-hole", "psnr"]
Precision = Literal["float32", "bfloat16", "float16", "auto"]
Schedule = Literal["constant", "one-cycle", "cosine"]
WATCH = 50  # steps at most until a loss that is not finite is noticed
# What may differ between a run and its continuation without changing what is computed.
FREE_TO_CHANGE = {"device", "in_memory", "num_workers", "resume", "overwrite", "save_dir"}


@dataclass
class TrainConfig:
    """All that a run depends on. The first eight are also the positional arguments of `train`.

    Raises ValueError for an unknown choice and a number out of range, TypeError for a fraction
    where a whole number is needed, naming the field.
    """

    occluded_dir: Path = PAIRS.occluded
    """Training pictures with black holes, `occluded_NAME`."""
    original_dir: Path = PAIRS.original
    """The same pictures without holes, `NAME`."""
    save_dir: Path = CHECKPOINTS
    """The folder that the run writes to; it holds one run."""
    epochs: int = 200
    """How often each training pair is seen."""
    batch_size: int = 4
    """Pictures in a step, over all processes together."""
    lr: float = 1e-4
    """Adam's learning rate; a schedule's highest."""
    hidden_channels: int = 48
    """Feature maps of each layer."""
    device: str | None = None
    """Where to compute: "cpu", "cuda", "cuda:1", "mps", ...; None: the best there is."""

    # The network; see `PixelRNN`.
    num_layers: int = 3
    """Gated layers, each followed by one step of the ConvLSTM."""
    patch_size: int = 1
    """Compute on patches of that many pixels squared instead of on pixels."""
    norm: Norm = "batch"
    """Normalization in gated layers and residual blocks."""
    prefill: Prefill | None = None
    """Start from this fill of the hole and predict what is missing from it."""
    standardize: bool = False
    """Look at the picture in units of its known pixels' deviation."""
    refine: int = 0
    """Channels of each pixel that a last part at full resolution makes the output of; 0: none."""

    # Data.
    mask_dir: Path | None = None
    """True masks of the training pairs; None: found from the pictures' differences."""
    val_occluded_dir: Path | None = None
    """Validation pictures with holes; None: no validation."""
    val_original_dir: Path | None = None
    """Validation pictures without holes."""
    val_mask_dir: Path | None = None
    """True masks of the validation pairs; None: found from the pictures' differences."""
    data_dir: Path | None = None
    """Train on squares of `crop_size` from all pictures of this folder, under fresh holes, instead
    of on pairs."""
    epoch_size: int | None = None
    """Squares in an epoch of `data_dir`; None: as many as share no pixel."""
    crop_size: int | None = None
    """Train on squares of this side, cut at random from the pictures. None: whole pictures."""
    fresh_holes: bool = False
    """Draw new holes at every step instead of using the stored ones."""
    hole_kind: HoleKind = "both"
    """Which holes to draw; see `holes_from`."""
    longest_hole: int | None = None
    """Longest side of a fresh box in pixels; None: three quarters of the crop."""
    turns: bool = False
    """Turn fresh crops by quarter turns, too; they are always mirrored."""
    in_memory: bool = False
    """Read all pairs once, before training, and keep them where the network is: 112 KB of memory
    for each of 128 x 128."""
    num_workers: int = 0
    """Processes that read pictures ahead; 0: the training process reads them itself."""

    # Optimization.
    schedule: Schedule = "constant"
    """one-cycle: warm-up over a tenth of the steps, then cosine (Smith & Topin 2018)."""
    grad_clip: float | None = None
    """Largest norm of the gradient; None: any."""
    hole_term: HoleTerm = "l1"
    """What the loss asks of the hole's pixels; see `completion_loss`."""
    ssim_weight: float = 0.2
    """Share of 1 - SSIM in the loss; the hole's term has the rest."""
    precision: Precision = "float32"
    """What the network computes in; weights and losses stay in float32. auto: bfloat16 where the
    hardware has it, else float32. float16 scales the loss (Micikevicius et al. 2018)."""
    ema: float | None = None
    """Validate and keep a running average of the weights, this share of which stays at each step,
    for example 0.999 (Polyak & Juditsky 1992). Needs norm "group"."""
    compile: bool = False
    """Compile the network (torch.compile): minutes at the start, faster steps on a GPU."""
    seed: int = 0
    """Of the first weights, the order of the pairs, crops and fresh holes."""

    # The run.
    resume: bool = False
    """Continue the run in save_dir; start one if there is none."""
    overwrite: bool = False
    """Replace the run in save_dir."""

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name.endswith("_dir") and getattr(self, f.name) is not None:
                setattr(self, f.name, Path(getattr(self, f.name)))
        for name, hint in get_type_hints(type(self)).items():
            if choices(hint):
                check_choice(name, getattr(self, name), hint)
        for name in ("epochs", "batch_size", "hidden_channels", "num_layers", "patch_size"):
            check_number(name, getattr(self, name), least=1, whole=True)
        for name in ("crop_size", "longest_hole", "epoch_size"):
            check_number(name, getattr(self, name), least=1, whole=True)
        for name in ("num_workers", "seed", "refine"):
            check_number(name, getattr(self, name), whole=True)
        check_number("lr", self.lr, above=0)
        check_number("grad_clip", self.grad_clip, above=0)
        check_number("ssim_weight", self.ssim_weight, most=1)
        check_number("ema", self.ema, above=0, most=1)
        if self.ema is not None and self.norm == "batch":
            raise ValueError('ema: BatchNorm keeps averages of its own; use norm="group"')
        if self.data_dir is not None and self.crop_size is None:
            raise ValueError("data_dir: pictures of any size need a crop_size")

    def model_options(self) -> dict[str, Any]:
        """The arguments of the `PixelRNN` to train."""
        names = (
            "hidden_channels",
            "num_layers",
            "patch_size",
            "norm",
            "prefill",
            "standardize",
            "refine",
        )
        return {name: getattr(self, name) for name in names}

    def plain(self) -> dict[str, Any]:
        """This configuration as a dict of plain values, for `torch.load(weights_only=True)`."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}


class Losses(NamedTuple):
    """Of one batch, scalars: the loss that is minimized, and its two parts."""

    loss: Tensor
    l1: Tensor
    ssim: Tensor


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


def completion_loss(
    pred: Tensor,
    batch: Batch | tuple[Tensor, Tensor, Tensor],
    *,
    hole_term: HoleTerm = "l1",
    ssim_weight: float = 0.2,
) -> Losses:
    """loss = (1 - w) T + w (1 - SSIM), with w the `ssim_weight` and T by `hole_term`.

    "l1": L1 compares `pred * mask` with `original * mask` and is averaged over all pixels, so
    a hole counts by its area. "l1-per-hole": over each hole's pixels, then over the batch.
    "psnr": 1 - PSNR / 50 dB of each hole, so that a faint hole counts like a contrasty one; a
    squared error under 1e-5, which is 50 dB, counts as none. SSIM compares the composite with
    the original. Computed in float32 at least. Raises ValueError for another `hole_term`.
    """
    check_choice("hole_term", hole_term, HoleTerm)
    occluded, original, mask = batch
    pred = pred.to(torch.promote_types(pred.dtype, torch.float32))
    difference = (pred * mask - original * mask).abs()  # (B, 3, H, W)
    hole = (mask.sum(dim=(1, 2, 3)) * pred.shape[1]).clamp(min=1)  # (B,)
    if hole_term == "l1":
        # T = L1 = mean |pred m - original m|
        term = l1 = difference.mean()
    else:
        # T = L1 = mean over holes of (sum |pred m - original m| / sum m)
        term = l1 = (difference.sum(dim=(1, 2, 3)) / hole).mean()
    if hole_term == "psnr":
        # T = mean over holes of 1 - PSNR / 50 = 1 + log10(MSE) / 5
        mse = difference.square().sum(dim=(1, 2, 3)) / hole
        term = 1 + (mse + 1e-5).log10().mean() / 5
    # SSIM(comp, original), comp = pred in the hole, occluded outside of it
    similarity = ssim(compose(occluded, pred, mask), original)
    # loss = (1 - w) T + w (1 - SSIM)
    loss = (1 - ssim_weight) * term + ssim_weight * (1 - similarity)
    return Losses(loss, l1, similarity)


def train_step(
    model: nn.Module,
    batch: Batch | tuple[Tensor, Tensor, Tensor],
    optimizer: Optimizer,
    *,
    grad_clip: float | None = None,
    hole_term: HoleTerm = "l1",
    ssim_weight: float = 0.2,
    precision: Precision = "float32",
    scaler: torch.amp.GradScaler | None = None,
) -> Losses:
    """One step of the optimizer on a batch `(occluded, original, mask)` on the model's device.

    Returns the losses before the step. Raises FloatingPointError, leaving the weights as they
    were, when the loss or its gradient is NaN or infinite; and what `check_triple` raises.

    scaler: do not wait for the device. Values are not checked then, a step whose gradient is not
    finite leaves the weights as they were, and its loss is returned as NaN. The optimizer must
    be a fused one, or it waits all the same. Raises what `check_shapes` raises.
    """
    (check_shapes if scaler else check_triple)(*batch)
    occluded, _, mask = batch
    device = occluded.device.type
    dtype = autocast_dtype(precision, occluded.device)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        pred = model(occluded, mask)
    losses = completion_loss(pred, batch, hole_term=hole_term, ssim_weight=ssim_weight)
    if scaler is None:
        if not torch.isfinite(losses.loss):
            raise FloatingPointError(f"the loss became {losses.loss.item()}; {KEPT}")
        losses.loss.backward()
    else:
        scaler.scale(losses.loss).backward()
        # A norm that overflows turns the gradient into NaN (inf / inf), which unscaling notices.
        nn.utils.clip_grad_norm_(model.parameters(), math.inf)
        scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_(model.parameters(), grad_clip or float("inf"))
    loss = losses.loss.detach()
    if scaler is None:
        if not torch.isfinite(norm):
            raise FloatingPointError(f"the gradient became {norm.item()}; {KEPT}")
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
        kept = norm.isfinite()
        if dtype == torch.float16:  # overflows at first, until its scale is found, which is above 1
            kept |= scaler.scale(torch.ones_like(loss)) > 1
        loss = loss.where(kept, torch.nan)
    return Losses(loss, losses.l1.detach(), losses.ssim.detach())


def autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """What the network computes in on a device; "auto" is bfloat16 where the hardware has it."""
    if precision == "auto":
        if device.type == "cuda":
            has_it = torch.cuda.is_bf16_supported(including_emulation=False)
        elif device.type == "cpu":
            has_it = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
        else:
            has_it = False
        return torch.bfloat16 if has_it else torch.float32
    return {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }[precision]


class Trainer:
    """A run: builds or resumes everything from a `TrainConfig`; `steps()` is the loop.

    Several processes: start them with `torchrun`. Each then sees its share of every batch, and
    rank 0 alone writes.

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
        self.val: Dataset[Batch] | None = val_pairs
        if config.in_memory and val_pairs is not None:
            self.val = PairsInMemory(val_pairs, self.device)
        self.sampler: DistributedSampler[Batch] = DistributedSampler(
            self.data, num_replicas=self.world, rank=self.rank, seed=config.seed
        )
        size = config.batch_size // self.world
        self.batches = BatchSampler(cast("Iterable[int]", self.sampler), size, drop_last=False)
        self.total_steps = config.epochs * len(self.batches)

        torch.manual_seed(config.seed)
        self.model = PixelRNN(**config.model_options()).to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr, fused=True)
        self.schedule = make_schedule(self.optimizer, config, self.total_steps)
        half = config.precision == "float16"
        self.scaler = torch.amp.GradScaler(
            self.device.type,
            init_scale=2.0**16 if half else 1.0,
            growth_interval=2000 if half else 2**31 - 1,
        )
        self.average = None if config.ema is None else deepcopy(self.model)
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        if state is not None:
            self.load_state(state)

    @property
    def kept(self) -> PixelRNN:
        """The network that is validated and written: the running average where there is one."""
        return self.model if self.average is None else self.average

    def steps(self) -> Iterator[Step]:
        """Train to the end, yielding a `Step` after every optimizer step.

        The last step of an epoch is yielded once its checkpoint is on disk. Stop by not asking
        for more, or by closing the generator: `state.pth` then holds the last complete epoch,
        and a new Trainer with `resume` goes on from there.

        Losses stay on the device until somebody reads them. Raises FloatingPointError, at most
        WATCH steps after the loss or its gradient was no longer finite; the weights are still
        those before that step, and it is never written.
        """
        model: nn.Module = self.model
        if self.config.compile:
            model = cast("nn.Module", torch.compile(model))
        if self.world > 1:
            model = DistributedDataParallel(model)
        with nullcontext() if self.rank else self.folder.sole_writer():
            if self.rank == 0 and self.epoch == 0:
                self.folder.clear()
            elif self.rank == 0:
                self._export()  # a run killed after its state had yet to write the rest
            while self.epoch < self.config.epochs:
                yield from self._one_epoch(model)

    def _one_epoch(self, model: nn.Module) -> Iterator[Step]:
        config = self.config
        epoch = self.epoch + 1
        # All randomness of an epoch follows from (seed, epoch), so a resumed run repeats it.
        self.sampler.set_epoch(epoch)
        torch.manual_seed(config.seed + 1_000_003 * epoch)
        generator = torch.Generator().manual_seed(config.seed + 1_000_003 * epoch)
        sums = torch.zeros(4, device=self.device)  # loss, L1, SSIM, pictures
        unread: list[Tensor] = []
        model.train()
        for i, batch in enumerate(self._batches(generator), start=1):
            lr = self.optimizer.param_groups[0]["lr"]
            step = self.epoch * len(self.batches) + i
            losses = train_step(
                model,
                batch,
                self.optimizer,
                grad_clip=config.grad_clip,
                hole_term=config.hole_term,
                ssim_weight=config.ssim_weight,
                precision=config.precision,
                scaler=self.scaler,
            )
            if self.average is not None and config.ema is not None:
                # Not through torch's AveragedModel: its counter of steps makes a GPU wait.
                averages = list(self.average.parameters())
                update = get_ema_multi_avg_fn(config.ema)
                update(averages, list(self.model.parameters()), None)
            self.schedule.step()
            sums += len(batch.mask) * torch.stack([*losses, torch.ones_like(losses.loss)])
            unread.append(losses.loss)
            last = i == len(self.batches)
            if last or len(unread) == WATCH:
                check_finite(unread, step, epoch)
                unread.clear()
            log = self._end_epoch(epoch, lr, sums) if last else None
            yield Step(epoch, step, self.total_steps, lr, losses, log)

    def _batches(self, generator: torch.Generator) -> Iterator[Batch]:
        """Batches of an epoch as floats on the device: cropped, mirrored, covered."""
        config = self.config
        part = (self.rank, self.world)
        source: Iterator[Batch]
        if isinstance(self.data, PicturesInMemory):
            pictures = self.data
            source = (pictures.draw(indices, generator, part) for indices in self.batches)
        elif isinstance(self.data, PairsInMemory):
            pairs = self.data
            source = (pairs.draw(indices) for indices in self.batches)
        else:
            loader = DataLoader(
                self.data,
                batch_sampler=self.batches,
                num_workers=config.num_workers,
                pin_memory=self.device.type != "cpu",
            )
            source = (Batch(*items) for items in loader)
        fresh = config.fresh_holes or config.data_dir is not None
        for batch in source:
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
            yield batch.to(self.device)

    def _end_epoch(self, epoch: int, lr: float, sums: Tensor) -> dict[str, float]:
        """Averages over the epoch and validation; then everything to disk, the state first."""
        if not all(p.isfinite().all() for p in self.model.parameters()):
            raise FloatingPointError(
                f"epoch {epoch}: its weights are no longer finite and are not kept; "
                "try a lower lr or a grad_clip"
            )
        if self.world > 1:
            dist.all_reduce(sums)
        loss, l1, similarity = (sums[:3] / sums[3]).tolist()
        log = dict(zip(COLUMNS, (epoch, lr, l1, similarity, loss), strict=True))
        if self.rank == 0 and self.val is not None:
            log |= validate(
                self.kept,
                self.val,
                self.config.batch_size,
                self.device,
                hole_term=self.config.hole_term,
                ssim_weight=self.config.ssim_weight,
            )
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
            self.folder.export(self.kept, self.history, self._samples)

    def _samples(self) -> Tensor:
        """Occluded, completed and original of eight held-out pairs at most: (3, B, 3, H, W)."""
        batch = evenly(self.val or self.data, 8).to(self.device)
        with torch.no_grad():
            pred = self.kept.eval()(batch.occluded, batch.mask)
        comp = compose(batch.occluded, pred, batch.mask)
        return torch.stack([batch.occluded, comp, batch.original])

    def state(self) -> dict[str, Any]:
        """Everything a continuation needs."""
        state = {
            "config": self.model.config,
            "model": self.kept.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "train_config": self.config.plain(),
            "epoch": len(self.history),
            "history": self.history,
        }
        if self.average is not None:
            state["trained"] = self.model.state_dict()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state.get("trained", state["model"]))
        if self.average is not None:
            self.average.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        self.epoch = state["epoch"]
        self.history = state["history"]


def list_pairs(
    config: TrainConfig,
) -> tuple[ImageCompletionDataset | None, ImageCompletionDataset | None]:
    """The training pairs, unless pictures are trained on, and the validation pairs, if any."""
    pairs = None
    if config.data_dir is None:
        pairs = ImageCompletionDataset(
            config.occluded_dir, config.original_dir, mask_dir=config.mask_dir
        )
    val_pairs = None
    if config.val_occluded_dir is not None and config.val_original_dir is not None:
        val_pairs = ImageCompletionDataset(
            config.val_occluded_dir, config.val_original_dir, mask_dir=config.val_mask_dir
        )
    return pairs, val_pairs


def read_training_data(
    config: TrainConfig, pairs: ImageCompletionDataset | None, device: torch.device
) -> Dataset[Batch]:
    """The pictures of `data_dir`, or the pairs: kept in memory or read from files."""
    if pairs is None:
        assert config.data_dir is not None
        assert config.crop_size is not None  # TrainConfig has seen to it
        return PicturesInMemory(config.data_dir, config.crop_size, device, count=config.epoch_size)
    return PairsInMemory(pairs, device) if config.in_memory else pairs


def check_finite(losses: list[Tensor], step: int, epoch: int) -> None:
    """Raises FloatingPointError, naming the step, if one of the last losses, to `step`, is not."""
    values = torch.stack(losses).tolist()
    for before, value in zip(reversed(range(len(values))), values, strict=True):
        if not math.isfinite(value):
            raise FloatingPointError(
                f"step {step - before} (epoch {epoch}): the loss or its gradient became {value}; "
                f"{KEPT}"
            )


def make_schedule(
    optimizer: Optimizer, config: TrainConfig, steps: int
) -> lr_scheduler.LRScheduler:
    """How the learning rate goes on over all steps of a run."""
    if config.schedule == "one-cycle":
        # With ten steps torch would divide by a warm-up of no length.
        warm_up = 0.1 if steps != 10 else 0.2
        return lr_scheduler.OneCycleLR(optimizer, config.lr, steps, pct_start=warm_up)
    if config.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)


@torch.no_grad()
def validate(
    model: PixelRNN,
    pairs: Dataset[Batch],
    batch_size: int,
    device: torch.device,
    **loss_options: Any,
) -> dict[str, float]:
    """Averages over the pairs, by VAL_COLUMNS; the hole's PSNR in dB as a mean over pictures."""
    model.eval()
    rows: list[list[float]] = []
    for items in DataLoader(pairs, batch_size):
        batch = Batch(*items).to(device)
        pred = model(batch.occluded, batch.mask)
        losses = completion_loss(pred, batch, **loss_options)
        means = [losses.l1.item(), losses.ssim.item(), losses.loss.item()]
        rows += [[*means, db] for db in psnr(pred, batch.original, batch.mask).tolist()]
    # Masked: a hole filled without any error has an infinite PSNR.
    columns = np.ma.masked_invalid(rows).mean(axis=0).filled(np.inf)
    return dict(zip(VAL_COLUMNS, columns.tolist(), strict=True))


def check_same_run(before: dict[str, Any], config: TrainConfig, path: Path) -> None:
    """Raises ValueError, naming what differs, when `config` would continue another run."""
    free = FREE_TO_CHANGE | ({"epochs"} if config.schedule == "constant" else set())
    now = config.plain()
    changed = [
        f"{name} was {before.get(name)!r}, is {now[name]!r}"
        for name in now.keys() - free
        if before.get(name) != now[name]
    ]
    if changed:
        raise ValueError(
            f"{path}: cannot resume with another configuration "
            f"({'; '.join(sorted(changed))}); use the same, or overwrite=True"
        )


def join_processes(device: torch.device) -> torch.device:
    """Meet the other processes of `torchrun`; returns this one's device."""
    if device.type != "cpu":
        device = torch.device(device.type, int(os.environ["LOCAL_RANK"]))
        torch.accelerator.set_device_index(device.index)
    if not dist.is_initialized():
        dist.init_process_group(dist.get_default_backend_for_device(device))
    return device


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


def run(trainer: Trainer) -> PixelRNN:
    """Train to the end behind a progress bar. Ctrl-C passes through; the state is on disk."""
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
    return trainer.kept.eval()
