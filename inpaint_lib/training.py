"""Training: the configuration, one step, the loop, and what a run leaves on disk."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Subset, default_collate
from torchvision.utils import save_image
from tqdm.auto import tqdm

from .checkpoints import CHECKPOINT_FORMAT, REMEDY, read_checkpoint, save_model
from .checks import check_triple
from .data import ImageCompletionDataset, Triple, as_float, in_memory
from .filling import compose
from .holes import HoleKind, crop_and_cover
from .metrics import psnr, ssim
from .model import PixelRNN, choose_device
from .paths import default_path, written_whole
from .runs import COLUMNS, VAL_COLUMNS, RunFolder

OCCLUDED = default_path("dataset", "train", "occluded_images")
ORIGINAL = default_path("dataset", "train", "original_images")
CHECKPOINTS = default_path("checkpoints")
KEPT = "the weights before this step were kept: try a lower lr or a grad_clip"
HoleTerm = Literal["l1", "l1-per-hole", "psnr"]
# What may differ between a run and its continuation without changing what is computed.
FREE_TO_CHANGE = {"device", "in_memory", "num_workers", "resume", "overwrite", "save_dir"}


@dataclass
class TrainConfig:
    """All that a run depends on. The first eight are also the positional arguments of `train`."""

    occluded_dir: Path = OCCLUDED
    original_dir: Path = ORIGINAL
    save_dir: Path = CHECKPOINTS
    epochs: int = 200
    batch_size: int = 4
    """Pictures in a step, over all processes together."""
    lr: float = 1e-4
    hidden_channels: int = 48
    device: str | None = None
    """None: the best there is."""

    num_layers: int = 3
    patch_size: int = 1
    """Compute on patches of that many pixels squared; see `PixelRNN`, also for the next three."""
    norm: Literal["batch", "group"] = "batch"
    prefill: Literal["push-pull", "thin-plate"] | None = None
    standardize: bool = False

    mask_dir: Path | None = None
    """True masks of the training pairs; None: found from the pictures' differences."""
    val_occluded_dir: Path | None = None
    val_original_dir: Path | None = None
    val_mask_dir: Path | None = None
    crop_size: int | None = None
    """Train on squares of this side, cut at random from the pictures. None: whole pictures."""
    fresh_holes: bool = False
    """Draw new holes at every step instead of using the stored ones."""
    hole_kind: HoleKind = "both"
    longest_hole: int | None = None
    """Fresh holes: their kind, and the longest side of a box in pixels; see `random_hole`."""
    in_memory: bool = False
    """Read all pairs once, before training: 112 KB of memory for each of 128 x 128."""
    num_workers: int = 0

    schedule: Literal["constant", "one-cycle", "cosine"] = "constant"
    """one-cycle: warm-up over a tenth of the steps, then cosine (Smith & Topin 2018)."""
    grad_clip: float | None = None
    """Largest norm of the gradient."""
    hole_term: HoleTerm = "l1"
    """What the loss asks of the hole's pixels; see `completion_loss`."""
    ssim_weight: float = 0.2
    """Share of 1 - SSIM in the loss; the hole's term has the rest."""
    bfloat16: bool = False
    """Autocast the network to bfloat16; the losses stay in float32."""
    seed: int = 0
    resume: bool = False
    """Continue the run in save_dir; start one if there is none."""
    overwrite: bool = False
    """Replace the run in save_dir."""

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name.endswith("_dir") and getattr(self, f.name) is not None:
                setattr(self, f.name, Path(getattr(self, f.name)))

    def model_options(self) -> dict[str, Any]:
        """The arguments of the `PixelRNN` to train."""
        names = "hidden_channels num_layers patch_size norm prefill standardize"
        return {name: getattr(self, name) for name in names.split()}

    def plain(self) -> dict[str, Any]:
        """As numbers and strings only, to be loaded with `weights_only=True`."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}


class Step(NamedTuple):
    """What the loop yields after each step. `lr` is the learning rate that the step used."""

    epoch: int  # from 1
    step: int  # from 1, through all epochs
    total_steps: int
    lr: float
    l1: float
    ssim: float
    loss: float
    log: dict[str, float] | None  # the epoch's line of the log, at its last step; else None


def completion_loss(
    pred: Tensor, batch: Triple, *, hole_term: HoleTerm = "l1", ssim_weight: float = 0.2
) -> tuple[Tensor, Tensor, Tensor]:
    """`(loss, l1, ssim)`, scalars: loss = (1 - w) T + w (1 - SSIM), with T by `hole_term`.

    "l1": L1 compares `pred * mask` with `original * mask` and is averaged over all pixels, so
    a hole counts by its area. "l1-per-hole": over each hole's pixels, then over the batch.
    "psnr": 1 - PSNR / 50 dB of each hole, so that a faint hole counts like a contrasty one; a
    squared error under 1e-5, which is 50 dB, counts as none. SSIM compares the composite with
    the original. Computed in float32 at least.
    """
    occluded, original, mask = batch
    pred = pred.to(torch.promote_types(pred.dtype, torch.float32))
    difference = (pred * mask - original * mask).abs()
    hole = (mask.sum(dim=(1, 2, 3)) * pred.shape[1]).clamp(min=1)
    per_hole = (difference.sum(dim=(1, 2, 3)) / hole).mean()
    term = l1 = difference.mean() if hole_term == "l1" else per_hole
    if hole_term == "psnr":
        mse = difference.square().sum(dim=(1, 2, 3)) / hole
        term = 1 + (mse + 1e-5).log10().mean() / 5
    similarity = ssim(compose(occluded, pred, mask), original)
    return (1 - ssim_weight) * term + ssim_weight * (1 - similarity), l1, similarity


def train_step(
    model: nn.Module,
    batch: Triple,
    optimizer: torch.optim.Optimizer,
    *,
    grad_clip: float | None = None,
    hole_term: HoleTerm = "l1",
    ssim_weight: float = 0.2,
    bfloat16: bool = False,
) -> dict[str, float]:
    """One step of the optimizer on a batch `(occluded, original, mask)` on the model's device.

    Returns {"l1", "ssim", "loss"} before the step. Raises FloatingPointError, leaving the
    weights as they were, when the loss or its gradient is NaN or infinite; and what
    `check_triple` raises.
    """
    check_triple(*batch)
    occluded, _, mask = batch
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(occluded.device.type, torch.bfloat16, enabled=bfloat16):
        pred = model(occluded, mask)
    loss, l1, similarity = completion_loss(
        pred, batch, hole_term=hole_term, ssim_weight=ssim_weight
    )
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss became {loss.item()}; {KEPT}")
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), grad_clip or float("inf"))
    if not torch.isfinite(norm):
        raise FloatingPointError(f"the gradient became {norm.item()}; {KEPT}")
    optimizer.step()
    return {"l1": l1.item(), "ssim": similarity.item(), "loss": loss.item()}


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
        self.device = choose_device(config.device)
        if config.batch_size % self.world:
            raise ValueError(
                f"batch_size {config.batch_size} must be a multiple of the {self.world} processes"
            )
        if self.world > 1:
            self._join_processes()

        data = self._pairs(config.occluded_dir, config.original_dir, config.mask_dir)
        self.sampler: DistributedSampler = DistributedSampler(
            data, num_replicas=self.world, rank=self.rank, seed=config.seed
        )
        self.loader = DataLoader(
            data,
            config.batch_size // self.world,
            sampler=self.sampler,
            num_workers=config.num_workers,
            pin_memory=self.device.type != "cpu",
        )
        self.val: Dataset | None = None
        if config.val_occluded_dir is not None and config.val_original_dir is not None:
            self.val = self._pairs(
                config.val_occluded_dir, config.val_original_dir, config.val_mask_dir
            )
        self.total_steps = config.epochs * len(self.loader)
        self.loss_options: dict[str, Any] = {
            "hole_term": config.hole_term,
            "ssim_weight": config.ssim_weight,
        }
        self.folder = RunFolder(config.save_dir)

        torch.manual_seed(config.seed)
        self.model = PixelRNN(**config.model_options()).to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr)
        self.schedule = self._make_schedule()
        self.epoch, self.history = 0, list[dict[str, float]]()
        if not config.overwrite:
            self.folder.refuse(config.resume)
            if self.folder.state.is_file():
                self._resume()

    def steps(self) -> Iterator[Step]:
        """Train to the end, yielding after each step; at an epoch's last, after it is on disk.

        Stop by not asking for more, or by closing the generator: `state.pth` then holds the
        last complete epoch, and a new Trainer with `resume` goes on from there.
        """
        model: nn.Module = self.model
        if self.world > 1:
            model = DistributedDataParallel(model)
        with nullcontext() if self.rank else self.folder.sole_writer():
            if self.rank == 0 and self.epoch == 0:
                self.folder.clear()
            elif self.rank == 0:
                self._export(self.epoch)  # a run killed after its state had yet to write the rest
            while self.epoch < self.config.epochs:
                yield from self._one_epoch(model)

    def _one_epoch(self, model: nn.Module) -> Iterator[Step]:
        config, epoch = self.config, self.epoch + 1
        # All randomness of an epoch follows from (seed, epoch), so a resumed run repeats it.
        self.sampler.set_epoch(epoch)
        torch.manual_seed(config.seed + 1_000_003 * epoch)
        rng = np.random.default_rng([config.seed, epoch, self.rank])
        holes = config.hole_kind, config.longest_hole
        sums = torch.zeros(4)  # L1, SSIM, loss, pictures
        model.train()
        for i, batch in enumerate(self.loader, start=1):
            if config.crop_size is not None or config.fresh_holes:
                batch = crop_and_cover(batch, config.crop_size, config.fresh_holes, rng, *holes)
            occluded, original, mask = self._on_device(batch)
            lr, step = self.optimizer.param_groups[0]["lr"], self.epoch * len(self.loader) + i
            try:
                losses = train_step(
                    model,
                    (occluded, original, mask),
                    self.optimizer,
                    grad_clip=config.grad_clip,
                    **self.loss_options,
                    bfloat16=config.bfloat16,
                )
            except FloatingPointError as error:
                raise FloatingPointError(f"step {step} (epoch {epoch}): {error}") from None
            self.schedule.step()
            sums += len(mask) * torch.tensor([*losses.values(), 1.0])
            log = self._end_epoch(epoch, lr, sums) if i == len(self.loader) else None
            yield Step(epoch, step, self.total_steps, lr, **losses, log=log)

    def _end_epoch(self, epoch: int, lr: float, sums: Tensor) -> dict[str, float]:
        """Averages over the epoch and validation; then everything to disk, the state first."""
        if not all(p.isfinite().all() for p in self.model.parameters()):
            raise FloatingPointError(
                f"epoch {epoch}: its weights are no longer finite and are not kept; "
                "try a lower lr or a grad_clip"
            )
        if self.world > 1:
            sums = sums.to(self.device)
            dist.all_reduce(sums)
        averages = (sums[:3] / sums[3]).tolist()
        log = dict(zip(COLUMNS, [epoch, lr, *averages], strict=True))
        if self.rank == 0:
            log |= self.validate()
            self.history.append(log)
            self._save_state(epoch)
            self._export(epoch)
        self.epoch = epoch
        return log

    def _export(self, epoch: int) -> None:
        """What people look at; all of it follows from the state."""
        self.folder.write_log(self.history)
        samples = self.folder.path / "samples" / f"sample_epoch{epoch}.png"
        weights = self.folder.path / f"model_epoch{epoch}.pth"
        if epoch == 1 or epoch % 5 == 0 or epoch == self.config.epochs:
            if not samples.is_file():
                self._save_samples(samples)
            if not weights.is_file():
                save_model(self.model, weights)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Averages over the validation pairs; the hole's PSNR as a mean over pictures."""
        if self.val is None:
            return {}
        self.model.eval()
        rows = []
        for batch in DataLoader(self.val, self.config.batch_size):
            occluded, original, mask = self._on_device(batch)
            pred = self.model(occluded, mask)
            loss, l1, similarity = completion_loss(
                pred, (occluded, original, mask), **self.loss_options
            )
            db = psnr(pred, original, mask)
            rows += [[l1.item(), similarity.item(), loss.item(), one] for one in db.tolist()]
        # Masked: a hole filled without any error has an infinite PSNR.
        means = np.ma.masked_invalid(rows).mean(axis=0).filled(np.inf)
        return dict(zip(VAL_COLUMNS, means.tolist(), strict=True))

    @torch.no_grad()
    def _save_samples(self, path: Path) -> None:
        self.model.eval()
        pairs = self.val or self.loader.dataset
        chosen = np.linspace(0, len(pairs) - 1, min(8, len(pairs))).astype(int)  # type: ignore[arg-type]
        batch = default_collate(list(Subset(pairs, chosen.tolist())))  # type: ignore[call-overload]
        occluded, original, mask = self._on_device(batch)
        pred = self.model(occluded, mask)
        path.parent.mkdir(exist_ok=True)
        with written_whole(path) as partial:
            rows = torch.cat([occluded, compose(occluded, pred, mask), original])
            save_image(rows, partial, nrow=len(chosen), format="png")

    def _save_state(self, epoch: int) -> None:
        """Everything a continuation needs; the original kept weights alone."""
        state = {
            "format": CHECKPOINT_FORMAT,
            "config": self.model.config,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "train_config": self.config.plain(),
            "epoch": epoch,
            "history": self.history,
        }
        with written_whole(self.folder.state) as partial:
            torch.save(state, partial)

    def _make_schedule(self) -> lr_scheduler.LRScheduler:
        steps, kind = self.total_steps, self.config.schedule
        if kind == "one-cycle":
            # With ten steps torch would divide by a warm-up of no length.
            warm_up = 0.1 if steps != 10 else 0.2
            return lr_scheduler.OneCycleLR(self.optimizer, self.config.lr, steps, pct_start=warm_up)
        if kind == "cosine":
            return lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        return lr_scheduler.ConstantLR(self.optimizer, factor=1.0)

    def _resume(self) -> None:
        model, state = read_checkpoint(self.folder.state)
        free = FREE_TO_CHANGE | ({"epochs"} if self.config.schedule == "constant" else set())
        if "train_config" not in state:
            raise ValueError(f"{self.folder.state}: weights alone, nothing to resume; {REMEDY}")
        before, now = state["train_config"], self.config.plain()
        changed = [
            f"{name} was {before.get(name)!r}, is {now[name]!r}"
            for name in now.keys() - free
            if before.get(name) != now[name]
        ]
        if changed:
            raise ValueError(
                f"{self.folder.state}: cannot resume with another configuration "
                f"({'; '.join(sorted(changed))}); use the same, or overwrite=True"
            )
        self.model.load_state_dict(model.state_dict())
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        self.epoch, self.history = state["epoch"], state["history"]

    def _pairs(self, occluded_dir: Path, original_dir: Path, mask_dir: Path | None) -> Dataset:
        pairs = ImageCompletionDataset(occluded_dir, original_dir, mask_dir=mask_dir)
        return in_memory(pairs) if self.config.in_memory else pairs

    def _on_device(self, batch: list[Tensor]) -> list[Tensor]:
        return [as_float(t.to(self.device, non_blocking=True)) for t in batch]

    def _join_processes(self) -> None:
        if self.device.type != "cpu":
            self.device = torch.device(self.device.type, int(os.environ["LOCAL_RANK"]))
            torch.accelerator.set_device_index(self.device.index)
        if not dist.is_initialized():
            dist.init_process_group(dist.get_default_backend_for_device(self.device))


def train(
    occluded_dir: str | os.PathLike = OCCLUDED,
    original_dir: str | os.PathLike = ORIGINAL,
    save_dir: str | os.PathLike = CHECKPOINTS,
    epochs: int = 200,
    batch_size: int = 4,
    lr: float = 1e-4,
    hidden_channels: int = 48,
    device: str | None = None,
    **options: Any,
) -> PixelRNN:
    """Train a `PixelRNN` on pairs of pictures with one progress bar; returns it, in eval mode.

    The defaults are the original's. Every other field of `TrainConfig` is a keyword. In
    `save_dir`: `training_log.txt` (a line an epoch: averages over it, where the original wrote
    its last batch), `model_epoch{N}.pth` and `samples/sample_epoch{N}.png` at epoch 1, every
    5th and the last, and `state.pth` after every epoch, to resume from. Raises what `Trainer`
    and `train_step` raise.
    """
    paths = (Path(occluded_dir), Path(original_dir), Path(save_dir))
    config = TrainConfig(*paths, epochs, batch_size, lr, hidden_channels, device, **options)
    return run(Trainer(config))


def run(trainer: Trainer) -> PixelRNN:
    """Train to the end behind a progress bar. Ctrl-C passes through; the state is on disk."""
    done, hidden = trainer.epoch * len(trainer.loader), trainer.rank > 0
    with tqdm(total=trainer.total_steps, initial=done, unit="step", disable=hidden) as bar:
        for step in trainer.steps():
            bar.set_description(f"epoch {step.epoch}/{trainer.config.epochs}", refresh=False)
            bar.set_postfix_str(
                f"L1 {step.l1:.4f}, SSIM {step.ssim:.3f}, loss {step.loss:.4f}", refresh=False
            )
            bar.update()
    return trainer.model.eval()
