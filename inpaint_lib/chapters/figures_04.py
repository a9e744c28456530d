"""Figures of chapter 4, training. Each takes data and returns a matplotlib Figure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from inpaint_lib.figures import BLUE, GREEN, ORANGE, sample_grid

PURPLE = "#CC79A7"  # the fourth of Okabe & Ito (2008)
GREY = "#666666"
BUCKET_STYLE = {
    "small": (BLUE, "o"),
    "medium": (ORANGE, "s"),
    "large": (GREEN, "^"),
    "strokes": (PURPLE, "D"),
}


def _finish(ax: Axes, legend: bool = True) -> None:
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    if legend:
        ax.legend(frameon=False)


def around_holes(
    rows: Mapping[str, Sequence[np.ndarray]], holes: Mapping[str, np.ndarray], side: int = 88
) -> Figure:
    """Rows of pictures (H, W, 3), each cut to a square of `side` pixels around its hole (H, W)."""
    cuts = []
    for hole in holes.values():
        cut = []
        for axis in (1, 0):
            inside = np.flatnonzero(hole.any(axis=axis))
            middle = int(inside[0] + inside[-1]) // 2
            begin = min(max(0, middle - side // 2), hole.shape[1 - axis] - side)
            cut.append(slice(begin, begin + side))
        cuts.append(tuple(cut))
    shown = {
        name: [picture[cut] for picture, cut in zip(pictures, cuts, strict=True)]
        for name, pictures in rows.items()
    }
    return sample_grid(shown, list(holes))


def overfitting(seen: Sequence[float], unseen: Mapping[int, float]) -> Figure:
    """The loss on the batch that is trained on, by step, and on another, by the step measured."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    ax = figure.subplots()
    ax.plot(range(1, len(seen) + 1), seen, color=BLUE, label="the two pictures trained on")
    ax.plot(list(unseen), list(unseen.values()), "s-", color=ORANGE, label="two other pictures")
    ax.set(
        title="One small batch, over and over",
        xlabel="step",
        ylabel="loss (logarithmic)",
        yscale="log",
    )
    _finish(ax)
    return figure


def run_curves(
    log: Sequence[Mapping[str, float]], rates: Sequence[float], telea: float, start: float
) -> Figure:
    """Losses by epoch, validation PSNR by epoch with two lines to beat (dB), rate by step.

    log: a mapping for each epoch, with the columns of `training_log.txt` as keys.
    """
    epochs = [entry["epoch"] for entry in log]
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    losses, decibels, rate = figure.subplots(1, 3)
    losses.plot(epochs, [e["total loss"] for e in log], "o-", color=BLUE, label="training")
    losses.plot(epochs, [e["val total loss"] for e in log], "s-", color=ORANGE, label="validation")
    losses.set(title="Loss", xlabel="epoch", ylabel="mean over the epoch")
    decibels.plot(epochs, [e["val hole PSNR [dB]"] for e in log], "o-", color=GREEN, label="ours")
    decibels.axhline(telea, color=GREY, linestyle="--", label="Telea")
    decibels.axhline(start, color=GREY, linestyle=":", label="the fill it starts from")
    decibels.set(title="Validation: PSNR in the hole", xlabel="epoch", ylabel="dB, mean")
    rate.plot(range(1, len(rates) + 1), rates, color=PURPLE)
    rate.set(title="Learning rate", xlabel="step", ylabel="Adam's lr")
    for ax in (losses, decibels):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _finish(losses)
    _finish(decibels)
    _finish(rate, legend=False)
    return figure


def two_precisions(maps: Mapping[str, np.ndarray]) -> Figure:
    """SSIM maps (H, W) with a name each, in colours that show what leaves [-1, 1]."""
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    axes = figure.subplots(1, len(maps))
    for ax, (name, values) in zip(axes, maps.items(), strict=True):
        image = ax.imshow(values, cmap="RdBu_r", vmin=0, vmax=2, interpolation="none")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title(f"{name}\nfrom {values.min():.2f} to {values.max():.2f}", fontsize=11)
    bar = figure.colorbar(image, ax=axes, extend="both", shrink=0.9)
    bar.set_label("SSIM of a window; at most 1 by its formula")
    return figure


def ladder(
    fills: Sequence[Mapping[str, str]],
    rungs: Sequence[Mapping[str, str]],
    beside: Sequence[Mapping[str, str]],
) -> Figure:
    """Hole PSNR of each row in each bucket, and what a picture costs it.

    Rows of `ladder.tsv`: fills without a network, the rungs, and runs beside the ladder.
    """
    rows = [*fills, *rungs, *beside]
    places = list(range(len(rows)))
    first, last = len(fills), len(fills) + len(rungs)
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    decibels, cost = figure.subplots(1, 2, width_ratios=(2.2, 1), sharey=True)
    for bucket, (colour, marker) in BUCKET_STYLE.items():
        values = [float(row[bucket]) for row in rows]
        decibels.plot(values, places, marker, color=colour, label=bucket)
        decibels.plot(values[first:last], places[first:last], color=colour, linewidth=0.9)
    means = [np.mean([float(row[b]) for b in BUCKET_STYLE]) for row in rows]
    decibels.plot(means, places, "|", color="black", markersize=16, mew=2, label="mean of the four")
    decibels.set(title="PSNR in the hole, unseen bricks", xlabel="dB, mean over pictures")
    decibels.set_yticks(places, [row["rung"] for row in rows])
    decibels.invert_yaxis()
    per_picture = [float(row["step_ms"]) / 8 for row in rows[first:]]  # batches of 8
    cost.barh(places[first:], per_picture, color=BLUE)
    for place, value in zip(places[first:], per_picture, strict=True):
        cost.text(value * 1.1, place, f"{value:.0f}", va="center", fontsize=9)
    cost.set(title="Cost of a picture", xlabel="ms of one core (logarithmic)", xscale="log")
    cost.set_xlim(3, 2000)
    for ax in (decibels, cost):
        for border in (first, last):
            ax.axhline(border - 0.5, color=GREY, linewidth=0.8)
    _finish(decibels, legend=False)
    figure.legend(*decibels.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    _finish(cost, legend=False)
    return figure


def active_share(shares: Mapping[str, Sequence[float]]) -> Figure:
    """The share of the last ReLUs that are on, in percent, by step, for each named network."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    ax = figure.subplots()
    for (name, values), colour in zip(shares.items(), (ORANGE, BLUE), strict=False):
        ax.plot(range(1, len(values) + 1), [100 * v for v in values], color=colour, label=name)
    ax.set(
        title="How many of the last ReLUs are on",
        xlabel="step",
        ylabel="% (logarithmic)",
        yscale="log",
        ylim=(0.1, 100),
    )
    _finish(ax)
    return figure
