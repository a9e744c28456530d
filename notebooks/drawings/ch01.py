"""What chapter 1 draws: crops, the mask rule, holes, and what there is to beat."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from inpaint_lib.figures import (
    BLACK,
    BLUE,
    GREEN,
    MARKERS,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Figure,
    picture_grid,
)

SERIES = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)

Rows = Mapping[str, Sequence[np.ndarray]]  # pictures (H, W, 3) uint8 by the name of their row


def pairs(rows: Rows, titles: Sequence[str]) -> Figure:
    """Pairs in columns: occluded pictures, their masks, the originals."""
    alt = (
        "Occluded: a black box or black strokes. Mask: white exactly where the picture above it is "
        "black. Original: the complete pictures."
    )
    return picture_grid(rows, titles, alt=alt, dpi=85)


def crops_on_photographs(
    photographs: Mapping[str, tuple[np.ndarray, Sequence[tuple[int, int, int, int]]]],
) -> Figure:
    """Each photograph (H, W, 3) uint8 with the frames of its crops (left, top, right, bottom)."""
    shapes = [picture.shape for picture, _ in photographs.values()]
    widths = [shape[1] / shape[0] for shape in shapes]
    figure = Figure(
        "Two photographs with white frames. On the dandelion, twenty frames of different sizes "
        "overlap. On the dogs, equal frames lie side by side and do not overlap.",
        figsize=(8, 8 / sum(widths) + 0.45),
        dpi=75,
        layout="constrained",
    )
    axes = figure.subplots(1, len(shapes), width_ratios=widths, squeeze=False)[0]
    for ax, (title, (picture, crops)) in zip(axes, photographs.items(), strict=True):
        ax.imshow(picture)
        for left, top, right, bottom in crops:
            box = (left - 0.5, top - 0.5), right - left, bottom - top
            ax.add_patch(Rectangle(*box, fill=False, edgecolor="black", linewidth=2.2))
            ax.add_patch(Rectangle(*box, fill=False, edgecolor="white", linewidth=1.0))
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=12)
    return figure


def recall_by_brightness(sums: np.ndarray, recalls: Mapping[str, np.ndarray]) -> Figure:
    """The share of hidden pixels found (0 to 1) by the R + G + B they had, a line a kind of file.

    sums: (N,) integers; recalls: (N,) each, NaN where no pixel had that sum.
    """
    figure = Figure(
        "Recall by R + G + B of the hidden pixel. For PNG a step: zero up to a sum of 7, all "
        "from 8 on. For JPEG a slope from near zero at 0 to all of them at about 33.",
        figsize=(7, 3.3),
        dpi=85,
        layout="constrained",
    )
    ax = figure.subplots()
    for (name, recall), colour, marker in zip(recalls.items(), SERIES, MARKERS, strict=False):
        ax.plot(sums, recall, color=colour, marker=marker, markersize=4, label=name)
    ax.axvline(7.65, color=MUTED, linestyle="--", linewidth=1)
    ax.text(8.0, 0.06, "threshold 0.03 · 255 = 7.65", color=MUTED, fontsize=9)
    ax.set(
        title="Does the mask rule find a hidden pixel?",
        xlabel="R + G + B of the hidden pixel (each 0 to 255)",
        ylabel="found",
        ylim=(-0.04, 1.04),
    )
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(alpha=0.3)
    ax.legend(loc="center right")
    return figure


def found_in_the_dark(rows: Rows, titles: Sequence[str]) -> Figure:
    """What the mask rule finds of dark pairs, one in each row."""
    alt = (
        "In the rule's column the mountains' hole is white in the light and orange, missed, in the "
        "shadow; the retina's hole is orange throughout. Closing turns a little orange into white. "
        "The mask file shows the whole holes in both rows."
    )
    return picture_grid(rows, titles, alt=alt, side=1.85)


def found_in_jpeg(pictures: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """A pair saved as JPEG, and what the mask rule finds of it at several qualities."""
    alt = (
        "A picture with a black box, and what the rule finds at three JPEG qualities. Around the "
        "white box lie light blue specks, wrongly found, in a frame of whole blocks, none further "
        "off."
    )
    return picture_grid({"": pictures}, titles, alt=alt, side=2.1)


def trade_off(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], thresholds: Sequence[float]
) -> Figure:
    """Recall and precision (0 to 1) of the mask rule at each threshold, a curve a kind of file."""
    figure = Figure(
        "Precision against recall of the mask rule for four JPEG qualities. At threshold 0.03 "
        "recall is near 100 percent and precision 60 to 90 percent; at 0.3 precision is near 99 "
        "and recall near 92; at 0.6 precision is 100 and recall near 70.",
        figsize=(6.4, 3.9),
        dpi=85,
        layout="constrained",
    )
    ax = figure.subplots()
    for (name, (recall, precision)), colour, marker in zip(
        curves.items(), SERIES, MARKERS, strict=False
    ):
        ax.plot(recall, precision, color=colour, marker=marker, label=name)
    for i, threshold in enumerate(thresholds):  # a dotted line joins the points of one threshold
        xs, ys = ([curve[k][i] for curve in curves.values()] for k in (0, 1))
        ax.plot(xs, ys, color=MUTED, linestyle=":", linewidth=1, zorder=0)
        where: Any = {"xytext": (0, -14), "textcoords": "offset points", "ha": "center"}
        ax.annotate(f"{threshold}", (xs[-1], ys[-1]), fontsize=10, color=BLACK, **where)
    ax.set(
        title="The mask rule on JPEG files (0.03 to 0.6: thresholds)",
        xlim=(0.69, 1.02),
        ylim=(0.54, 1.02),
        xlabel="recall: share of the hole that is found",
        ylabel="precision: share of\nwhat is found that is hole",
    )
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(alpha=0.3)
    ax.legend(title="JPEG quality")
    return figure


def hole_areas(shares: Mapping[str, np.ndarray]) -> Figure:
    """The hole's share of the picture (0 to 1), a dot a pair, a row a bucket; bars: medians."""
    figure = Figure(
        "The share of the picture that is hidden, a dot a pair. Small boxes hide about 1 to 2 "
        "percent, medium 4 to 8, large 15 to 25, strokes 10 to 16; training holes 1 to over 40.",
        figsize=(7.5, 2.9),
        layout="constrained",
    )
    ax = figure.subplots()
    for y, (values, colour) in enumerate(zip(shares.values(), SERIES, strict=False)):
        jitter = 0.5 * (np.arange(len(values)) * 0.618 % 1 - 0.5)
        ax.scatter(values, y + jitter, s=9, color=colour, alpha=0.5, linewidths=0)
        ax.plot([np.median(values)] * 2, [y - 0.36, y + 0.36], color=BLACK, linewidth=2)
    ax.set_yticks(range(len(shares)), list(shares))
    ax.invert_yaxis()
    ax.set(title="How much of the picture is hidden", xlabel="hole's share of the picture's area")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_xlim(left=0)
    ax.grid(alpha=0.3, axis="x")
    return figure


def hole_positions(shares: Mapping[str, np.ndarray]) -> Figure:
    """Maps (H, W) of how often (0 to 1) each pixel is hidden, each with its own scale."""
    figure = Figure(
        "Five maps of how often each pixel is hidden. Training holes, medium and large boxes: "
        "bright in the middle, dark towards the corners. Small boxes and strokes: scattered.",
        figsize=(1.9 * len(shares) + 0.4, 2.9),
        dpi=85,
        layout="constrained",
    )
    axes = figure.subplots(1, len(shares), squeeze=False)[0]
    for ax, (name, share) in zip(axes, shares.items(), strict=True):
        image = ax.imshow(share, cmap="cividis", vmin=0, interpolation="none")
        ax.set(title=name, xticks=[0, 127], yticks=[0, 127])
        bar = figure.colorbar(image, ax=ax, orientation="horizontal", shrink=0.9, pad=0.02)
        bar.locator = MaxNLocator(3)
        bar.ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].set_ylabel("y, pixels")
    label = "colour: hidden in this share of the pairs; each map has its own scale"
    figure.supxlabel(label, size=10)
    return figure


def memory_curve(
    counts: Sequence[int], each: np.ndarray, references: Mapping[str, float]
) -> Figure:
    """Hole PSNR in dB of a memoriser, by how many crops of the same photograph it may look at.

    each: (queries, counts); references: the mean of other methods on the same holes.
    """
    figure = Figure(
        "Hole PSNR of the memoriser against how many crops of the same photograph it may copy "
        "from. The mean rises from below the mean colour, with none, to far above push-pull, at "
        "128. Thin grey lines of single holes jump upwards by ten dB and more.",
        figsize=(7.2, 3.9),
        dpi=85,
        layout="constrained",
    )
    ax = figure.subplots()
    x = np.arange(len(counts))
    ax.plot(x, each.T, color=MUTED, alpha=0.25, linewidth=0.8)
    ax.plot([], [], color=MUTED, alpha=0.6, linewidth=0.8, label="memoriser, one hole")
    ax.plot(x, each.mean(0), color=VERMILION, marker="o", linewidth=2.5, label="memoriser, mean")
    for (name, value), colour, dash in zip(references.items(), SERIES, ("--", "-."), strict=False):
        ax.axhline(value, color=colour, linestyle=dash, label=f"{name}, mean")
    labels = ["none: split\nby photograph", *map(str, counts[1:])]
    ax.set_xticks(x, labels)
    ax.set(
        title="What a memoriser scores when it has seen the photograph",
        xlabel="crops of the same photograph among those it may copy from",
        ylabel="hole PSNR, dB",
    )
    ax.grid(alpha=0.3)
    ax.legend(fontsize=9)
    return figure


def halved(pictures: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """A picture with a hole, halved again and again; last, filled."""
    alt = (
        "The same picture at each size: the black hole shrinks with it, is one pixel at 8 px and "
        "gone at 4 px. Last, the filled picture at 128 pixels: a soft blur of the surroundings in "
        "place of the box."
    )
    return picture_grid({"": pictures}, titles, alt=alt, side=1.4, dpi=90)


def radius_curves(
    worlds: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], radii: Sequence[int]
) -> Figure:
    """Mean hole PSNR in dB by OpenCV's radius: a row a world, a column a bucket, a line a method.

    worlds[world][bucket][method]: the means, in the order of `radii`.
    """
    buckets = list(next(iter(worlds.values())))
    figure = Figure(
        "Eight small panels of hole PSNR against radius. On photographs Telea gains with the "
        "radius in boxes and loses in strokes; on the wall radius 1 is mostly best.",
        figsize=(9.5, 2.3 * len(worlds) + 0.5),
        dpi=85,
        layout="constrained",
    )
    axes = figure.subplots(len(worlds), len(buckets), squeeze=False)
    for line, (world, by_bucket) in zip(axes, worlds.items(), strict=True):
        for ax, (bucket, by_method) in zip(line, by_bucket.items(), strict=True):
            for (name, values), colour, marker in zip(
                by_method.items(), SERIES, MARKERS, strict=False
            ):
                ax.plot(range(len(radii)), values, color=colour, alpha=0.8, label=name)
                best = int(np.argmax(values))
                for i, value in enumerate(values):
                    face = colour if i == best else "white"
                    ax.plot(i, value, marker=marker, color=colour, markerfacecolor=face)
            middle = np.mean([v for values in by_method.values() for v in values])
            ax.set_ylim(middle - 2.2, middle + 2.2)
            ax.set_xticks(range(len(radii)), [str(r) for r in radii])
            ax.set_title(f"{world}, {bucket}", fontsize=10)
            ax.grid(alpha=0.3)
        line[0].set_ylabel("hole PSNR, dB")
    for ax in axes[-1]:
        ax.set_xlabel("radius, pixels")
    axes[0][0].legend(fontsize=8)
    return figure


def methods_by_bucket(means: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Mean hole PSNR in dB: a panel a bucket, a row a method, a small mark a photograph.

    means[bucket][method]: by photograph, and under "mean" over all pictures.
    """
    figure = Figure(
        "Hole PSNR of six methods in four buckets, mean and each photograph. The thin plate has "
        "the highest mean in small, medium and large boxes, biharmonic in strokes; mean colour "
        "is far below all others. Between photographs the same method differs by more than "
        "methods do.",
        figsize=(9.8, 4.0),
        dpi=90,
        layout="constrained",
    )
    axes = figure.subplots(1, len(means), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (bucket, by_method) in zip(axes, means.items(), strict=True):
        top = max(values["mean"] for values in by_method.values())
        for y, values in enumerate(by_method.values()):
            best = values["mean"] == top
            photographs = [name for name in values if name != "mean"]
            bar = [values["mean"]] * 2, [y - 0.4, y + 0.4]
            ax.plot(*bar, color=BLACK, linewidth=2.5, alpha=0.6, label="mean")
            for k, (name, marker) in enumerate(zip(photographs, "^sv", strict=False)):
                height = y + 0.26 * (k - 1)  # one above another, so that none hides another
                ax.plot(values[name], height, marker, color=SERIES[k], markersize=5, label=name)
            weight = "bold" if best else "normal"
            ax.annotate(
                f"{values['mean']:.1f}",
                (1.0, y),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                fontweight=weight,
            )
        ax.set_yticks(range(len(by_method)), list(by_method))
        ax.set_title(bucket, fontsize=11)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.set_xlabel("hole PSNR, dB")
        ax.grid(alpha=0.3, axis="x")
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=4, fontsize=9)
    return figure


def fills(rows: Rows, titles: Sequence[str]) -> Figure:
    """The surroundings of holes, filled by several methods."""
    alt = (
        "Strokes are hard to see afterwards. In boxes, Telea and Navier-Stokes leave streaks; "
        "biharmonic, push-pull and the thin plate leave a soft blur. None restores an edge."
    )
    return picture_grid(rows, titles, alt=alt, side=1.45)


def error_by_steepness(steepness: Sequence[float], errors: Mapping[str, Sequence[float]]) -> Figure:
    """RMS error in the hole by how steep the hidden original is; both in values of 0 to 255.

    steepness: mean gradient of each tenth of the pixels; errors: of each method, likewise.
    """
    figure = Figure(
        "RMS error against the gradient of the hidden original, for push-pull and for the thin "
        "plate. Both lines rise together, from about 10 in flat parts to nearly 40 in the "
        "steepest.",
        figsize=(6.6, 3.4),
        layout="constrained",
    )
    ax = figure.subplots()
    for (name, values), colour, marker in zip(errors.items(), SERIES, MARKERS, strict=False):
        ax.plot(steepness, values, color=colour, marker=marker, label=name)
    ax.set_xscale("log")
    ax.set(
        title="Smooth fills fail where the hidden picture is steep",
        xlabel="gradient of the hidden original, values (0 to 255) per pixel, log scale",
        ylabel="RMS error,\nvalues (0 to 255)",
    )
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3, which="both")
    ax.legend()
    return figure
