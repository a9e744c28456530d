"""The step player of chapter 2: what a network holds after each step, around a hole."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import ipywidgets
import numpy as np
import torch

from ...checkpoints import load_model
from ...figures import Figure
from ...model import PixelRNN
from ...paths import default_path
from ...photographs import ensure_prepared
from ...pictures import read_picture
from ..panel import Panel, Picture, Words
from .figure import after_step
from .trace import Trace, looks_everywhere, receptive_fields, trace_hole

PHOTOGRAPHS = {
    "flower": ("val", "original_images", "0085_flower.png"),
    "drum": ("val", "original_images", "0050_drum_and_wine.png"),
    "dog": ("val", "original_images", "0010_dogs.png"),
    "bricks": ("bricks", "val", "original_images", "0000_brick_val.png"),
}
KINDS = {  # of maps, with what makes each
    "gate": "gated layer {}",
    "hidden state h": "ConvLSTM step {}",
    "cell state c": "ConvLSTM step {}",
    "running feature": "x + h + skip after step {}",
}
MARGIN = 4  # px of the photograph, across, that the largest hole leaves
LEGEND = (
    "Dotted: the hole. White point: its middle, with the squares that it sees. Blue on the maps: "
    "what no known pixel has reached by this step. Hatched: what none reaches in the whole network."
)
EVERYWHERE = "That goes for convolutions; what looks at the whole picture, too: {}."


def limits(trace: Trace, channel: int, *, stretched: bool = False) -> list[tuple[float, float]]:
    """(lowest, highest) value that the colours of each of KINDS stand for, in all steps alike.

    The bounds that hold in any network: gates in (0, 1), |h| < 1, |c| < the number of steps. The
    running feature has none: the channel's largest size in any step. Stretched: that for all.
    """
    largest = [
        max(float(np.abs(maps[channel] - middle).max()) for maps in kind)
        for middle, kind in zip((0.5, 0, 0, 0), zip(*trace.steps, strict=True), strict=True)
    ]
    bounds = largest if stretched else [0.5, 1.0, float(len(trace.steps)), largest[3]]
    gate, *signed = (max(bound, 1e-6) for bound in bounds)  # a flat map's colours have ends, too
    return [(0.5 - gate, 0.5 + gate), *((-bound, bound) for bound in signed)]


def draw_step(
    trace: Trace, step: int, channel: int, *, name: str = "photograph", stretched: bool = False
) -> Figure:
    """The photograph with hole and fields, and a channel's maps after a step; the first is 0.

    name: of the photograph, for the alternative text.
    """
    bounds = limits(trace, channel, stretched=stretched)
    maps = {
        f"{kind}\n{KINDS[kind].format(step + 1)}": (values[channel], *ends)
        for kind, values, ends in zip(KINDS, trace.steps[step], bounds, strict=True)
    }
    fields = {f"step {step + 1} looks": trace.fields[step], "network looks": trace.fields[-1]}
    blind = [trace.blind[n] for n in (step, -1)]
    ranges = ", ".join(
        f"{kind} from {held[channel].min():.2g} to {held[channel].max():.2g}"
        for kind, held in zip(KINDS, trace.steps[step], strict=True)
    )
    alt = f"{name} with a black square; maps of channel {channel}"
    alt += f"{', colours stretched' if stretched else ''}: {ranges}. {describe(trace, step)}"
    return after_step(trace.occluded, trace.hole, fields, blind, maps, alt, trace.patch)


def describe(trace: Trace, step: int) -> str:
    """What can be known in the hole, by the end of the network and after a step."""
    side = int(trace.hole.any(axis=0).sum())
    end, now = (trace.blind[n].sum() / trace.hole.sum() for n in (-1, step))
    middle = trace.blind[-1][*(size // 2 for size in trace.hole.shape)]
    return (
        f"Hole {side} px wide. The network looks {trace.fields[-1]} px wide: the middle of the "
        f"hole sees {'no' if middle else 'a'} known pixel, {end:.1%} of the hole is blind. "
        f"After step {step + 1} it has looked {trace.fields[step]} px wide: {now:.1%} is blind."
    )


def untrained() -> PixelRNN:
    """The plain network with random weights, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return PixelRNN().eval()


NETWORKS: dict[str, Callable[[], PixelRNN]] = {
    "plain, untrained": untrained,
    "photographs, trained": partial(load_model, "photographs", device="cpu"),
    "bricks, trained": partial(load_model, "bricks", device="cpu"),
}


class StepPlayer(Panel):
    """Play the steps of a network on a photograph with a hole, and drag the hole's size.

    networks: by name, what gives each, in eval mode and on the CPU; by default the plain one,
    untrained, and the shipped ones. photographs: (H, W, 3) uint8 by name; None: four of
    the validation pictures. A network that cannot be loaded is told in the panel.
    """

    def __init__(
        self,
        networks: Mapping[str, Callable[[], PixelRNN]] = NETWORKS,
        photographs: Mapping[str, np.ndarray] | None = None,
    ):
        if photographs is None:
            ensure_prepared()
            paths = {name: default_path("dataset", *path) for name, path in PHOTOGRAPHS.items()}
            photographs = {name: np.asarray(read_picture(path)) for name, path in paths.items()}
        self.networks = networks
        self.photographs = photographs
        self._loaded = cache(self._load)
        wide = {"style": {"description_width": "7em"}, "layout": {"width": "27em"}}
        self.network = ipywidgets.Dropdown(options=list(networks), description="network", **wide)
        self.photograph = ipywidgets.Dropdown(
            options=list(photographs), description="photograph", **wide
        )
        self.side = ipywidgets.IntSlider(48, 4, 124, description="hole, px", **wide)
        self.channel = ipywidgets.IntSlider(0, 0, 47, description="channel", **wide)
        self.step = ipywidgets.IntSlider(1, 1, 3, description="step", **wide)
        # Its own buttons are icons without a name; a button that has one takes their place.
        self.player = ipywidgets.Play(
            value=1, min=1, max=3, interval=1200, repeat=True, layout={"display": "none"}
        )
        self.play = ipywidgets.ToggleButton(description="Play", icon="play")
        self.stretched = ipywidgets.Checkbox(True, description="stretch the colours", indent=False)
        ipywidgets.jslink((self.play, "value"), (self.player, "playing"))
        ipywidgets.jslink((self.player, "value"), (self.step, "value"))
        self.numbers = Words()
        self.picture = Picture()
        self.legend = Words()
        self.result: Trace | None = None
        for knob in (self.network, self.photograph, self.side):
            knob.observe(self._compute, "value")
        for knob in (self.step, self.channel, self.stretched):
            knob.observe(self._redraw, "value")
        rows = [
            [self.network, self.photograph],
            [self.side, self.channel],
            [self.step, self.play, self.player, self.stretched],
        ]
        boxes = [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in rows]
        super().__init__([*boxes, self.numbers, self.picture, self.legend])
        self._compute()
        if self.result:  # start with a channel in which there is something to see
            self.channel.value = int(self.result.steps[-1].c.std(axis=(1, 2)).argmax())

    def _load(self, name: str) -> tuple[PixelRNN, list[int]]:
        model = self.networks[name]()
        return model, receptive_fields(model.config)

    def _compute(self, change: Any = None) -> None:
        photograph = self.photographs[self.photograph.value]
        self.side.max = min(photograph.shape[:2]) - MARGIN
        try:
            model, fields = self._loaded(self.network.value)
            self.result = trace_hole(model, fields, photograph, self.side.value)
        except (OSError, ValueError) as error:
            self.result = None
            self.picture.layout.display = "none"  # it would be that of another network
            self.legend.say("")
            self.numbers.say(str(error), error=True)
            return
        legend = LEGEND
        if everywhere := looks_everywhere(model.config):
            legend += " " + EVERYWHERE.format(", ".join(everywhere))
        self.legend.say(legend)
        self.picture.layout.display = None
        self.step.max = self.player.max = len(self.result.steps)
        self.channel.max = len(self.result.steps[0].h) - 1
        self._redraw()

    def _redraw(self, change: Any = None) -> None:
        if self.result is None:
            return
        step = self.step.value - 1
        self.numbers.say(describe(self.result, step))
        look = {"name": self.photograph.value, "stretched": self.stretched.value}
        self.picture.show(draw_step(self.result, step, self.channel.value, **look))
