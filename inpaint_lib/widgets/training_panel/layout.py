"""What there is to see and to press in the training panel, and which of it at what time."""

import ipywidgets

from ..panel import Panel, Picture, Words
from .knobs import columns, make_knobs, without_effect
from .progress import Progress
from .samples import Samples, draw_curves, draw_samples


class TrainingLayout(Panel):
    """The panel without its behaviour: knobs, buttons, a bar, words, curves and samples."""

    def __init__(self) -> None:
        self.knobs = make_knobs()
        self.preset = ipywidgets.Button(description="Preset")
        self.plain = ipywidgets.Button(description="Plain original")
        self.start = ipywidgets.Button(description="Start", icon="play", button_style="primary")
        self.pause = ipywidgets.Button(description="Pause", icon="pause")
        self.resume = ipywidgets.Button(description="Resume", icon="step-forward")
        self.stop = ipywidgets.Button(description="Stop", icon="stop")
        self.bar = ipywidgets.FloatProgress(min=0, max=1, layout={"width": "16em"})
        self.forecast = Words()
        self.status = Words()
        self.curves = Picture()
        self.picture = Picture()
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

    def enable(self, now: Progress) -> None:
        """Let those knobs be turned and buttons be pressed that have an effect."""
        useless = without_effect({name: knob.value for name, knob in self.knobs.items()})
        for name, knob in self.knobs.items():
            knob.disabled = now.busy or name in useless
        allowed = {
            self.preset: not now.busy,
            self.plain: not now.busy,
            self.start: not now.busy,
            self.pause: now.state == "running",
            self.resume: now.state == "paused" or (not now.busy and now.resumable),
            self.stop: now.state in ("running", "paused"),
        }
        for button, yes in allowed.items():
            button.disabled = not yes

    def switch_off(self) -> None:
        """Let nothing be turned or pressed."""
        buttons = (self.preset, self.plain, self.start, self.pause, self.resume, self.stop)
        for control in (*self.knobs.values(), *buttons):
            control.disabled = True

    def show_curves(self, now: Progress) -> None:
        """Loss and validation so far; before the first step there is nothing to show."""
        if now.losses or now.history:
            self.curves.show(draw_curves(now.losses, now.history, now.epochs))

    def show_samples(self, samples: Samples) -> None:
        self.picture.show(draw_samples(samples))
