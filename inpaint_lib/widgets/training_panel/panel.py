"""The training panel of chapter 4: turn a hyperparameter, train, watch, pause, stop, go on."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import ipywidgets

from ... import figures
from ...data import Batch
from ...filling import FILLS
from ...model import choose_device
from ...paths import default_path
from ...photographs.recipes import preset
from ...training import TrainConfig, Trainer
from ..panel import Panel, Picture, Words
from .forecast import duration, forecast
from .knobs import columns, make_knobs, set_knob, value_of, without_effect
from .run import BUSY, Kept, Run, State, read_kept, sentence
from .samples import (
    NOISE,
    Samples,
    curves_in_words,
    draw_curves,
    draw_samples,
    fixed_pairs,
    look,
    samples_in_words,
)

SHORT = 8  # epochs on the wall: a minute or two on one core
WORDS_EVERY, PICTURES_EVERY = 0.5, 2.0  # seconds


class TrainingPanel(Panel):
    """Hyperparameters to turn; Start, Pause, Resume, Stop; what the network learns meanwhile.

    config: what the knobs start from, and the folders; None: the preset, a short run on the
    brick wall into checkpoints/runs/panel. A run that is under way in this kernel, or that lies
    in `config.save_dir`, is taken up with its settings.
    """

    def __init__(self, config: TrainConfig | None = None):
        runs = default_path("checkpoints", "runs", "panel")
        self.base = config or preset(default_path("dataset", "bricks"), runs, epochs=SHORT)
        self.kept: Kept | None = None
        self.live: Run | None = None
        self.samples: Samples | None = None
        self._batch: Batch | None = None
        self._lock = threading.RLock()  # clicks come from one thread, steps from another
        self._turning = False
        self._next_words = self._next_pictures = 0.0  # by the clock of perf_counter

        self.knobs = make_knobs()
        self.preset = ipywidgets.Button(description="Preset")
        self.plain = ipywidgets.Button(description="Plain original")
        self.start = ipywidgets.Button(description="Start", icon="play", button_style="primary")
        self.pause = ipywidgets.Button(description="Pause", icon="pause")
        self.resume = ipywidgets.Button(description="Resume", icon="step-forward")
        self.stop = ipywidgets.Button(description="Stop", icon="stop")
        self.bar = ipywidgets.FloatProgress(min=0, max=1, layout={"width": "16em"})
        self.forecast, self.status = Words(), Words()
        self.curves, self.picture = Picture(), Picture()

        first = preset(default_path(), self.base.save_dir, epochs=SHORT)
        self.preset.on_click(lambda _: self.turn(first))
        self.plain.on_click(lambda _: self.turn(TrainConfig()))
        self.start.on_click(self._start)
        self.resume.on_click(self._resume)
        self.pause.on_click(partial(self._ask, "pause"))
        self.stop.on_click(partial(self._ask, "stop"))
        for knob in self.knobs.values():
            knob.observe(self._turned, "value")
        super().__init__(
            [
                ipywidgets.HBox([ipywidgets.Label("All knobs:"), self.preset, self.plain]),
                columns(self.knobs),
                self.forecast,
                ipywidgets.HBox([self.start, self.pause, self.resume, self.stop, self.bar]),
                self.status,
                self.curves,
                self.picture,
            ]
        )
        self._take_up()

    @property
    def config(self) -> TrainConfig:
        """What the knobs say; folders and all else as in `base`."""
        return replace(self.base, **{name: value_of(knob) for name, knob in self.knobs.items()})

    @property
    def state(self) -> State:
        if self.live:
            return self.live.state
        if self.kept is None:
            return "idle"
        return "stopped" if self.kept.unfinished else "finished"

    def turn(self, config: TrainConfig) -> None:
        """Set all knobs."""
        self._turning = True
        for name, knob in self.knobs.items():
            set_knob(knob, getattr(config, name))
        self._turning = False
        self._turned()

    def _turned(self, change: Any = None) -> None:
        if self._turning or self.state in BUSY:
            return
        self._enable()
        try:
            cost = forecast(self.config)
            if self.state == "idle":
                self._show_start()
        except (OSError, ValueError, RuntimeError) as error:
            self.forecast.say(str(error), error=True)
            return
        self.forecast.say(
            f"{cost.parameters:,} parameters; {cost.steps:,} steps; about "
            f"{duration(cost.seconds)} on this machine ({choose_device(self.base.device)})."
        )

    def _show_start(self) -> None:
        """Before any run: what the network would begin from."""
        prefill = value_of(self.knobs["prefill"])
        name = f"{prefill} fill" if prefill else NOISE
        if self.samples is None or self.samples.name != name:
            self._batch = self._batch or fixed_pairs(self.base)
            fill = FILLS[prefill] if prefill else lambda occluded, mask: occluded
            self.samples = look(fill, self._batch, name)
            self._draw_samples()

    def _take_up(self) -> None:
        """Show a run of this kernel that is under way, or what lies in the folder."""
        live = Run.alive(self.base.save_dir)
        if live:
            self.turn(live.config)
            self.live = live
            live.hand_over(self._follow)
            return
        found = self._read()
        self.turn(self.kept.config if self.kept else self.base)
        if self.kept and found:
            self._draw_curves()
            try:
                self._batch = fixed_pairs(self.base)
            except (OSError, ValueError):
                return  # said by the forecast, which needs the same folders
            self.samples = look(found, self._batch, f"epoch {self.kept.epoch}")
            self._draw_samples()

    def _read(self) -> Any:
        """Look into the folder, say what is there; returns the network in it, or None."""
        self.kept, network, problem = None, None, ""
        try:
            if read := read_kept(self.base.save_dir):
                self.kept, network = read
        except (OSError, ValueError) as error:
            problem = f"{error}. Start replaces it."
        self._tell(problem)
        return network

    def _start(self, button: Any = None) -> None:
        if self.state in BUSY:  # a second click that was on its way
            return
        expected = self.kept
        self._read()
        # What has come into the folder since is not replaced before it has been shown.
        if self.kept is None or self.kept == expected:
            self._train(replace(self.config, resume=False, overwrite=True))

    def _resume(self, button: Any = None) -> None:
        if self.state == "paused":
            self._ask("resume")
        elif self.state not in BUSY and self.kept and self.kept.unfinished:
            here: dict[str, Any] = {"save_dir": self.base.save_dir, "device": self.base.device}
            config = replace(self.kept.config, resume=True, overwrite=False, **here)
            self.turn(config)
            before = self.live.losses if self.live else []
            self._train(config, [loss for loss in before if loss[0] <= self.kept.epoch])

    def _train(self, config: TrainConfig, losses: Sequence[tuple[float, float]] = ()) -> None:
        self.live = Run(config, self._look, self._follow, losses)
        self._next_words = self._next_pictures = 0.0
        self._tell()
        self.live.start()

    def _ask(self, move: str, button: Any = None) -> None:
        if self.live and self.live.ask(move):
            self._tell()

    def _look(self, trainer: Trainer) -> Samples:
        self._batch = self._batch or fixed_pairs(trainer.config)
        name = f"epoch {trainer.epoch}" if trainer.epoch else "start"
        return look(trainer.model.eval(), self._batch.to(trainer.device), name)

    def _follow(self, run: Run | None) -> None:
        """Called by the run; with None when another panel has taken it over."""
        with self._lock:
            if run is None:
                self._switch_off()
                return
            ended, now = run.state not in BUSY, perf_counter()
            if ended or now > self._next_pictures:
                self._draw_curves()
                if run.seen is not None and run.seen is not self.samples:
                    self.samples = run.seen
                    self._draw_samples()
                done = perf_counter()  # most of the time belongs to training
                self._next_pictures = done + max(PICTURES_EVERY, 5 * (done - now))
            if ended:
                self._read()
            elif now > self._next_words:
                self._tell()
                self._next_words = now + WORDS_EVERY

    def _switch_off(self) -> None:
        for control in (*self.knobs.values(), *self._buttons()):
            control.disabled = True
        self.status.say("Another panel has taken this run over; this one no longer follows it.")

    def _tell(self, problem: str = "") -> None:
        """Words, bar and buttons, as the state is now."""
        with self._lock:
            run, kept = self.live, self.kept
            self._enable()
            if run and run.total_steps:
                self.bar.value = run.step / run.total_steps
            else:
                self.bar.value = kept.epoch / kept.config.epochs if kept else 0
            now = sentence(self.state, run, kept, self.base.save_dir)
            if run and run.state == "failed":
                problem = f"The run failed: {run.error}. {now}"
            self.status.say(problem or now, error=bool(problem))

    def _buttons(self) -> dict[Any, bool]:
        """Each button, and whether the state allows it."""
        state, unfinished = self.state, bool(self.kept and self.kept.unfinished)
        free = state not in BUSY
        return {
            self.preset: free,
            self.plain: free,
            self.start: free,
            self.pause: state == "running",
            self.resume: state == "paused" or (free and unfinished),
            self.stop: state in ("running", "paused"),
        }

    def _enable(self) -> None:
        values = {name: knob.value for name, knob in self.knobs.items()}
        useless, busy = without_effect(values), self.state in BUSY
        for name, knob in self.knobs.items():
            knob.disabled = busy or name in useless
        for button, allowed in self._buttons().items():
            button.disabled = not allowed

    def _draw_curves(self) -> None:
        if self.live:
            losses, epochs = self.live.losses, self.live.config.epochs
            history = list(self.live.history)
        elif self.kept:
            losses, history, epochs = [], self.kept.history, self.kept.config.epochs
        if not losses and not history:
            return
        figure = draw_curves(losses, history, epochs)
        self.curves.show(figures.show(figure, alt=curves_in_words(losses, history), dpi=80))

    def _draw_samples(self) -> None:
        assert self.samples is not None
        alt = samples_in_words(self.samples)
        self.picture.show(figures.show(draw_samples(self.samples), alt=alt, dpi=75))
