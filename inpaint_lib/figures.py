"""Pictures for people: colours, helpers for one axis, and functions that return a Figure."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from PIL import Image as PILImage
from torch import Tensor

if TYPE_CHECKING:
    from IPython.display import Image

# Okabe & Ito (2008): told apart with any colour vision, and on light and dark ground.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION = "#D55E00"
INK = "#333333"  # of lines
# Few steps: the eye does not miss the others, and the notebook's file is a third smaller.
SIGNED = matplotlib.colormaps["PuOr"].resampled(33)
SHARE = matplotlib.colormaps["gray"].resampled(33)


def sample_grid(rows: Mapping[str, Sequence[np.ndarray]], titles: Sequence[str] = ()) -> Figure:
    """Pictures (H, W, 3) uint8 in rows with a name each; columns with a title each."""
    down, across = len(rows), max(len(row) for row in rows.values())
    figure = Figure(figsize=(1.5 * across + 1.1, 1.5 * down + 0.35), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False)
    for line, (name, row) in zip(axes, rows.items(), strict=True):
        for ax, picture in zip(line, row, strict=True):
            ax.imshow(picture, interpolation="none")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(name, fontsize=11)
    for ax, title in zip(axes[0], titles, strict=False):
        ax.set_title(title, fontsize=10)
    return figure


def grey(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) bool as a picture (H, W, 3) uint8: white is hole."""
    return np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2)


def verdict(found: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Two masks (H, W) bool as a picture: white found, orange missed, blue wrongly found."""
    picture = grey(found & hole)
    picture[hole & ~found] = [int(VERMILION[i : i + 2], 16) for i in (1, 3, 5)]
    picture[found & ~hole] = (86, 180, 233)
    return picture


def pictures_in_rows(
    rows: Mapping[str, Sequence[np.ndarray]], titles: Sequence[str] = (), side: float = 1.55
) -> Figure:
    """Pictures (H, W, 3) uint8 in rows; a name left of each row, a title above each column."""
    down, across = len(rows), max(len(row) for row in rows.values())
    figure = Figure(figsize=(side * across + 0.5, side * down + 0.4), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False)
    for line, (name, row) in zip(axes, rows.items(), strict=True):
        for ax, picture in zip(line, row, strict=True):
            ax.imshow(picture, interpolation="none", cmap="gray")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_color("#bbbbbb")
        line[0].set_ylabel(name, fontsize=10)
    for ax, title in zip(axes[0], titles, strict=False):
        ax.set_title(title, fontsize=10)
    return figure


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


def bare(ax: Axes, title: str) -> None:
    """No ticks and no frame; a title."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=10)


def learning_curve(log: Sequence[Mapping[str, Any]]) -> Figure:
    """Training and validation loss, and the validation hole's PSNR, by epoch.

    log: a mapping for each epoch, with the columns of `training_log.txt` as keys.
    """
    epochs = [entry["epoch"] for entry in log]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [e["total loss"] for e in log], color=BLUE, marker=".", label="training")
    if "val total loss" in log[0]:
        val_loss = [e["val total loss"] for e in log]
        left.plot(epochs, val_loss, color=ORANGE, marker=".", label="validation")
        right.plot(epochs, [e["val hole PSNR [dB]"] for e in log], color=GREEN, marker=".")
    left.set(title="Loss", xlabel="epoch", ylabel="total loss, mean over the epoch")
    left.legend()
    right.set(title="Validation: hole PSNR", xlabel="epoch", ylabel="dB, mean over pictures")
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def show(figure: Figure, alt: str, dpi: int = 100) -> "Image":
    """The figure for a notebook, as a PNG on white with `alt` as its alternative text."""
    from IPython.display import Image

    figure.set_dpi(dpi)
    figure.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    png = BytesIO()
    # Without the fourth channel, which is opaque everywhere, a chapter is a tenth smaller.
    PILImage.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).save(png, "PNG")
    return Image(data=png.getvalue(), alt=alt)
