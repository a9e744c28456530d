"""The palette, helpers for one axis, and figures that several places draw."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from typing import Any, Literal

import matplotlib
import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageChops, ImageStat
from torch import Tensor

# The palette. Okabe & Ito (2008): told apart with any colour vision, and on light and dark ground.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
BLACK = "#222222"
INK = "#333333"  # of lines
GREY = "#666666"  # of what others are compared with
MUTED = "#767676"  # the lightest grey that is still read as text on white
FRAME = "#bbbbbb"  # around pictures
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # beside colours, for who does not see them
# Few steps: the eye does not miss the others, and the notebook's file is a third smaller.
SIGNED = matplotlib.colormaps["PuOr"].resampled(33)
SHARE = matplotlib.colormaps["gray"].resampled(33)


class Figure(matplotlib.figure.Figure):
    """A figure that knows its alternative text and shows itself with it in a notebook.

    alt: what it shows, for a reader who cannot see it. The rest as Matplotlib's.
    """

    def __init__(self, alt: str, *, dpi: float = 100, **how: Any):
        super().__init__(dpi=dpi, facecolor="white", **how)
        self.alt = alt

    def drawn(self) -> Image.Image:
        """Its pixels at twice the resolution of `dpi`: screens have several for one of a page."""
        dpi = self.dpi
        self.set_dpi(2 * dpi)
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        self.set_dpi(dpi)
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])

    def html(self, *, small: bool = False) -> str:
        """An `<img>` with the alternative text, as wide as `dpi` says or as the page allows.

        small: what is kept in a file. Takes longer, and a third of the space.
        """
        kind, data = _encoded(self.drawn(), small=small)
        return (
            f'<img alt="{escape(self.alt)}" width="{round(self.bbox.width)}"'
            ' style="max-width:100%; height:auto"'
            f' src="data:image/{kind};base64,{b64encode(data).decode()}">'
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        # JupyterLab takes no alternative text from an output's metadata; in HTML it arrives.
        return {"text/plain": self.alt, "text/html": self.html(small=True)}


def _encoded(image: Image.Image, *, small: bool) -> tuple[str, bytes]:
    """(kind, data): a PNG; if small, of 256 colours, or WebP where these are too few."""
    kind = "png"
    how: dict[str, Any] = {"compress_level": 1}
    if small:
        few = image.quantize()
        lost = ImageStat.Stat(ImageChops.difference(image, few.convert("RGB")))
        if max(lost.mean) < 0.5:  # of 255: no gradient of a photograph shows steps
            image = few
            how = {"optimize": True}
        else:
            kind = "webp"
            how = {"quality": 85}
    file = BytesIO()
    image.save(file, kind, **how)
    return kind, file.getvalue()


def bare(ax: Axes, title: str = "", *, size: float = 10, frame: str | None = None) -> None:
    """No ticks; a title; a frame of that colour, or none."""
    ax.set(xticks=[], yticks=[])
    if frame is None:
        ax.spines[:].set_visible(False)
    else:
        ax.spines[:].set_color(frame)
    ax.set_title(title, fontsize=size)


def tidy(ax: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Lines at the left and at the bottom only; a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis=grid, alpha=0.3)


def picture_grid(
    rows: Mapping[str, Sequence[np.ndarray]],
    titles: Sequence[str] = (),
    *,
    alt: str = "",
    side: float = 1.55,
    room: tuple[float, float] = (0.5, 0.4),
    frame: str | None = FRAME,
    name_size: float = 10,
    dpi: float = 100,
) -> Figure:
    """Pictures (H, W, 3) uint8 in rows: a name left of each row, a title above each column.

    A column is as wide as its first picture asks for. alt: what is to be seen on the pictures; how
    many there are, and their names, are told without it. side: inches of a row's height. room: for
    names and for titles, in inches. frame: its colour; None for none.
    """
    first = next(iter(rows.values()))
    widths = [picture.shape[1] / picture.shape[0] for picture in first]
    size = (side * sum(widths) + room[0], side * len(rows) + room[1])
    figure = Figure(_in_words(rows, titles, alt), figsize=size, dpi=dpi, layout="constrained")
    axes = figure.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
    for line, (name, row) in zip(axes, rows.items(), strict=True):
        for ax, picture in zip(line, row, strict=True):
            ax.imshow(picture, interpolation="none")
            bare(ax, frame=frame)
        line[0].set_ylabel(name, fontsize=name_size)
    for ax, title in zip(axes[0], titles, strict=False):
        ax.set_title(title, fontsize=10)
    return figure


def _in_words(rows: Mapping[str, Sequence[object]], titles: Sequence[str], alt: str) -> str:
    """How many pictures there are and what stands beside and above them; then `alt`."""
    counts = {"row": len(rows), "column": max(map(len, rows.values()))}
    words = []
    for (what, count), names in zip(counts.items(), (rows, titles), strict=True):
        named = ", ".join(" ".join(name.split()) for name in names if name)
        words.append(f"{count} {what}{'s' * (count > 1)}{f' ({named})' * bool(named)}")
    return f"Pictures in {' and '.join(words)}. {alt}".strip()


def sample_grid(
    rows: Mapping[str, Sequence[np.ndarray]],
    titles: Sequence[str] = (),
    *,
    alt: str = "",
    dpi: float = 100,
) -> Figure:
    """The `picture_grid` of what networks made: without frames, with room for long names."""
    look: Any = {"side": 1.5, "room": (1.1, 0.35), "frame": None, "name_size": 11}
    return picture_grid(rows, titles, alt=alt, dpi=dpi, **look)


def grey(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) bool as a picture (H, W, 3) uint8: white is hole."""
    return np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2)


def verdict(found: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Two masks (H, W) bool as a picture: white found, orange missed, blue wrongly found."""
    picture = grey(found & hole)
    picture[hole & ~found] = _rgb(VERMILION)
    picture[found & ~hole] = _rgb(SKY)
    return picture


def _rgb(colour: str) -> tuple[int, ...]:
    """`#RRGGBB` as three numbers from 0 to 255."""
    return tuple(bytes.fromhex(colour[1:]))


def show_picture(ax: Axes, picture: Tensor, title: str = "") -> None:
    """picture (1, 1 or 3, H, W) in [0, 1]."""
    values = picture[0].permute(1, 2, 0).clamp(0, 1).expand(-1, -1, 3).numpy()
    ax.imshow(values, interpolation="none")
    bare(ax, title)


def show_map(
    ax: Axes, values: Tensor, title: str = "", cmap: str = "viridis", high: float = 1.0
) -> AxesImage:
    """values (1, C, H, W), averaged over the channels, shown from 0 to `high`."""
    colours = matplotlib.colormaps[cmap].resampled(64)  # fewer colours: a smaller PNG
    image = ax.imshow(
        values[0].mean(0).numpy(), cmap=colours, vmin=0, vmax=high, interpolation="none"
    )
    bare(ax, title)
    return image


def learning_curve(log: Sequence[Mapping[str, Any]]) -> Figure:
    """Training and validation loss, and the validation hole's PSNR, by epoch.

    log: a mapping for each epoch, with the columns of `training_log.txt` as keys.
    """
    epochs = [entry["epoch"] for entry in log]
    alt = (
        f"Two panels over {len(epochs)} epochs: training and validation loss, and PSNR in the hole."
    )
    figure = Figure(alt, figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [e["total loss"] for e in log], color=BLUE, marker=".", label="training")
    checked = [e for e in log if "val total loss" in e]
    if checked:
        when = [e["epoch"] for e in checked]
        val_loss = [e["val total loss"] for e in checked]
        left.plot(when, val_loss, color=ORANGE, marker=".", label="validation")
        right.plot(when, [e["val hole PSNR [dB]"] for e in checked], color=GREEN, marker=".")
    left.set(title="Loss", xlabel="epoch", ylabel="total loss, mean over the epoch")
    left.legend()
    right.set(title="Validation: hole PSNR", xlabel="epoch", ylabel="dB, mean over pictures")
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure
