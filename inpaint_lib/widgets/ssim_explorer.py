"""The SSIM explorer of chapter 3: distort a photograph, and hold L1 while SSIM changes."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import floor
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
import torch
from scipy import ndimage, optimize
from torch import Tensor
from torchvision.transforms.v2.functional import adjust_contrast

from ..figures import BLUE, GREEN, ORANGE, Figure, show_map, show_picture
from ..metrics import psnr, ssim_map
from ..photographs import resized, tutorial_source
from ..photographs.completion import as_picture
from ..pictures import as_jpeg, to_pixels, to_tensor
from .panel import Panel, Picture, Words

CROPS = {  # the chapter's two, and two textures: left, top, right, bottom
    "dog": ("dogs.jpg", (170, 195, 426, 451)),
    "flower": ("flower.jpg", (150, 53, 470, 373)),
    "brick wall": ("brick", (0, 0, 256, 256)),
    "grass": ("grass", (0, 0, 256, 256)),
}


def blurred(x: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur; sigma in pixels."""
    return torch.from_numpy(ndimage.gaussian_filter(x.numpy(), sigma, axes=(2, 3), mode="nearest"))


def noisy(x: Tensor, deviation: float) -> Tensor:
    """Gaussian noise of a standard deviation, the same at each call."""
    return x + deviation * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def shifted(x: Tensor, pixels: float) -> Tensor:
    """Moved to the right, by parts of a pixel as well; the left border is repeated."""
    rows = x.numpy().reshape(-1, x.shape[-1])  # two dimensions: the cost is 4 to their power
    return torch.from_numpy(ndimage.shift(rows, (0, pixels), mode="nearest")).view(x.shape)


def compressed(x: Tensor, loss: float) -> Tensor:
    """JPEG of quality 101 - loss. In between, a mix of the neighbours: there L1 has no steps."""

    def at(level: int) -> Tensor:
        if level == 0:
            return x
        return to_tensor(as_jpeg(to_pixels(x), 101 - level))

    level = floor(loss)
    return at(level) if loss == level else torch.lerp(at(level), at(level + 1), loss - level)


# How, the strongest amount, and what an amount is called.
DISTORTIONS: dict[str, tuple[Callable[[Tensor, float], Tensor], float, Callable[[float], str]]] = {
    "blur": (blurred, 4.0, "sigma {:.2f} pixels".format),
    "noise": (noisy, 0.2, "deviation {:.3f}".format),
    "shift": (shifted, 4.0, "{:.2f} pixels".format),
    "contrast": (lambda x, lost: adjust_contrast(x, 1 - lost), 1.0, "{:.0%} lost".format),
    "JPEG": (compressed, 100.0, lambda loss: f"quality {101 - loss:.1f}" if loss >= 1 else "faint"),
    "brighter": (lambda x, by: x + by, 0.2, "by {:.3f}".format),
}


def distorted(original: Tensor, kind: str, strength: float) -> Tensor:
    """The picture (1, 3, H, W) in [0, 1] after one of DISTORTIONS.

    strength: from 0, which changes nothing, to 1, the strongest; in proportion to the amount.
    """
    apply, strongest, _ = DISTORTIONS[kind]
    return apply(original, strength * strongest).clamp(0, 1)


def strength_for(original: Tensor, kind: str, l1: float) -> float:
    """The least strength that gives this L1; where none does, the one that comes nearest."""

    def excess(strength: float) -> float:
        return float((distorted(original, kind, strength) - original).abs().mean()) - l1

    # In steps first: where the picture repeats itself, L1 falls again as a shift goes on.
    steps: list[float] = np.linspace(0, 1, 9).tolist()
    found = [-l1]
    for weaker, strength in pairwise(steps):
        found.append(excess(strength))
        if found[-1] >= 0:
            return float(optimize.brentq(excess, weaker, strength, xtol=1e-6)) if l1 > 0 else 0.0
    return steps[int(np.argmax(found))]


class Measured(NamedTuple):
    """How far a picture is from the original."""

    l1: float
    psnr: float  # dB; infinite where they are identical
    ssim: float
    ssim_map: Tensor  # (1, 3, H, W)


def measure(original: Tensor, picture: Tensor) -> Measured:
    """L1, PSNR and SSIM of two (1, 3, H, W) in [0, 1]: SSIM as published, 11 taps and no eps.

    Raises ValueError where a side is shorter than 11 pixels.
    """
    similarity = ssim_map(picture, original, window_size=11, eps=0)
    l1 = (picture - original).abs().mean()
    return Measured(l1.item(), psnr(picture, original).item(), similarity.mean().item(), similarity)


def draw_distortion(
    original: Tensor, picture: Tensor, measured: Measured, title: str, about: str
) -> Figure:
    """Original, distorted picture, absolute difference and SSIM map, each (1, 3, H, W).

    title: above the distorted picture; about: what the alternative text begins with.
    """
    alt = f"{about}. Original, distorted, absolute difference; SSIM map, dark where unlike."
    # Fixed places: a layout engine doubles the time. 128 pixels are drawn as 192.
    figure = Figure(alt, figsize=(8.4, 2.6), dpi=85)
    grid = figure.add_gridspec(
        2,
        4,
        left=0.0095,
        right=0.974,
        bottom=0.1,
        top=0.9,
        wspace=0.073,
        hspace=0.07,
        height_ratios=(1, 0.045),
    )
    top = [figure.add_subplot(grid[0, column]) for column in range(4)]
    scales = [figure.add_subplot(grid[1, column]) for column in (2, 3)]
    show_picture(top[0], original, "original")
    show_picture(top[1], picture, title)
    error = (picture - original).abs()
    difference = show_map(
        top[2], error, f"abs. difference: L1 {measured.l1:.4f}", "magma", high=0.3
    )
    similarity = show_map(top[3], measured.ssim_map, f"SSIM map: mean {measured.ssim:.3f}")
    for image, ax, end, ticks in (
        (difference, scales[0], "max", [0, 0.1, 0.2]),
        (similarity, scales[1], "min", [0, 0.5, 1]),
    ):
        figure.colorbar(image, ax, orientation="horizontal", extend=end, ticks=ticks)
    return figure


def table_of_measures(tried: Mapping[str, Measured], now: str, longest: float, caption: str) -> str:
    """HTML: a row for each distortion tried, with bars; `now` is bold, `longest` the full L1."""

    def cell(text: str, share: float, colour: str) -> str:
        bar = f"background:{colour}; height:0.7em; width:{100 * min(max(share, 0), 1):.1f}%"
        return (
            f"<td style='text-align:right; padding:0 0.6em 0 1.5em'>{text}</td>"
            f"<td style='width:11em'><div style='{bar}'></div></td>"
        )

    heads = ("L1 (0: the same)", "PSNR (higher: closer)", "SSIM (1: the same)")
    rows = "<th scope='col' style='text-align:left'>distortion</th>"
    rows += "".join(f"<th colspan='2' scope='col'>{text}</th>" for text in heads)
    for name, one in tried.items():
        rows += f"<tr style='font-weight:{'bold' if name == now else 'normal'}'>"
        rows += f"<th scope='row' style='font-weight:inherit; text-align:left'>{name}</th>"
        rows += cell(f"{one.l1:.4f}", one.l1 / longest, ORANGE)
        rows += cell(decibels(one.psnr), one.psnr / 50, BLUE)
        rows += cell(f"{one.ssim:.3f}", one.ssim, GREEN)
    caption = f"<caption style='text-align:left; color:inherit'>{caption}</caption>"
    return f"<table style='line-height:1.5; color:inherit'>{caption}{rows}</table>"


def decibels(value: float) -> str:
    return "infinite" if np.isinf(value) else f"{value:.1f} dB"


class SSIMExplorer(Panel):
    """A photograph, six ways to distort it, and a lock that holds L1 while the way changes.

    photographs: a name and (H, W, 3) uint8 for each; None: four small ones of the tutorial.
    Raises ValueError for another type or shape, or a side shorter than 11 pixels.
    """

    def __init__(self, photographs: Mapping[str, np.ndarray] | None = None):
        if photographs is None:
            photographs = {
                name: np.asarray(resized(tutorial_source(file).read(), crop))
                for name, (file, crop) in CROPS.items()
            }
        self.originals = {n: to_tensor(as_picture(p)) for n, p in photographs.items()}
        ends = [(x, distorted(x, kind, 1)) for x in self.originals.values() for kind in DISTORTIONS]
        self.tried: dict[str, Measured] = {}  # the distortions shown at the L1 that is held
        self.photograph = ipywidgets.Dropdown(
            options=list(self.originals), description="photograph", layout={"width": "15em"}
        )
        self.kind = ipywidgets.ToggleButtons(
            options=list(DISTORTIONS), style={"button_width": "6.5em"}
        )
        self.strength = ipywidgets.FloatSlider(
            0.4,
            min=0,
            max=1,
            step=0.01,
            readout_format=".0%",
            description="strength",
            layout={"width": "25em"},
        )
        self.hold = ipywidgets.Checkbox(False, description="hold L1", indent=False)
        self.hold.layout.width = "6em"
        self.l1 = ipywidgets.FloatSlider(
            0,
            min=0,
            max=max(measure(*pair).l1 for pair in ends),
            step=0.0001,
            description="L1",
            readout_format=".4f",
            style={"description_width": "2em"},
            layout={"width": "25em"},
        )
        self.numbers = Words()
        self.notice = Words()
        self.picture = Picture()
        self.rows = ipywidgets.HTML()
        for knob in (self.photograph, self.kind, self.strength, self.hold, self.l1):
            knob.observe(self._update, "value")
        knobs = ipywidgets.HBox([self.photograph, ipywidgets.Label("distortion"), self.kind])
        lock = ipywidgets.HBox([self.strength, self.hold, self.l1])
        super().__init__([knobs, lock, self.numbers, self.notice, self.picture, self.rows])
        self._update()

    def _update(self, change: Any = None) -> None:
        held = self.hold.value
        knob = change and change.owner
        if knob is (self.strength if held else self.l1):
            return  # not turned by the reader: it follows
        original = self.originals[self.photograph.value]
        kind = self.kind.value
        if held:
            self.strength.value = strength_for(original, kind, self.l1.value)
        if not held or knob is not self.kind:
            self.tried.clear()
        picture = distorted(original, kind, self.strength.value)
        measured = measure(original, picture)
        if not held:
            self.l1.value = round(measured.l1, 4)  # a step of the slider: the page would round it
        self.strength.disabled = held
        self.l1.disabled = not held
        self.tried[kind] = measured
        self._show(original, picture, measured)

    def _show(self, original: Tensor, picture: Tensor, measured: Measured) -> None:
        kind = self.kind.value
        wanted = self.l1.value
        _, strongest, say = DISTORTIONS[kind]
        setting = say(self.strength.value * strongest)
        text = f"{self.photograph.value}, {kind}, {setting}: L1 {measured.l1:.4f}, "
        text += f"PSNR {decibels(measured.psnr)}, SSIM {measured.ssim:.3f}"
        self.numbers.say(text)
        notice = ""
        if self.hold.value and abs(measured.l1 - wanted) > 1e-4:
            notice = (
                f"{kind} does not reach L1 {wanted:.4f} on this photograph; shown is the nearest, "
                f"{measured.l1:.4f}. Choose a lower L1, or another distortion."
            )
        self.notice.say(notice, error=True)
        self.picture.show(draw_distortion(original, picture, measured, f"{kind}, {setting}", text))
        caption = "Tick 'hold L1', then change the distortion: each is added at the same L1"
        if self.hold.value:
            caption = f"L1 held at {wanted:.4f}: the distortions tried so far"
        self.rows.value = table_of_measures(self.tried, kind, self.l1.max, caption)
