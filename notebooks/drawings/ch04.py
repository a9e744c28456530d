"""What chapter 4 draws: a run and its pictures, the ladder of remedies, dying ReLUs."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter
from scipy import ndimage

from inpaint_lib.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, Figure, bare, sample_grid, tidy
from inpaint_lib.holes import bounding_box

BUCKET_STYLE = {
    "small": (BLUE, "o"),
    "medium": (ORANGE, "s"),
    "large": (GREEN, "^"),
    "strokes": (PURPLE, "D"),
}


Rows = Mapping[str, Sequence[np.ndarray]]  # pictures (H, W, 3) uint8 by the name of their row
Holes = Mapping[str, np.ndarray]  # (H, W) bool by the title of their column


def goal(rows: Rows, holes: Holes) -> Figure:
    """What the shipped network makes of holes in the wall, as `_around_holes`."""
    alt = (
        "Telea smears the holes with colours from their rim and breaks the joints; the shipped "
        "network continues the joints through the holes; in the large one only near the rim."
    )
    return _around_holes(rows, holes, alt)


def progress(rows: Rows, holes: Holes) -> Figure:
    """What a network makes of them before, during and after training, as `_around_holes`."""
    alt = (
        "The four pictures of the first figure. Telea and the untrained network leave a smear in "
        "the holes. Half way, joints run through the small hole and the strokes, and into the "
        "others from the rim; after training nearly the same is seen."
    )
    return _around_holes(rows, holes, alt)


def _around_holes(rows: Rows, holes: Holes, alt: str, side: int = 88) -> Figure:
    """Rows of pictures (H, W, 3), each cut to a square of `side` pixels around its hole (H, W).

    A thin line runs around the hole, 3 pixels outside of it, in all rows but the first and last.
    """
    cuts = [_square(hole, side) for hole in holes.values()]
    shown = {
        name: [picture[cut] for picture, cut in zip(pictures, cuts, strict=True)]
        for name, pictures in rows.items()
    }
    figure = sample_grid(shown, list(holes), alt=alt)
    across = len(holes)
    for column, (hole, window) in enumerate(zip(holes.values(), cuts, strict=True)):
        around = ndimage.binary_dilation(hole, np.ones((7, 7)))[window]
        for ax in figure.axes[across + column : -across : across]:  # without the first, last row
            ax.contour(around, levels=[0.5], colors=[ORANGE], linewidths=0.7)
    return figure


def _square(hole: np.ndarray, side: int) -> tuple[slice, ...]:
    """The square of `side` pixels around the middle of a hole (H, W), moved into the picture."""
    starts = [
        min(max(0, (span.start + span.stop - 1) // 2 - side // 2), size - side)
        for span, size in zip(bounding_box(hole), hole.shape, strict=True)
    ]
    return tuple(slice(start, start + side) for start in starts)


def overfitting(seen: Sequence[float], unseen: Mapping[int, float]) -> Figure:
    """The loss on the batch that is trained on, by step, and on another, by the step measured."""
    figure = Figure(
        "Two lines over 100 steps. The loss on the two pictures trained on falls to about a "
        "twentieth; the loss on eight other pictures falls at first and then stays about seven "
        "times higher.",
        figsize=(7, 3.2),
        layout="constrained",
    )
    ax = figure.subplots()
    ax.plot(range(1, len(seen) + 1), seen, color=BLUE, label="the two pictures trained on")
    ax.plot(list(unseen), list(unseen.values()), "s-", color=ORANGE, label="eight other pictures")
    ax.set(
        title="One small batch, over and over",
        xlabel="step",
        ylabel="loss (logarithmic)",
        yscale="log",
        yticks=(0.002, 0.005, 0.01, 0.02, 0.05),
    )
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())
    tidy(ax)
    ax.legend(frameon=False)
    return figure


def run_curves(
    log: Sequence[Mapping[str, float]],
    rates: Sequence[float],
    before: Mapping[str, float],
    telea: float,
) -> Figure:
    """Losses by epoch, validation PSNR by epoch with two lines to beat (dB), rate by step.

    log: a mapping for each epoch, with the columns of `training_log.txt` as keys; before: the
    validation columns of the untrained network, drawn as epoch 0.
    """
    epochs = [entry["epoch"] for entry in log]
    validated = [{"epoch": 0, **before}, *log]
    val_epochs = [entry["epoch"] for entry in validated]
    val_losses = [entry["val total loss"] for entry in validated]
    val_decibels = [entry["val hole PSNR [dB]"] for entry in validated]
    figure = Figure(
        "Three panels. Training and validation loss fall over the epochs, steeply at first; the "
        "gap between them grows. The validation PSNR in the hole starts at the fill's, which "
        "lies above Telea's, and rises. The learning rate rises to 0.001 over the first tenth "
        "of the steps and falls back to nearly zero along a cosine.",
        figsize=(10, 3.4),
        layout="constrained",
    )
    losses, decibels, rate = figure.subplots(1, 3)
    losses.plot(epochs, [e["total loss"] for e in log], "o-", color=BLUE, label="training")
    losses.plot(val_epochs, val_losses, "s-", color=ORANGE, label="validation")
    losses.set(title="Loss (hole term: psnr)", xlabel="epoch", ylabel="mean over the epoch")
    decibels.plot(val_epochs, val_decibels, "o-", color=GREEN, label="ours")
    decibels.axhline(telea, color=GREY, linestyle="--", label="Telea")
    decibels.axhline(val_decibels[0], color=GREY, linestyle=":", label="the fill it starts from")
    decibels.set(title="Validation: PSNR in the hole", xlabel="epoch", ylabel="dB, mean")
    rate.plot(range(1, len(rates) + 1), rates, color=PURPLE)
    rate.set(title="Learning rate", xlabel="step", ylabel="Adam's lr")
    for ax in (losses, decibels):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.legend(frameon=False)
    for ax in (losses, decibels, rate):
        tidy(ax)
    return figure


def two_precisions(maps: Mapping[str, np.ndarray]) -> Figure:
    """SSIM maps (H, W) with a name each, in colours that show what leaves [-1, 1]."""
    figure = Figure(
        "Three maps of the SSIM of the same two pictures. In float32 all windows are close to "
        "1. In bfloat16 the map is noise, from below 0 to above 2. The library's, which "
        "computes in float32, is close to 1 again.",
        figsize=(8.6, 3.5),
        layout="constrained",
    )
    axes = figure.subplots(1, len(maps))
    for ax, (name, values) in zip(axes, maps.items(), strict=True):
        image = ax.imshow(values, cmap="RdBu_r", vmin=0, vmax=2, interpolation="none")
        bare(ax, f"{name}\nfrom {values.min():.2f} to {values.max():.2f}", size=11)
    bar = figure.colorbar(image, ax=axes, extend="both", shrink=0.9)
    bar.set_label("SSIM of a window; at most 1 by its formula")
    return figure


def ladder(
    fills: Sequence[Mapping[str, str]],
    rungs: Sequence[Mapping[str, str]],
    beside: Sequence[Mapping[str, str]],
) -> Figure:
    """Hole PSNR of each row in each bucket, and what a picture costs it.

    Marks of small holes are a little above their row and those of strokes below, not to cover
    one another.

    Rows of `ladder.tsv`: fills without a network, the rungs, and runs beside the ladder.
    """
    rows = [*fills, *rungs, *beside]
    places = list(range(len(rows)))
    first = len(fills)  # of the rungs
    last = first + len(rungs)
    figure = Figure(
        "Left: PSNR in the hole for the four kinds of hole, from three fills without a network "
        "through the eight rungs, then two runs beside the ladder, without group and with "
        "another seed. The mean rises from under 20 dB to over 25, with one step back at group. "
        "Right: a picture costs the plain network 352 milliseconds, with patches 30, with crops "
        "8, and 9 to 13 further down.",
        figsize=(10, 5.2),
        layout="constrained",
    )
    decibels, cost = figure.subplots(1, 2, width_ratios=(2.2, 1), sharey=True)
    for bucket, (colour, marker) in BUCKET_STYLE.items():
        values = [float(row[bucket]) for row in rows]
        heights = [place + {"small": -0.15, "strokes": 0.15}.get(bucket, 0) for place in places]
        decibels.plot(values, heights, marker, color=colour, label=bucket)
        decibels.plot(values[first:last], heights[first:last], color=colour, linewidth=0.9)
    means = [np.mean([float(row[b]) for b in BUCKET_STYLE]) for row in rows]
    decibels.plot(means, places, "|", color="black", markersize=16, mew=2, label="mean of the four")
    decibels.set(title="PSNR in the hole, unseen bricks", xlabel="dB, mean over pictures")
    names = [f"{row['rung']}, no network".replace(" fill", "") for row in fills]
    names += [("+ " if i else "") + row["rung"] for i, row in enumerate(rungs)]
    beside_names = {"no-group": "psnr without group", "seed-1": "psnr, another seed"}
    names += [beside_names.get(row["rung"], row["rung"]) for row in beside]
    decibels.set_yticks(places, names)
    decibels.invert_yaxis()
    per_picture = [float(row["step_ms"]) / 8 for row in rows[first:]]  # batches of 8
    cost.barh(places[first:], per_picture, color=BLUE)
    for place, value in zip(places[first:], per_picture, strict=True):
        cost.text(value * 1.1, place, f"{value:.0f}", va="center", fontsize=9)
    cost.set(title="Cost of a picture", xlabel="ms of one core (logarithmic)", xscale="log")
    cost.set_xlim(3, 2000)
    for ax in (decibels, cost):
        tidy(ax)
        for border in (first, last):
            ax.axhline(border - 0.5, color=GREY, linewidth=0.8)
    figure.legend(*decibels.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def active_share(shares: Mapping[str, Sequence[float]]) -> Figure:
    """The share of the last ReLUs that are on, in percent, by step, for each named network."""
    figure = Figure(
        "Three lines over 90 steps, all starting near 50 percent. Without a norm the share of "
        "the last ReLUs that are on falls to a few percent or less; with GroupNorm or BatchNorm "
        "about half or more stay on.",
        figsize=(7, 3.2),
        layout="constrained",
    )
    ax = figure.subplots()
    for (name, values), colour in zip(shares.items(), (ORANGE, BLUE, GREEN), strict=False):
        ax.plot(range(1, len(values) + 1), [100 * v for v in values], color=colour, label=name)
    ax.set(
        title="How many of the last ReLUs are on",
        xlabel="step",
        ylabel="% (logarithmic)",
        yscale="log",
        ylim=(0.1, 100),
    )
    tidy(ax)
    ax.legend(frameon=False)
    return figure


def search_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Runs of `search.tsv` in words: what differs in loss, input, last norm and learning rate."""
    losses = {"rel": "relative to fill", "logmse": "log of squares", "logl1": "log of L1"}
    inputs = {"half": "minus one half", "std": "standardized"}
    lines = ["run               loss              input           norm  rate   L1 left  mean dB"]
    for row in rows:
        words = row["settings"].split()
        given = dict(pairwise(words))  # each option and the word after it
        mean = np.mean([float(row[bucket]) for bucket in BUCKET_STYLE])
        lines.append(
            f"{row['run']:16s}  {losses.get(given.get('--loss', ''), 'L1 and SSIM'):16s}  "
            f"{inputs.get(given.get('--center', ''), 'as it is'):14s}  "
            f"{'yes' if '--outnorm' in given else 'no':4s}  {float(given['--lr']):.3f}  "
            f"{row['L1 left']:7s}  {mean:7.2f}"
        )
    return "\n".join(lines)
