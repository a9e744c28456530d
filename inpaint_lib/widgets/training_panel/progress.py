"""How far training is, as a run of this kernel tells or as the folder does, and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...checkpoints import read_checkpoint
from ...model import PixelRNN
from ...paths import default_path
from ...training import TrainConfig
from .forecast import duration
from .run import BUSY, Run, State


@dataclass
class Kept:
    """What the last complete epoch of a run left on disk."""

    config: TrainConfig
    epoch: int
    history: list[dict[str, float]]

    @property
    def unfinished(self) -> bool:
        return self.epoch < self.config.epochs


def read_kept(folder: Path) -> tuple[Kept, PixelRNN] | None:
    """The run in a folder and its network, in eval mode on the CPU; None when there is none.

    Raises ValueError, naming the file, when it cannot be continued.
    """
    path = folder / "state.pth"
    if not path.is_file():
        return None
    model, state = read_checkpoint(path)
    try:
        config = TrainConfig(**state["train_config"])
        return Kept(config, state["epoch"], state["history"]), model.eval()
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not written by this version's training ({error})") from error


def folders_now(kept: TrainConfig, base: TrainConfig) -> dict[str, Any]:
    """The folders of a kept run where they are now: as `base` has them, for they may have moved."""
    names = [f.name for f in fields(kept) if f.name.endswith("_dir")]
    both = {name: (getattr(kept, name), getattr(base, name)) for name in names}
    return {name: there or then for name, (then, there) in both.items() if then}


@dataclass(frozen=True)
class Progress:
    """How far training is, whether a run tells or what is kept of one."""

    state: State
    epochs: int = 0
    """How many were asked for."""
    step: int = 0
    total_steps: int = 0
    """Zero as long as a run reads its pairs, and where no run is."""
    share: float = 0.0
    """Of the whole, from 0 to 1."""
    losses: Sequence[tuple[float, float]] = ()
    """(epochs done, loss) of each step, as far as known."""
    history: Sequence[Mapping[str, float]] = ()
    """The log of each complete epoch."""
    seconds_left: float | None = None
    resumable: bool = False
    """Whether the folder keeps a run that is not at its end."""
    error: str = ""

    @property
    def busy(self) -> bool:
        return self.state in BUSY


def progress_of(run: Run | None, kept: Kept | None) -> Progress:
    """What the run says, if there is one; else what the folder does."""
    resumable = kept is not None and kept.unfinished
    share = kept.epoch / kept.config.epochs if kept else 0.0
    if run is not None:
        return Progress(
            run.state,
            run.config.epochs,
            step=run.step,
            total_steps=run.total_steps,
            share=run.step / run.total_steps if run.total_steps else share,
            losses=run.losses,
            history=list(run.history),
            seconds_left=run.seconds_left,
            resumable=resumable,
            error=run.error,
        )
    if kept is None:
        return Progress("idle")
    return Progress(
        "stopped" if resumable else "finished",
        kept.config.epochs,
        share=share,
        history=kept.history,
        resumable=resumable,
    )


def sentence(now: Progress, kept: Kept | None, folder: Path) -> str:
    """What is going on, what is on disk, and what the buttons would do."""
    root = default_path()
    where = folder.relative_to(root) if folder.is_relative_to(root) else folder
    if now.busy:
        if not now.total_steps:
            return "Reading the pairs."
        left = "" if now.seconds_left is None else f", about {duration(now.seconds_left)} left"
        loss = f": loss {now.losses[-1][1]:.3f}" if now.losses else ""
        done = f"step {now.step:,} of {now.total_steps:,}{loss}{left}."
        return {
            "running": f"Training, {done}",
            "paused": f"Paused, {done} Resume goes on.",
            "stopping": f"Stopping, {done} The step under way is finished first.",
        }[now.state]
    if kept is None:
        before = "Nothing" if now.state == "idle" else "No epoch was completed, so nothing"
        return f"{before} is kept in {where}. Start begins a run."
    if not kept.unfinished:
        return f"Finished: epoch {kept.epoch} is kept in {where}. Start replaces it."
    return (
        f"Stopped: epoch {kept.epoch} of {kept.config.epochs} is kept in {where}. "
        "Resume goes on from there; Start replaces it."
    )
