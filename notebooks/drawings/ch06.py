"""What chapter 6 draws: what was learned, gains and losses, seams, a whole photograph."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.lib.stride_tricks import sliding_window_view

from inpaint_lib.figures import (
    BLUE,
    FRAME,
    GREEN,
    GREY,
    MARKERS,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Figure,
    bare,
    picture_grid,
    tidy,
)
from inpaint_lib.holes import bounding_box

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#8C2D04")  # the last: far from the first
WORLDS = {"photographs": SKY, "brick wall": VERMILION}


Rows = Mapping[str, Sequence[np.ndarray]]  # pictures (128, 128, 3) uint8 by the name of their row


def gains_in_wide_holes(rows: Rows, holes: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """The least, middle and greatest gains in boxes, as `_around_holes`."""
    alt = (
        "Medium and large holes, three columns each: least, middle and greatest gain. The fills of "
        "both methods are soft where the originals have texture or edges."
    )
    return _around_holes(rows, holes, titles, alt)


def gains_in_strokes(rows: Rows, holes: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """The least, middle and greatest gains in brush strokes, as `_around_holes`."""
    alt = (
        "Holes of brush strokes: least, middle and greatest gain. Both fills are much closer to "
        "the original than in wide holes; differences show where strokes cross edges."
    )
    return _around_holes(rows, holes, titles, alt)


def hard_cases(rows: Rows, holes: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """Four holes in which something goes on, ends, or is nowhere else, as `_around_holes`."""
    alt = (
        "Across the rim of a cup, at the tip of a roof, in grass, and where a cat's eye was. The "
        "rim fades out, the roof's edge dissolves into grey, the grass becomes a flat green, and "
        "green runs out into fur colour where the eye was."
    )
    return _around_holes(rows, holes, titles, alt)


def _around_holes(
    rows: Rows, holes: Sequence[np.ndarray], titles: Sequence[str], alt: str, margin: int = 8
) -> Figure:
    """Pictures (128, 128, 3) uint8 in rows; of each column a square with its hole (H, W).

    A hole that is wider than 81 px (strokes) is shown where 64 x 64 px hold most of it.
    """
    windows = [_square(hole, margin) for hole in holes]
    shown = {
        name: [p[window] for p, window in zip(pictures, windows, strict=True)]
        for name, pictures in rows.items()
    }
    return picture_grid(shown, titles, alt=alt, room=(0.4, 0.4), frame=None, name_size=11)


def _square(hole: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The square around a hole's bounding box and its margin, moved into the picture."""
    spans = bounding_box(hole)
    longest = max(span.stop - span.start for span in spans)
    if longest > 81:
        within = sliding_window_view(hole, (64, 64)).sum(axis=(2, 3))
        top, left = np.unravel_index(within.argmax(), within.shape)
        return slice(int(top), int(top) + 64), slice(int(left), int(left) + 64)
    side = min(longest + 2 * margin, *hole.shape)
    top, left = (
        min(max(0, (span.start + span.stop - side) // 2), size - side)
        for span, size in zip(spans, hole.shape, strict=True)
    )
    return slice(top, top + side), slice(left, left + side)


def first_look(
    rows: Mapping[str, Sequence[np.ndarray]], holes: Sequence[np.ndarray], titles: Sequence[str]
) -> Figure:
    """Pictures (128, 128, 3) uint8 in rows with a name and a hole each; a title for each column."""
    windows = [_square(hole, 25) for hole in holes]
    shown = {
        name: [picture[window] for picture in row]
        for window, (name, row) in zip(windows, rows.items(), strict=True)
    }
    alt = (
        "On the wall the start is a grey smear and ours draws bricks and joints through the "
        "hole. On the cup the start smears the white rim into the red; ours is a darker, "
        "checkered smudge."
    )
    look: Any = {"side": 1.7, "room": (0.4, 0.3), "frame": None, "name_size": 11}
    return picture_grid(shown, titles, alt=alt, **look)


def start_and_learned(parts: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Figure:
    """For each world and bucket the hole PSNR of (mean colour, start, ours), in dB, as steps."""
    figure = Figure(
        "Bars of hole PSNR by bucket for photographs and brick wall, split into what the "
        "computed start gains over the mean colour and what the network adds. On photographs "
        "the start is nearly everything. On the wall the learned part is several dB, and in the "
        "large hole the start is a little worse than the mean colour.",
        figsize=(9, 3.8),
        dpi=85,
        layout="constrained",
    )
    axes = figure.subplots(1, len(parts), sharey=True)
    for ax, (world, buckets) in zip(axes, parts.items(), strict=True):
        for x, (low, start, ours) in enumerate(buckets.values()):
            ax.bar(x, start - low, 0.6, low, color=ORANGE, label="the start, computed")
            ax.bar(x, ours - start, 0.6, start, color=BLUE, hatch="//", edgecolor="white")
            ax.plot([x - 0.36, x + 0.36], [low, low], color="black", linewidth=1.6)
            ax.text(x, max(ours, start) + 0.2, f"{ours - start:+.1f}", ha="center", fontsize=10)
        ax.set_xticks(range(len(buckets)), buckets)
        ax.set_title(world, fontsize=11)
        tidy(ax, "y")
    axes[0].set_ylabel("PSNR in the hole, dB (axis cut off below)")
    low = min(v[0] for b in parts.values() for v in b.values())
    axes[0].set_ylim(low - 2, None)
    handles = [
        Rectangle((0, 0), 1, 1, color=ORANGE),
        Rectangle((0, 0), 1, 1, facecolor=BLUE, hatch="//", edgecolor="white"),
    ]
    names = ["from mean colour (black line) to our start", "from our start to ours: learned"]
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return figure


def corrections(
    rows: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], holes: Sequence[np.ndarray]
) -> Figure:
    """For each named row: the start (H, W, 3) uint8, predicted and true residual (H, W).

    Residuals in units of the range, averaged over the channels. Shown around the row's hole.
    """
    figure = Figure(
        "For the wall and the cup of the first figure: start, predicted and true residual, "
        "orange where the start is to become darker, purple where brighter. On the wall the "
        "prediction has the joints and bricks of the truth. On the cup it is a paler, blurred "
        "version of the truth's bands.",
        figsize=(7.6, 2.3 * len(rows)),
        layout="constrained",
    )
    axes = figure.subplots(len(rows), 3, squeeze=False)
    for line, hole, (name, (start, *both)) in zip(axes, holes, rows.items(), strict=True):
        window = _square(hole, 12)
        line[0].imshow(start[window], interpolation="none")
        bare(line[0], "our start")
        line[0].set_ylabel(name, fontsize=11)
        titles = ("predicted residual", "true residual")
        for ax, values, title in zip(line[1:], both, titles, strict=True):
            image = ax.imshow(
                values[window], cmap="PuOr", vmin=-0.3, vmax=0.3, interpolation="none"
            )
            bare(ax, title, frame=FRAME)
    figure.colorbar(image, ax=axes, shrink=0.7, extend="both", label="added to the start")
    return figure


def correlations(values: Mapping[str, Mapping[str, float]]) -> Figure:
    """Correlation of predicted and true residual: for each world, by bucket."""
    figure = Figure(
        "Correlation of predicted and true residual by bucket. Brick wall: 0.76 to 0.92 in the "
        "four buckets. Photographs: 0.26 to 0.48.",
        figsize=(6.5, 3.2),
        dpi=85,
        layout="constrained",
    )
    ax = figure.subplots()
    for shift, marker, (world, by) in zip((-0.1, 0.1), MARKERS, values.items(), strict=False):
        colour = WORLDS[world]
        x = np.arange(len(by)) + shift
        ax.vlines(x, 0, list(by.values()), color=colour, linewidth=2)
        ax.plot(x, list(by.values()), marker, color=colour, markersize=9, label=world)
        side = "left" if shift > 0 else "right"
        for place, value in zip(x + np.sign(shift) * 0.09, by.values(), strict=True):
            ax.text(place, value, f"{value:.2f}", va="center", ha=side, fontsize=9)
    ax.set_xticks(range(len(by)), by)
    ax.set(
        ylim=(0, 1.0),
        xlim=(-0.6, len(by) - 0.4),
        ylabel="correlation with the true residual",
        title="How well the network guesses what the start lacks",
    )
    ax.legend(frameon=False, loc="upper right", ncols=2)
    tidy(ax, "y")
    return figure


def memory(curves: Mapping[str, Mapping[int, float]]) -> Figure:
    """Share of the residual's energy that the nearest neighbour explains, by patches in memory."""
    figure = Figure(
        "Share of the residual that the nearest neighbour explains, against patches in memory "
        "from 20 to 5,000. Brick wall: rising to more than half. Photographs: below zero "
        "throughout, hardly rising.",
        figsize=(6.8, 3.5),
        dpi=85,
        layout="constrained",
    )
    ax = figure.subplots()
    ax.axhline(0, color="black", linewidth=1)
    for marker, (world, curve) in zip("so", curves.items(), strict=True):
        counts, shares = list(curve), list(curve.values())
        ax.plot(counts, shares, marker=marker, color=WORLDS[world], label=world)
        shift = (-8, 10 if shares[-1] > 0 else -28)
        _note(ax, world, (counts[-1], shares[-1]), shift, ha="right", fontsize=11)
    _note(ax, "the start alone", (20, 0), (0, 4))
    ax.set(
        xscale="log",
        ylim=(-0.4, 1.02),
        xlabel="patches in memory",
        ylabel="share of the residual explained",
        title="Copy what the most similar surroundings had",
    )
    tidy(ax, "y")
    return figure


def _note(
    ax: Axes, text: str, at: tuple[float, float], shift: tuple[float, float], **how: Any
) -> None:
    """Words beside a point of the data, `shift` in printer's points from it."""
    ax.annotate(text, at, shift, textcoords="offset points", **({"fontsize": 9} | how))


def gains(
    panels: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
    bars: Mapping[str, Mapping[str, tuple[float, float, float]]],
) -> Figure:
    """Gains in dB of single pictures, by photograph, with a mean and interval for each bucket.

    panels: title -> bucket -> photograph -> gains; bars: title -> bucket -> (mean, low, high).
    """
    figure = Figure(
        "Two panels, ours minus the best classic method and ours minus our start. In each "
        "bucket a dot for each picture, columns by photograph, and a mean with its 95 percent "
        "interval. The dots scatter over several dB on both sides of zero; means are positive, "
        "and against our start only the interval of strokes lies above zero.",
        figsize=(9, 5),
        dpi=85,
        layout="constrained",
    )
    axes = figure.subplots(1, len(panels), sharey=True)
    for ax, (title, buckets) in zip(axes, panels.items(), strict=True):
        ax.axhline(0, color="black", linewidth=1)
        for x, (bucket, photographs) in enumerate(buckets.items()):
            for i, (name, values) in enumerate(photographs.items()):
                dots: Any = {"color": COLOURS[i], "markersize": 4.5, "alpha": 0.8}
                label = name if x == 0 else None
                places = np.full(len(values), x - 0.3 + 0.11 * i)
                ax.plot(places, values, MARKERS[i], linestyle="none", label=label, **dots)
            mean, low, high = bars[title][bucket]
            cross: Any = {"fmt": "X", "color": "black", "markersize": 7}
            whiskers: Any = {"capsize": 4, "linewidth": 1.6}
            label = "mean and its 95 % interval" if x == 0 else None
            spread = [[mean - low], [high - mean]]
            ax.errorbar(x + 0.31, mean, spread, label=label, **cross, **whiskers)
        ax.set_xticks(range(len(buckets)), buckets)
        ax.set_yticks(range(-2, 9))
        ax.set_title(title, fontsize=11)
        tidy(ax, "y")
    axes[0].set_ylabel("gain in hole PSNR, dB")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    return figure


Curves = Mapping[str, Sequence[float]]  # by name of the method


def by_distance(worlds: Mapping[str, tuple[Sequence[float], Curves, Curves]]) -> Figure:
    """For each world (distances, error by method, detail by method), error above detail."""
    figure = Figure(
        "Four panels. Above: mean absolute error against the distance from the hole's edge, for "
        "ours, our start and Telea, on photographs and on the wall; it rises from the edge "
        "inwards, and on the wall ours is clearly lowest. Below: fine detail as a share of the "
        "original's. On photographs it falls to a small share for all three; on the wall ours "
        "keeps the most.",
        figsize=(9, 5.6),
        dpi=85,
        layout="constrained",
    )
    axes = figure.subplots(2, len(worlds), sharex=True, sharey="row")
    for column, (world, (distance, error, detail)) in zip(axes.T, worlds.items(), strict=True):
        for ax, curves in zip(column, (error, detail), strict=True):
            for colour, marker, (name, values) in zip(
                COLOURS, MARKERS, curves.items(), strict=False
            ):
                ax.plot(distance, values, color=colour, marker=marker, markersize=5, label=name)
            tidy(ax, "y")
        column[0].set_title(world, fontsize=11)
        column[1].set_xlabel("distance from the hole's edge, pixels")
        column[1].axhline(1, color="black", linewidth=1, linestyle="--")
    _note(axes[1, 1], "the original", (distance[-1], 1), (0, -13), ha="right")
    axes[0, 0].set_ylim(0, None)
    axes[1, 0].set_ylim(0, 1.08)
    axes[0, 0].set_ylabel("mean absolute error\n(of a range of 1)")
    axes[1, 0].set_ylabel("fine detail, as a share\nof the original's")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def jumps(worlds: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Edge jump in units of the original's: world -> method -> bucket -> ratio."""
    figure = Figure(
        "Jump across the hole's edge relative to the original's, by method and bucket, for both "
        "worlds, on a logarithmic axis. The mean colour lies at 3 to 5. Most smooth fills lie "
        "below 1. Ours lies below 1 on photographs and near 1 on the wall.",
        figsize=(9, 4.4),
        dpi=85,
        layout="constrained",
    )
    axes = figure.subplots(1, len(worlds), sharey=True, sharex=True)
    for ax, (world, methods) in zip(axes, worlds.items(), strict=True):
        ax.axvline(1, color="black", linewidth=1.2, linestyle="--")
        for i, bucket in enumerate(next(iter(methods.values()))):
            ax.plot(
                [by[bucket] for by in methods.values()],
                np.arange(len(methods)) + 0.17 * (i - 1.5),  # side by side, not on each other
                MARKERS[i],
                color=COLOURS[i],
                label=bucket,
                markersize=6,
            )
        ax.set_yticks(range(len(methods)), methods)
        ax.set_xscale("log")
        ax.set_xticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
        ax.minorticks_off()
        ax.set(title=world, xlabel="jump across the edge / that of the original")
        tidy(ax)
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def ranks(buckets: Mapping[str, Mapping[str, tuple[float, float]]], bold: str = "ours") -> Figure:
    """Order of the methods by PSNR (left) and by SSIM (right); bucket -> method -> (PSNR, SSIM)."""
    figure = Figure(
        "For each bucket the seven methods in order of PSNR on the left and of SSIM on the "
        "right, joined by lines. Ours is first on both sides everywhere; among the classics "
        "several lines cross.",
        figsize=(9.4, 3.4),
        dpi=85,
        layout="constrained",
    )
    axes = figure.subplots(1, len(buckets))
    for ax, (bucket, values) in zip(axes, buckets.items(), strict=True):
        names = list(values)
        by_psnr = sorted(names, key=lambda name: -values[name][0])
        by_ssim = sorted(names, key=lambda name: -values[name][1])
        for name in names:
            left, right = by_psnr.index(name), by_ssim.index(name)
            colour = BLUE if name == bold else ORANGE if left != right else GREY
            ax.plot([0, 1], [left, right], color=colour, marker="o", linewidth=2)
            for x, y, side in ((-0.14, left, "right"), (1.14, right, "left")):
                ax.text(x, y, name, ha=side, va="center", fontsize=8, color="black")
        ax.set(xlim=(-1.5, 2.5), ylim=(len(names) - 0.5, -0.9))
        ax.text(0, -0.6, "PSNR", ha="center", fontsize=9)
        ax.text(1, -0.6, "SSIM", ha="center", fontsize=9)
        bare(ax, bucket, size=11)
    return figure


def photograph(
    pictures: Mapping[str, np.ndarray],
    outlines: Mapping[str, tuple[int, int, int, int]],
    scale: int,
) -> Figure:
    """Pictures at 1/scale of their size, with named windows (left, top, width, height)."""
    height, width = next(iter(pictures.values())).shape[:2]
    label = {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.5}
    figure = Figure(
        "A mountain behind autumn woods and a meadow, with a tall black box over a spruce, a "
        "small black box in the grass and a black stroke across the mountain; beside it the "
        "same photograph completed, with a soft patch where the spruce was. Frames show three "
        "windows.",
        figsize=(9, 9 * height / width / len(pictures) + 0.35),
        layout="constrained",
    )
    for ax, (title, picture) in zip(
        figure.subplots(1, len(pictures)), pictures.items(), strict=True
    ):
        ax.imshow(picture, interpolation="none")
        bare(ax, title)
        for name, box in outlines.items():
            left, top, w, h = (value / scale for value in box)
            for colour, line in (("white", 3), ("black", 1)):  # seen on any ground
                frame = Rectangle((left, top), w, h, fill=False, edgecolor=colour, linewidth=line)
                ax.add_patch(frame)
            ax.text(left, top - 3, name, color="white", fontsize=9, va="bottom", bbox=label)
    return figure


def before_and_after(columns: Mapping[str, tuple[np.ndarray, ...]], rows: Sequence[str]) -> Figure:
    """Named columns of windows (H, W, 3) uint8, one for each of the named rows."""
    shown = {
        name: [pictures[row] for pictures in columns.values()] for row, name in enumerate(rows)
    }
    alt = (
        "The stroke has left a smooth band on the mountain. The box in the grass is a green blur. "
        "Where the spruce was, a soft mixture of wood, meadow and mountain colours stands."
    )
    figure = picture_grid(shown, list(columns), alt=alt, frame=None, name_size=11)
    figure.set_size_inches(9, 2.35 * len(rows) + 0.3)
    return figure
