"""A training run in a thread of its own: paused, resumed, stopped and watched from outside."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, cast

from ...checkpoints import read_checkpoint
from ...model import PixelRNN
from ...paths import default_path
from ...training import Step, TrainConfig, Trainer
from .forecast import duration

State = Literal["idle", "running", "paused", "stopping", "stopped", "finished", "failed"]
BUSY = ("running", "paused", "stopping")
# What may be asked of a run, in which states, and the state that follows.
MOVES: dict[str, dict[State, State]] = {
    "pause": {"running": "paused"},
    "resume": {"paused": "running"},
    "stop": {"running": "stopping", "paused": "stopping"},
}


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


class Run(threading.Thread):
    """Trains until its end, a stop or an error; the kernel's main thread stays free.

    look: called with the network before the first step and after each epoch, while it rests;
    what it returns is in `seen`. watch: called after each step and at the end, in this thread.
    losses: of the steps before, where a run is continued.

    A daemon: a kernel that is shut down does not wait for it. What is on disk then is a complete
    epoch, because `Trainer` replaces its files whole.
    """

    def __init__(
        self,
        config: TrainConfig,
        look: Callable[[Trainer], Any],
        watch: Callable[["Run | None"], None],
        losses: Sequence[tuple[float, float]] = (),
    ):
        super().__init__(daemon=True)
        self.config, self.look, self.watch = config, look, watch
        self.state: State = "running"
        self.error = ""
        self.losses = list(losses)  # (epochs done, loss) after each step
        self.history = list[dict[str, float]]()
        self.step = self.total_steps = self.taken = 0
        self.seconds = 0.0  # in steps, validation and writing; pauses do not count
        self.seen: Any = None
        self._go, self._change = threading.Event(), threading.Lock()
        self._go.set()

    @staticmethod
    def alive(folder: Path) -> "Run | None":
        """The run that this process has going in a folder."""
        runs = (thread for thread in threading.enumerate() if isinstance(thread, Run))
        return next((r for r in runs if r.config.save_dir.resolve() == folder.resolve()), None)

    def ask(self, move: str) -> bool:
        """Ask from any thread to "pause", "resume" or "stop", once the step under way is done.

        False when the state does not allow it, as after a double click.
        """
        with self._change:
            state = MOVES[move].get(self.state)
            if state is None:
                return False
            self.state = state
            if state == "paused":
                self._go.clear()
            else:
                self._go.set()
            return True

    def hand_over(self, watch: Callable[["Run | None"], None]) -> None:
        """Let another watch from now on; the one before is told by None."""
        before, self.watch = self.watch, watch
        before(None)
        watch(self)

    @property
    def seconds_left(self) -> float | None:
        """From the speed so far; None before the first step."""
        if not self.taken:
            return None
        return self.seconds / self.taken * (self.total_steps - self.step)

    def run(self) -> None:
        try:
            done = self._train()
        except Exception as error:  # of any kind: it has to reach the page, not a log
            self.error = str(error) or type(error).__name__
            self._end("failed")
        else:
            self._end("finished" if done else "stopped")

    def _train(self) -> bool:
        trainer = Trainer(self.config)
        per_epoch, self.total_steps = len(trainer.batches), trainer.total_steps
        self.step, self.history = trainer.epoch * per_epoch, trainer.history
        self.seen = self.look(trainer)
        self.watch(self)
        steps = cast(Generator[Step, None, None], trainer.steps())
        with closing(steps):  # so that the folder is free when the thread ends
            while self._may_go_on():
                began = perf_counter()
                step = next(steps, None)
                if step is None:
                    break
                self.seconds += perf_counter() - began
                self.step, self.taken = step.step, self.taken + 1
                self.losses.append((step.step / per_epoch, step.loss))
                if step.log:
                    self.seen = self.look(trainer)
                self.watch(self)
        return trainer.epoch == self.config.epochs

    def _may_go_on(self) -> bool:
        self._go.wait()
        return self.state != "stopping"

    def _end(self, state: State) -> None:
        with self._change:
            self.state = state
        self.watch(self)


def sentence(state: State, run: Run | None, kept: Kept | None, folder: Path) -> str:
    """What is going on, what is on disk, and what the buttons would do."""
    root = default_path()
    where = folder.relative_to(root) if folder.is_relative_to(root) else folder
    if run and state in BUSY:
        if not run.total_steps:
            return "Reading the pairs."
        left = "" if run.seconds_left is None else f", about {duration(run.seconds_left)} left"
        loss = f": loss {run.losses[-1][1]:.3f}" if run.losses else ""
        done = f"step {run.step:,} of {run.total_steps:,}{loss}{left}."
        return {
            "running": f"Training, {done}",
            "paused": f"Paused, {done} Resume goes on.",
            "stopping": f"Stopping, {done} The step under way is finished first.",
        }[state]
    if kept is None:
        before = "No epoch was completed, so nothing" if run else "Nothing"
        return f"{before} is kept in {where}. Start begins a run."
    if not kept.unfinished:
        return f"Finished: epoch {kept.epoch} is kept in {where}. Start replaces it."
    return (
        f"Stopped: epoch {kept.epoch} of {kept.config.epochs} is kept in {where}. "
        "Resume goes on from there; Start replaces it."
    )
