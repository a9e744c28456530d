"""A training run in a thread of its own: paused, resumed, stopped and watched from outside."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, cast

from ...training import Step, TrainConfig, Trainer

State = Literal["idle", "running", "paused", "stopping", "stopped", "finished", "failed"]
BUSY = ("running", "paused", "stopping")
# What may be asked of a run, in which states, and the state that follows.
MOVES: dict[str, dict[State, State]] = {
    "pause": {"running": "paused"},
    "resume": {"paused": "running"},
    "stop": {"running": "stopping", "paused": "stopping"},
}


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
        self.config = config
        self.look = look
        self.watch = watch
        self.state: State = "running"
        self.error = ""
        self.losses = list(losses)  # (epochs done, loss) after each step
        self.history: list[dict[str, float]] = []
        self.step = 0  # of the whole run; `taken` counts those of this thread
        self.taken = 0
        self.total_steps = 0  # as long as the pairs are being read
        self.seconds = 0.0  # in steps, validation and writing; pauses do not count
        self.seen: Any = None
        self._change = threading.Lock()
        self._go = threading.Event()
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
        self.watch, before = watch, self.watch
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
        per_epoch = len(trainer.batches)
        self.step = trainer.epoch * per_epoch
        self.history = trainer.history
        self.total_steps = trainer.total_steps
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
                self.step = step.step
                self.taken += 1
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
