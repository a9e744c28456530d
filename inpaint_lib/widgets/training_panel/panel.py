"""The training panel of chapter 4: turn a hyperparameter, train, watch, pause, stop, go on."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import Tensor

from ...data import Batch
from ...filling import FILLS
from ...model import PixelRNN, choose_device
from ...paths import default_path
from ...photographs.recipes import held_out_of, preset
from ...pictures import list_pictures
from ...training import TrainConfig, Trainer
from .forecast import duration, forecast
from .knobs import set_knob, value_of
from .layout import TrainingLayout
from .progress import Kept, Progress, folders_now, progress_of, read_kept, sentence
from .run import BUSY, Run, State
from .samples import NOISE, Samples, fixed_pairs, look

SHORT = 8  # epochs on the wall: a minute or two on one core
WORDS_EVERY = 0.5  # seconds
PICTURES_EVERY = 2.0  # seconds


class TrainingPanel(TrainingLayout):
    """Hyperparameters to turn; Start, Pause, Resume, Stop; what the network learns meanwhile.

    config: what the knobs start from, and the folders; None: the preset, a short run of the CPU on
    the brick wall into checkpoints/runs/panel. A run that is under way in this kernel, or that lies
    in `config.save_dir`, is taken up with its settings.
    """

    def __init__(self, config: TrainConfig | None = None):
        super().__init__()
        runs = default_path("checkpoints", "runs", "panel")
        world = default_path("dataset", "bricks")
        self.base = config or preset(world, runs, epochs=SHORT, device="cpu")
        self.kept: Kept | None = None
        self.live: Run | None = None
        self.samples: Samples | None = None
        self._batch: Batch | None = None
        self._source: tuple[Path | None, int | None] = (None, None)
        self._lock = threading.RLock()  # clicks come from one thread, steps from another
        self._turning = False
        self._next_words = 0.0  # by the clock of perf_counter, as the next
        self._next_pictures = 0.0
        self._connect()
        self._take_up()

    def _connect(self) -> None:
        first = preset(default_path(), self.base.save_dir, epochs=SHORT)
        self.preset.on_click(lambda _: self.turn(first))
        self.plain.on_click(lambda _: self.turn(TrainConfig()))
        self.start.on_click(self._start)
        self.resume.on_click(self._resume)
        self.pause.on_click(partial(self._ask, "pause"))
        self.stop.on_click(partial(self._ask, "stop"))
        for knob in self.knobs.values():
            knob.observe(self._turned, "value")

    @property
    def config(self) -> TrainConfig:
        """What the knobs say; other folders and all else as in `base`.

        A folder of pictures is validated on a part of it. Raises what `TrainConfig` and
        `list_pictures` raise.
        """
        said = {name: value_of(knob) for name, knob in self.knobs.items()}
        if said["data_dir"] not in (None, self.base.data_dir):
            none = ("val_occluded_dir", "val_original_dir", "val_mask_dir", "val_dir")
            said |= dict.fromkeys(none)
            said["held_out"] = held_out_of(len(list_pictures(said["data_dir"])))
        return replace(self.base, **said)

    @property
    def progress(self) -> Progress:
        """How far training is at this moment."""
        return progress_of(self.live, self.kept)

    @property
    def state(self) -> State:
        return self.progress.state

    def turn(self, config: TrainConfig) -> None:
        """Set all knobs."""
        self._turning = True
        for name, knob in self.knobs.items():
            set_knob(knob, getattr(config, name))
        self._turning = False
        self._turned()

    def _turned(self, change: Any = None) -> None:
        now = self.progress
        if self._turning or now.busy:
            return
        self.enable(now)
        try:
            config = self.config
            cost = forecast(config)
            if now.state == "idle":
                self._show_beginning(config)
        except (OSError, ValueError, RuntimeError) as error:
            self.forecast.say(str(error), error=True)
            return
        self.forecast.say(
            f"{cost.parameters:,} parameters; {cost.steps:,} steps; about "
            f"{duration(cost.seconds)} on this machine ({choose_device(config.device)})."
        )

    def _pairs(self, config: TrainConfig) -> Batch:
        """The pairs to show, read once as long as the folder stays the same."""
        source = (config.data_dir, config.crop_size if config.data_dir else None)
        if self._batch is None or self._source != source:
            self._batch = fixed_pairs(config)
            self._source = source
            self.samples = None
        return self._batch

    def _show_beginning(self, config: TrainConfig) -> None:
        """Before any run: what the network would begin from."""
        batch = self._pairs(config)
        prefill = value_of(self.knobs["prefill"])
        name = f"{prefill} fill" if prefill else NOISE
        if self.samples is None or self.samples.name != name:
            fill = FILLS[prefill] if prefill else _nothing
            self.samples = look(fill, batch, name)
            self.show_samples(self.samples)

    def _take_up(self) -> None:
        """Show a run of this kernel that is under way, or what lies in the folder."""
        if live := Run.alive(self.base.save_dir):
            self.turn(live.config)
            self.live = live
            live.hand_over(self._follow)
            return
        network = self._read()
        # The device of another machine's run may not be here.
        kept = replace(self.kept.config, device=self.base.device) if self.kept else self.base
        self.turn(kept)
        if self.kept and network:
            self.show_curves(self.progress)
            try:
                batch = self._pairs(self.kept.config)
            except (OSError, ValueError):
                return  # said by the forecast, which needs the same folders
            self.samples = look(network, batch, f"epoch {self.kept.epoch}")
            self.show_samples(self.samples)

    def _read(self) -> PixelRNN | None:
        """Look into the folder, say what is there; returns the network in it, or None."""
        self.kept = None
        network = None
        problem = ""
        try:
            if found := read_kept(self.base.save_dir):
                self.kept, network = found
        except (OSError, ValueError) as error:
            problem = f"{error}. Start replaces it."
        self._tell(problem)
        return network

    def _start(self, button: Any = None) -> None:
        if self.progress.busy:  # a second click that was on its way
            return
        expected = self.kept
        self._read()
        # What has come into the folder since is not replaced before it has been shown.
        if self.kept is None or self.kept == expected:
            try:
                config = replace(self.config, resume=False, overwrite=True)
            except (OSError, ValueError):
                return  # said by the forecast
            self._train(config)

    def _resume(self, button: Any = None) -> None:
        now = self.progress
        if now.state == "paused":
            self._ask("resume")
        elif not now.busy and self.kept:
            config = replace(
                self.kept.config,
                resume=True,
                overwrite=False,
                device=value_of(self.knobs["device"]),
                **folders_now(self.kept.config, self.base),
            )
            self.turn(config)
            self._train(config, [loss for loss in now.losses if loss[0] <= self.kept.epoch])

    def _train(self, config: TrainConfig, losses: Sequence[tuple[float, float]] = ()) -> None:
        self.live = Run(config, self._look, self._follow, losses)
        self._next_words = 0.0
        self._next_pictures = 0.0
        self._tell()
        self.live.start()

    def _ask(self, move: str, button: Any = None) -> None:
        if self.live and self.live.ask(move):
            self._tell()

    def _look(self, trainer: Trainer) -> Samples:
        batch = self._pairs(trainer.config)
        name = f"epoch {trainer.epoch}" if trainer.epoch else "start"
        return look(trainer.model.eval(), batch.to(trainer.device), name)

    def _follow(self, run: Run | None) -> None:
        """Called by the run; with None when another panel has taken it over."""
        with self._lock:
            if run is None:
                self.switch_off()
                self.status.say(
                    "Another panel has taken this run over; this one no longer follows it."
                )
                return
            ended = run.state not in BUSY
            began = perf_counter()
            if ended or began > self._next_pictures:
                self.show_curves(self.progress)
                if run.seen is not None and run.seen is not self.samples:
                    self.samples = run.seen
                    self.show_samples(run.seen)
                done = perf_counter()  # most of the time belongs to training
                self._next_pictures = done + max(PICTURES_EVERY, 5 * (done - began))
            if ended:
                self._read()
            elif began > self._next_words:
                self._tell()
                self._next_words = began + WORDS_EVERY

    def _tell(self, problem: str = "") -> None:
        """Refresh status, progress bar and buttons."""
        with self._lock:
            now = self.progress
            self.enable(now)
            self.bar.value = now.share
            words = sentence(now, self.kept, self.base.save_dir)
            if now.state == "failed":
                problem = f"The run failed: {now.error}. {words}"
            self.status.say(problem or words, error=bool(problem))


def _nothing(occluded: Tensor, mask: Tensor) -> Tensor:
    """What a network without a prefill begins from, in the place of a fill."""
    return occluded
