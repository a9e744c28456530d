"""What chapter 5 draws: a run by its epochs, speeds, who waits for whom, what was reached."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter
from PIL import Image

from inpaint_lib.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Figure,
    picture_grid,
    tidy,
)
from inpaint_lib.widgets.epoch_browser import cut_sheet, find_sheets

# Of the eight pictures of a sheet: its number, and the upper left corner of a window on its hole.
PLACES = {
    "a flower's\nedge": (6, 44, 32),
    "a white\nwall": (1, 12, 60),
    "brush\nstrokes": (5, 32, 44),
    "a large\nhole": (4, 16, 60),
}
WINDOW = 68  # pixels


def film_strip(folder: Path, epochs: Sequence[int]) -> Figure:
    """What a run made of four holes, by epoch, between the hole and the original.

    folder: holds sample sheets, see `find_sheets`.
    """
    found = find_sheets(folder)
    sheets = {n: cut_sheet(np.asarray(Image.open(found[n]).convert("RGB"))) for n in epochs}
    last = sheets[epochs[-1]]
    rows = {}
    for name, (number, top, left) in PLACES.items():
        cut = (number, slice(top, top + WINDOW), slice(left, left + WINDOW))
        middle = [sheet[1][cut] for sheet in sheets.values()]
        rows[name] = [last[0][cut], *middle, last[2][cut]]
    titles = ["with a hole", *(f"epoch {n}" for n in epochs), "original"]
    alt = (
        "At epoch 1 all holes have one dark olive colour. The hole at the flower's edge closes "
        "from its rim and shows petals and dark ground at the end; that in the wall closes but for "
        "a dot in its middle; the strokes stay visible as a bluish tint; the large hole keeps a "
        "brown block."
    )
    return picture_grid(rows, titles, alt=alt, side=1.05, room=(0.55, 0.3), frame=None)


def squares(pictures: np.ndarray, covered: np.ndarray) -> Figure:
    """Training squares (N, S, S, 3) uint8, under holes and without."""
    alt = (
        "Squares cut from photographs at several scales: animals, buildings, landscapes. In the "
        "upper row each has a hole: one box, or several brush strokes."
    )
    rows = {"what it sees": list(covered), "what it\nshould paint": list(pictures)}
    return picture_grid(rows, alt=alt, side=1.15, room=(0.6, 0.1), frame=None)


def timelines() -> Figure:
    """Four steps of a loop on two lines, the processor's and the GPU's: waiting and not waiting."""
    alt = (
        "Two drawings of four training steps in time. Above, every loss is read: the processor "
        "launches a step, waits until the GPU has computed it, and the GPU waits while the next "
        "is launched. Below, nothing is read: the processor launches one step after the other, the "
        "GPU always has work, and the four steps are over sooner."
    )
    figure = Figure(alt, figsize=(9.4, 3.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    launch, compute = 2.0, 3.0  # of a step, in units of the drawing
    starts = [(launch + compute) * i for i in range(4)]
    _lanes(above, starts, [s + launch for s in starts], launch, compute)
    above.set_title("a loss is read in each step", loc="left", fontsize=10)
    launches = [launch * i for i in range(4)]
    _lanes(below, launches, [launch + compute * i for i in range(4)], launch, compute)
    below.set_title("nothing is read until the end", loc="left", fontsize=10)
    below.set_xlabel("time")
    for i, start in enumerate(starts[1:]):
        above.annotate(
            "waits",
            (starts[i] + launch + compute / 2, 1),
            ha="center",
            va="center",
            fontsize=9,
            color=MUTED,
        )
        above.annotate(
            "waits", (start + launch / 2, 0), ha="center", va="center", fontsize=9, color=MUTED
        )
    return figure


def _lanes(
    ax: Axes, launched: Sequence[float], computed: Sequence[float], launch: float, compute: float
) -> None:
    """One line of launches, one of computing, steps numbered."""
    for lane, (begins, length, colour) in enumerate(
        ((computed, compute, BLUE), (launched, launch, ORANGE))
    ):
        for i, begin in enumerate(begins, start=1):
            ax.barh(lane, length * 0.96, left=begin, height=0.6, color=colour)
            ink = "white" if colour == BLUE else BLACK
            ax.text(begin + length / 2, lane, str(i), ha="center", va="center", color=ink)
    ax.set_yticks([0, 1], ["GPU computes", "processor launches"])
    ax.set(xticks=[], xlim=(0, 20.2))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


# As the record names its rows, and as they are drawn: each adds its change to those above it.
ROWS = {
    "plain network, batch 4, by hand: files, every loss read": "plain: files, every loss read",
    "the loop of this library: losses stay on the device": "plain: + losses stay on the device",
    "pairs in the device's memory": "plain: + pairs in its memory",
    "bfloat16": "plain: + bfloat16",
    "plain network, batch 4, bfloat16, compiled": "plain: + compiled",
    "channels last": "plain: channels last, not compiled",
    "batch 32": "plain: + batch 32 instead of 4",
    "preset, batch 8, float32": "preset: batch 8, in memory",
    "preset, bfloat16": "preset: + bfloat16",
    "preset, batch 256": "preset: + batch 256",
    "preset, batch 256, channels last": "preset: + channels last",
}


def read_speeds(file: Path) -> dict[str, float]:
    """Pictures a second by the names in ROWS, from a `speed.tsv`; rows that failed are left out."""
    with open(file, encoding="utf-8", newline="") as lines:
        measured = {
            r["what"]: r["pictures a second"] for r in csv.DictReader(lines, delimiter="\t")
        }
    return {
        name: float(measured[row])
        for row, name in ROWS.items()
        if row in measured and "FAILED" not in measured[row]
    }


def speeds(tables: Mapping[str, Mapping[str, float]]) -> Figure:
    """Pictures a second of each setting, for each named machine; see `read_speeds`."""
    names = list(ROWS.values())
    told = [
        f"on {machine}, " + ", ".join(f"{name} {value:.3g}" for name, value in table.items())
        for machine, table in tables.items()
    ]
    alt = f"Dots on a logarithmic axis: pictures a second {'; '.join(told)}."
    figure = Figure(alt, figsize=(9.4, 3.9), layout="constrained")
    ax = figure.subplots()
    looks = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"))
    for (machine, table), (colour, marker) in zip(tables.items(), looks, strict=False):
        places = [names.index(name) for name in table]
        ax.plot(list(table.values()), places, marker, color=colour, markersize=8, label=machine)
        for place, value in zip(places, table.values(), strict=True):
            text = f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
            ax.annotate(
                text, (value, place), (8, 0), textcoords="offset points", va="center", fontsize=9
            )
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    every = [value for table in tables.values() for value in table.values()]
    ax.set(xscale="log", xlabel="pictures a second (logarithmic)")
    ax.set_xlim(min(every) / 1.5, max(every) * 2)
    ticks = [t for d in (1, 10, 100, 1000) for t in (d, 2 * d, 5 * d)]
    ax.set_xticks([t for t in ticks if min(every) / 1.5 < t < max(every) * 2])
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    tidy(ax)
    ax.axhline(6.5, color=GREY, linewidth=0.8)
    ax.legend(frameon=False, loc="upper right")
    return figure


STYLE = {
    "original recipe": (VERMILION, "s", 60),
    "ours": (BLUE, "o", 70),
    "our start": (SKY, "D", 45),
    "mean colour": (BLACK, "|", 140),
}


def reached(table: Mapping[str, Mapping[str, float]]) -> Figure:
    """PSNR in the hole of each method, a line for each kind of hole; the classics in grey."""
    buckets = list(next(iter(table.values())))
    told = [
        f"{bucket}: " + ", ".join(f"{name} {table[name][bucket]:.1f}" for name in STYLE)
        for bucket in buckets
    ]
    figure = Figure(
        f"Dots: PSNR in the hole, dB. {'; '.join(told)}. The classics lie between our start and "
        "the original recipe.",
        figsize=(9.4, 2.9),
        layout="constrained",
    )
    ax = figure.subplots()
    for place, bucket in enumerate(buckets):
        classics = [by[bucket] for name, by in table.items() if name not in STYLE]
        every = [by[bucket] for by in table.values()]
        ax.plot([min(every), max(every)], [place, place], color="#dddddd", zorder=0)
        ax.scatter(
            classics,
            [place] * len(classics),
            color=MUTED,
            marker=".",
            s=50,
            label="the classics" if place == 0 else None,
        )
        for name, (colour, marker, size) in STYLE.items():
            label = {"ours": "the preset", "our start": "what the preset starts from"}.get(
                name, name
            )
            ax.scatter(
                table[name][bucket],
                place,
                color=colour,
                marker=marker,
                s=size,
                label=label if place == 0 else None,
            )
    ax.set_yticks(range(len(buckets)), buckets)
    ax.invert_yaxis()
    ax.set(xlabel="PSNR in the hole, dB, mean over 25 test pictures each", ylim=(3.5, -0.5))
    tidy(ax, "x")
    figure.legend(loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    return figure


def side_by_side(rows: Mapping[str, Sequence[np.ndarray]], titles: Sequence[str]) -> Figure:
    """Test pictures with a hole, filled by two networks, and the originals."""
    alt = (
        "The original recipe tints the strokes, and fills the large hole with a block of one "
        "colour in rings of others. The preset leaves smooth fills without a frame; edges that "
        "cross a narrow hole go on."
    )
    return picture_grid(rows, titles, alt=alt, side=1.5, room=(0.4, 0.3), frame=None)


def shares(parts: Sequence[Sequence[int]], size: int) -> Figure:
    """One batch dealt to several processes, their gradients averaged: a drawing."""
    told = "; ".join(f"process {rank}: {', '.join(map(str, p))}" for rank, p in enumerate(parts))
    figure = Figure(
        f"A batch of {size} pictures is dealt to {len(parts)} processes ({told}). Each computes a "
        "gradient; the gradients are averaged, and all processes take the same step.",
        figsize=(9.4, 2.3),
        layout="constrained",
    )
    ax = figure.subplots()
    ax.axis("off")
    colours = (BLUE, ORANGE, GREEN, PURPLE)
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white"}
    arrow = {"arrowstyle": "->", "color": GREY}
    middle = (len(parts) - 1) / 2
    ax.text(
        0, middle, f"a batch\nof {size}", ha="center", va="center", bbox=box | {"edgecolor": GREY}
    )
    mean = ax.text(
        6.6,
        middle,
        "average of\nthe gradients",
        ha="center",
        va="center",
        bbox=box | {"edgecolor": GREY},
    )
    for rank, (part, colour) in enumerate(zip(parts, colours, strict=False)):
        words = f"process {rank}, GPU {rank}: pictures {', '.join(map(str, part))}"
        ax.text(3.1, rank, words, ha="center", va="center", bbox=box | {"edgecolor": colour})
        ax.annotate("", (1.35, rank), (0.45, middle), arrowprops=arrow)
        ax.annotate("", (5.75, middle), (4.85, rank), arrowprops=arrow)
        ax.annotate("", (8.35, rank), (7.45, middle), arrowprops=arrow)
        ax.text(
            9.1, rank, "the same step", ha="center", va="center", bbox=box | {"edgecolor": colour}
        )
    mean.set_zorder(3)
    ax.set(xlim=(-0.8, 10), ylim=(len(parts) - 0.3, -0.7))
    return figure
