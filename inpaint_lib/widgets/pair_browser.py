"""The pair browser of chapter 1: step through pairs and see what the mask rule finds."""

from collections.abc import Sequence
from math import log10
from typing import Any, NamedTuple

import ipywidgets
import numpy as np

from ..data import difference_mask
from ..figures import Figure, picture_grid, verdict
from ..paths import default_path
from ..photographs.evaluation import HeldOut, read_held_out
from ..pictures import as_jpeg, to_tensor
from .panel import Panel, Picture, Words

QUALITIES = {"PNG": None, "JPEG, quality 95": 95, "JPEG, quality 75": 75}


class Found(NamedTuple):
    """What the mask rule makes of a pair. A share of nothing is NaN."""

    occluded: np.ndarray  # (H, W, 3) uint8, as read from the saved file
    mask: np.ndarray  # (H, W) bool
    recall: float
    precision: float


def found_mask(pair: HeldOut, threshold: float, quality: int | None = None) -> Found:
    """The mask rule on a pair, saved as PNG or as JPEG of a quality from 1 to 95 first.

    threshold: of |occluded - original|, summed over the channels; from 0 to 3.
    """
    occluded, original = pair.occluded, pair.original
    if quality is not None:
        occluded, original = as_jpeg(occluded, quality), as_jpeg(original, quality)
    mask = difference_mask(to_tensor(occluded), to_tensor(original), threshold)
    found = mask[0, 0].numpy() > 0.5
    hits = (found & pair.hole).sum()
    return Found(
        occluded,
        found,
        float(hits / pair.hole.sum()) if pair.hole.any() else float("nan"),
        float(hits / found.sum()) if found.any() else float("nan"),
    )


def draw_pair(pair: HeldOut, found: Found) -> Figure:
    """Occluded, the found mask over the true one, original; side by side."""
    row = [found.occluded, verdict(found.mask, pair.hole), pair.original]
    titles = ["occluded", "found mask over true mask", "original"]
    alt = f"{in_words(pair, found)}. "
    alt += "White is found, orange is hole that was missed, blue was wrongly found."
    return picture_grid({pair.bucket: row}, titles, alt=alt, side=2.7, dpi=80)


def in_words(pair: HeldOut, found: Found) -> str:
    """Which pair it is, and how much of its hole was found."""
    recall, precision = (
        "undefined" if np.isnan(share) else f"{share:.1%}"
        for share in (found.recall, found.precision)
    )
    return f"{pair.photograph}, {pair.bucket}: recall {recall}, precision {precision}"


class PairBrowser(Panel):
    """Pairs to step through; a threshold and a file format to turn.

    pairs: what to browse; None: the validation pairs of both worlds.
    """

    def __init__(self, pairs: Sequence[HeldOut] | None = None):
        if pairs is None:
            folders = (default_path("dataset", *p) for p in (["val"], ["bricks", "val"]))
            pairs = [pair for folder in folders for pair in read_held_out(folder)]
        self.pairs = pairs
        wide = {"description_width": "5.5em"}
        self.index = ipywidgets.IntSlider(
            0, 0, len(pairs) - 1, description="pair", style=wide, layout={"width": "28em"}
        )
        self.previous = ipywidgets.Button(description="Previous", icon="arrow-left")
        self.next = ipywidgets.Button(description="Next", icon="arrow-right")
        self.threshold = ipywidgets.FloatLogSlider(
            0.03,
            base=10,
            min=log10(0.03) - 1,
            max=log10(3),
            step=0.02,
            readout_format=".3f",
            description="threshold",
            style=wide,
            layout={"width": "28em"},
        )
        self.saved_as = ipywidgets.Dropdown(
            options=QUALITIES, description="saved as", style=wide, layout={"width": "18em"}
        )
        self.numbers = Words()
        self.picture = Picture()
        self.previous.on_click(lambda _: self._step(-1))
        self.next.on_click(lambda _: self._step(+1))
        for knob in (self.index, self.threshold, self.saved_as):
            knob.observe(self._update, "value")
        super().__init__(
            [
                ipywidgets.HBox([self.index, self.previous, self.next]),
                ipywidgets.HBox([self.threshold, self.saved_as]),
                self.numbers,
                self.picture,
            ]
        )
        self._update()

    def _step(self, by: int) -> None:
        self.index.value = (self.index.value + by) % len(self.pairs)

    def _update(self, change: Any = None) -> None:
        pair = self.pairs[self.index.value]
        self.found = found = found_mask(pair, self.threshold.value, self.saved_as.value)
        self.numbers.say(in_words(pair, found))
        self.picture.show(draw_pair(pair, found))
