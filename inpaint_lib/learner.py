"""One training step, and what learns: network, optimizer, schedule, average of the weights.

Taught in notebooks/04_training.ipynb.
"""

import math
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer, lr_scheduler
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .checks import check_shapes, check_triple
from .config import Precision, Schedule, TrainConfig
from .losses import HoleTerm, Losses, completion_loss
from .model import PixelRNN, threads_for

KEPT = "the weights before this step were kept: try a lower lr or a grad_clip"


def train_step(
    model: nn.Module,
    batch: tuple[Tensor, Tensor, Tensor],
    optimizer: Optimizer,
    *,
    grad_clip: float | None = None,
    hole_term: HoleTerm = "l1",
    ssim_weight: float = 0.2,
    precision: Precision = "float32",
    scaler: torch.amp.GradScaler | None = None,
    start: Tensor | None = None,
) -> Losses:
    """One step of the optimizer on a batch `(occluded, original, mask)` on the model's device.

    Returns the losses before the step. Raises FloatingPointError, leaving the weights as they
    were, when the loss or its gradient is NaN or infinite; and what `check_triple` raises.

    scaler: do not wait for the device. Values are not checked then, a step whose gradient is not
    finite leaves the weights as they were, and its loss is returned as NaN. The optimizer must
    be a fused one, or it waits all the same. Raises what `check_shapes` raises.
    start: what the network starts from, see `PixelRNN.begin`; None: it computes that itself.
    """
    (check_shapes if scaler else check_triple)(*batch)
    occluded, _, mask = batch
    device = occluded.device.type
    dtype = autocast_dtype(precision, occluded.device)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        pred = model(occluded, mask, start)
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


class Learner:
    """What learns: the network, its optimizer and schedule, a running average of its weights.

    processes: of torch.distributed, which share each batch; their gradients are averaged.
    """

    def __init__(self, config: TrainConfig, steps: int, device: torch.device, processes: int = 1):
        self.config = config
        self.steps = steps
        # The caller's random numbers stay theirs, and the weights are the same on any device.
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.default_generator.manual_seed(config.seed)
            self.model = PixelRNN(**config.model_options())
        self.model.to(device)
        self.average = None if config.ema is None else deepcopy(self.model)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr, fused=True)
        self.schedule = make_schedule(self.optimizer, config.schedule, config.lr, steps)
        half = config.precision == "float16"
        self.scaler = torch.amp.GradScaler(
            device.type,
            init_scale=2.0**16 if half else 1.0,
            growth_interval=2000 if half else 2**31 - 1,
        )
        self.wrapped: nn.Module = self.model
        if config.compile:
            self.wrapped = cast("nn.Module", torch.compile(self.model))
        if processes > 1:
            self.wrapped = DistributedDataParallel(self.wrapped)

    @property
    def kept(self) -> PixelRNN:
        """The network that is validated and written: the running average where there is one."""
        return self.model if self.average is None else self.average

    def step(self, batch: tuple[Tensor, Tensor, Tensor], start: Tensor | None = None) -> Losses:
        """One step on a batch on the device, which nothing waits for; see `train_step`."""
        config = self.config
        with threads_for(self.model, batch[2].numel()):
            losses = train_step(
                self.wrapped,
                batch,
                self.optimizer,
                grad_clip=config.grad_clip,
                hole_term=config.hole_term,
                ssim_weight=config.ssim_weight,
                precision=config.precision,
                scaler=self.scaler,
                start=start,
            )
        if self.average is not None and config.ema is not None:
            # Not through torch's AveragedModel: its counter of steps makes a GPU wait.
            update = get_ema_multi_avg_fn(config.ema)
            update(list(self.average.parameters()), list(self.model.parameters()), None)
        self.schedule.step()
        return losses

    def check(self, epoch: int) -> None:
        """Raises FloatingPointError when a weight is not finite: it must not be written."""
        if not all(p.isfinite().all() for p in self.model.parameters()):
            raise FloatingPointError(
                f"epoch {epoch}: its weights are no longer finite and are not kept; "
                "try a lower lr or a grad_clip"
            )

    def state(self) -> dict[str, Any]:
        """Everything a continuation needs; "model" is the network that is kept."""
        state = {
            "config": self.model.config,
            "model": self.kept.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        if self.average is not None:
            state["trained"] = self.model.state_dict()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned and `Trainer.state` added."""
        self.model.load_state_dict(state.get("trained", state["model"]))
        if self.average is not None:
            self.average.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        done = state["epoch"] * self.steps // self.config.epochs
        if state["schedule"]["last_epoch"] == done:
            self.schedule.load_state_dict(state["schedule"])
        else:  # pictures came or went since: an epoch has other steps, the run the same epochs
            self.schedule.last_epoch = done
        self.scaler.load_state_dict(state["scaler"])


def make_schedule(
    optimizer: Optimizer, schedule: Schedule, lr: float, steps: int
) -> lr_scheduler.LRScheduler:
    """How the learning rate goes on over all steps of a run."""
    if schedule == "one-cycle":
        # With ten steps torch would divide by a warm-up of no length.
        warm_up = 0.1 if steps != 10 else 0.2
        return lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=warm_up)
    if schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def check_finite(losses: list[Tensor], step: int, epoch: int) -> None:
    """Raises FloatingPointError, naming the step, if one of the last losses, to `step`, is not."""
    values = torch.stack(losses).tolist()
    for before, value in zip(reversed(range(len(values))), values, strict=True):
        if not math.isfinite(value):
            raise FloatingPointError(
                f"step {step - before} (epoch {epoch}): the loss or its gradient became {value}; "
                f"{KEPT}"
            )
