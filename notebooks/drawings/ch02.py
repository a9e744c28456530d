"""What chapter 2 draws: the network, its gates and memory, what it costs and what it sees."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import FancyBboxPatch, Patch, Rectangle

from inpaint_lib.figures import BLUE, GREEN, INK, ORANGE, SHARE, SIGNED, Figure, bare

# Tints of the palette, for boxes that carry text.
LIGHT_BLUE = "#D3E7F3"
LIGHT_ORANGE = "#FBE7BF"
LIGHT_GREEN = "#CCEBE0"
LIGHT_GREY = "#ECECEC"
PARTS = {
    "input convolution": "0.6",
    "gated layers": BLUE,
    "ConvLSTM": ORANGE,
    "residual blocks": GREEN,
    "output convolutions": "0.6",
}


def _box(
    ax: Axes, x: float, y: float, text: str, size: tuple[float, float], fill: str, edge: str
) -> None:
    """A rounded box of that (width, height) around (x, y)."""
    w, h = size
    shape = FancyBboxPatch(
        (x - w / 2, y - h / 2),
        w,
        h,
        boxstyle="round,pad=0,rounding_size=0.09",
        facecolor=fill,
        edgecolor=edge,
        linewidth=1.4,
        zorder=3,
    )
    ax.add_patch(shape)
    ax.text(x, y, text, ha="center", va="center", fontsize=10, color="black", zorder=4)


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], color: str = INK
) -> None:
    """A straight arrow from start to end."""
    style = {"arrowstyle": "-|>", "color": color, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=style, zorder=2)


def _label(ax: Axes, x: float, y: float, text: str, **how: Any) -> None:
    """A shape written beside an arrow."""
    style: dict[str, Any] = {"fontsize": 8.5, "color": INK, "va": "center"}
    ax.text(x, y, text, **(style | how))


def network(occluded: np.ndarray, mask: np.ndarray) -> Figure:
    """The whole network from top to bottom, with the shape on each arrow.

    occluded (H, W, 3) and mask (H, W): the two small pictures at its entrance.
    """
    figure = Figure(
        "Diagram of the network from top to bottom. The occluded picture and the mask enter a 7 "
        "by 7 convolution with 48 output channels. Three gated layers follow. After each, its "
        "output, the output of one ConvLSTM step and a skip connection from the first "
        "convolution are added. The ConvLSTM hands its state h and c from step to step. Two "
        "residual blocks and two convolutions lead to the predicted picture.",
        figsize=(7.9, 9.3),
        layout="constrained",
    )
    ax = figure.subplots()
    ax.set(xlim=(0.9, 8.7), ylim=(-0.1, 9.2), aspect="equal")
    ax.axis("off")
    main = 3.7  # x of the main way down
    cell_x = 7.1
    skip_x = 1.75
    shape = "(48, H, W)"

    # The entrance: two pictures that become one tensor of four channels.
    for x, picture, cmap in ((3.1, occluded, None), (4.3, mask, "gray")):
        extent = (x - 0.5, x + 0.5, 8.1, 9.1)
        ax.imshow(picture, extent=extent, cmap=cmap, interpolation="none", zorder=3)
        ax.add_patch(Rectangle((x - 0.5, 8.1), 1, 1, fill=False, edgecolor=INK, zorder=4))
        ax.plot([x, x, main], [8.1, 7.92, 7.92], color=INK, lw=1.4)
    _label(ax, 2.5, 8.6, "occluded picture\n(3, H, W)", ha="right")
    _label(ax, 4.9, 8.6, "mask, 1 in the hole\n(1, H, W)", ha="left")
    _arrow(ax, (main, 7.92), (main, 7.42))
    _label(ax, main + 0.1, 7.7, "(4, H, W)")
    _box(ax, main, 7.2, "7 x 7 convolution", (2.1, 0.44), LIGHT_GREY, INK)

    # The skip connection, down the left side.
    gates = (6.15, 4.75, 3.35)
    sums = [y - 0.85 for y in gates]
    ax.plot([main, skip_x, skip_x], [6.72, 6.72, sums[-1]], color=GREEN, lw=1.4, zorder=1)
    ax.plot([main], [6.72], "o", color=INK, ms=4)
    _label(ax, skip_x - 0.2, 4.7, f"skip {shape}", rotation=90, color="#006B4F", ha="center")
    _arrow(ax, (main, 6.98), (main, gates[0] + 0.22))
    _label(ax, main + 0.1, 6.62, shape)

    # One cell, stepped three times.
    frame = FancyBboxPatch(
        (5.72, 2.06),
        2.76,
        5.02,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor="none",
        edgecolor=ORANGE,
        linestyle=(0, (4, 3)),
        linewidth=1.3,
    )
    ax.add_patch(frame)
    _label(ax, cell_x, 7.33, "one cell, one set of weights:\nthree steps", ha="center")
    _label(ax, cell_x, 6.86, "h, c: zeros", ha="center")
    _arrow(ax, (cell_x, 6.74), (cell_x, gates[0] - 0.22))
    for n, (gate, total) in enumerate(zip(gates, sums, strict=True)):
        branch = gate - 0.42
        _box(ax, main, gate, f"gated layer {n + 1}", (2.1, 0.44), LIGHT_BLUE, BLUE)
        ax.plot([main], [branch], "o", color=INK, ms=4)
        _arrow(ax, (main, gate - 0.22), (main, total + 0.16))
        _arrow(ax, (main, branch), (cell_x - 0.9, branch))
        _label(ax, 5.22, branch + 0.14, shape, ha="center")
        middle = (branch + total) / 2
        _box(ax, cell_x, middle, f"ConvLSTM\nstep {n + 1}", (1.8, 0.86), LIGHT_ORANGE, ORANGE)
        _arrow(ax, (cell_x - 0.9, total), (main + 0.16, total), ORANGE)
        _label(ax, 5.15, total - 0.15, f"h {shape}", ha="center")
        _arrow(ax, (skip_x, total), (main - 0.16, total), GREEN)
        ax.plot([main], [total], "o", ms=16, mfc="white", mec=INK, mew=1.4, zorder=3)
        ax.text(main, total - 0.01, "+", ha="center", va="center", fontsize=13, zorder=4)
        if n < 2:
            _arrow(ax, (cell_x, middle - 0.43), (cell_x, gates[n + 1] - 0.17), ORANGE)
            _label(ax, cell_x + 0.1, middle - 0.69, f"h, c {shape}")
        _arrow(ax, (main, total - 0.16), (main, total - 0.33))
    _label(ax, main - 0.1, sums[2] - 0.27, shape, ha="right")

    # The way out.
    _box(ax, main, 1.95, "residual block 1", (2.1, 0.44), LIGHT_GREEN, GREEN)
    _arrow(ax, (main, 1.73), (main, 1.47))
    _label(ax, main + 0.1, 1.61, shape)
    _box(ax, main, 1.25, "residual block 2", (2.1, 0.44), LIGHT_GREEN, GREEN)
    _arrow(ax, (main, 1.03), (main, 0.77))
    _label(ax, main + 0.1, 0.91, shape)
    last = "3 x 3 convolution, ReLU, 1 x 1 convolution, sigmoid"
    _box(ax, main, 0.55, last, (4.6, 0.44), LIGHT_GREY, INK)
    _arrow(ax, (main, 0.33), (main, 0.05))
    _label(ax, main + 0.1, 0.16, "predicted picture (3, H, W), in [0, 1]")
    return figure


def squashing(u: np.ndarray, tanh: np.ndarray, sigmoid: np.ndarray, product: np.ndarray) -> Figure:
    """tanh(u) and sigmoid(u) as curves, and their product over a (feature, gate) plane.

    u, tanh, sigmoid (N,); product (N, N), rows by the gate's argument, columns by the feature's.
    """
    figure = Figure(
        "Left: tanh rises from -1 to 1 and sigmoid from 0 to 1, over values from -5 to 5. "
        "Right: their product in a plane; it is near -1 and 1 at the two upper corners and near "
        "0 wherever the gate's argument v is far below zero.",
        figsize=(9, 3.5),
        layout="constrained",
    )
    left, right = figure.subplots(1, 2)
    left.axhline(0, color="0.7", lw=0.8)
    left.plot(u, tanh, color=BLUE, lw=2, label="tanh: a feature, -1 to 1")
    left.plot(u, sigmoid, color=ORANGE, lw=2, ls="--", label="sigmoid: a gate, 0 to 1")
    left.set(title="Two ways to squash a number", xlabel="value before", ylabel="value after")
    left.legend(loc="upper left", fontsize=9)
    left.set_ylim(-1.1, 1.75)
    left.set_yticks([-1, -0.5, 0, 0.5, 1])
    left.grid(alpha=0.3)
    span = (u[0], u[-1], u[0], u[-1])
    image = right.imshow(
        product, origin="lower", extent=span, cmap="PuOr", vmin=-1, vmax=1, interpolation="none"
    )
    right.set(title="tanh(u) · sigmoid(v)", xlabel="u, before the tanh", ylabel="v, the gate's")
    figure.colorbar(image, ax=right, label="what passes")
    return figure


Maps = Mapping[str, Mapping[str, np.ndarray]]  # (H, W) by row and column; a picture (H, W, 3)


def gates_by_hand(rows: Maps) -> Figure:
    """A gate that looks at the mask and one that looks at colours, a row each, as `_gates`."""
    alt = (
        "Two rows: what the gate looks at, the feature, the gate, and the product. The feature "
        "shows vertical edges of the petals and the left and right border of the hole. In the "
        "first row the gate is black on the hole and one pixel around it, and the product has lost "
        "the hole's border. In the second row the gate is white on the flower only, and the "
        "product keeps edges there only, with the hole's right border among them."
    )
    return _gates(rows, alt)


def untrained_gates(rows: Maps) -> Figure:
    """Channels of a new gated layer, a row each, as `_gates`; gates from 0.3 to 0.7."""
    alt = (
        "Two channels of an untrained gated layer: feature, gate and product. The gates are a "
        "middle grey, between 0.3 and 0.7, with a faint outline of the petals; the hole is a flat "
        "square with a border."
    )
    return _gates(rows, alt, feature_limit=0.4, gate_limits=(0.3, 0.7))


def _gates(
    rows: Maps,
    alt: str,
    feature_limit: float = 1.0,
    gate_limits: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Features, gates and products, a row for each layer or channel.

    The last three columns are the feature, the gate and their product; what comes before is drawn
    as a picture.
    """
    down = len(rows)
    across = len(next(iter(rows.values())))
    width = 9 if across > 3 else 7.6
    size = (width, width / across * down + 0.75)
    figure = Figure(alt, figsize=size, dpi=85, layout="constrained")
    grid = figure.add_gridspec(down + 1, across, height_ratios=[1.0] * down + [0.05])
    signed: Any = {"cmap": SIGNED, "vmin": -feature_limit, "vmax": feature_limit}
    share: Any = {"cmap": SHARE, "vmin": gate_limits[0], "vmax": gate_limits[1]}
    plain: Any = {"cmap": "gray", "vmin": 0, "vmax": 1}
    styles = [plain] * (across - 3) + [signed, share, signed]
    for y, (name, maps) in enumerate(rows.items()):
        for x, (title, values) in enumerate(maps.items()):
            ax = figure.add_subplot(grid[y, x])
            image = ax.imshow(values, interpolation="none", **styles[x])
            bare(ax, title if y == 0 else "", size=11, frame="0.75")
            if y == 0 and x >= across - 3:
                label = ("feature", "gate: dark is closed", "product")[x - across + 3]
                bar = figure.add_subplot(grid[down, x])
                figure.colorbar(image, cax=bar, orientation="horizontal", label=label)
            if x == 0:
                ax.set_ylabel(name, fontsize=10)
    return figure


def carried(steps: Sequence[Mapping[str, np.ndarray]], channels: Sequence[int]) -> Figure:
    """What the ConvLSTM holds: for each step a mapping from a name to (channels, H, W).

    Rows are the names, columns the steps, once for each of the channels named.
    """
    names = list(steps[0])
    figure = Figure(
        "Maps of two channels after each of three steps: the input x, the cell state c, the "
        "hidden state h. The flower and the hole are seen in all of them. From step to step c "
        "grows stronger while keeping its pattern; h looks like c, at about half its size.",
        figsize=(9, 4.1),
        dpi=85,
        layout="constrained",
    )
    parts = figure.subfigures(1, len(channels), wspace=0.04, squeeze=False)[0]
    for part, channel in zip(parts, channels, strict=True):
        part.suptitle(f"channel {channel}", fontsize=11)
        axes = part.subplots(len(names), len(steps))
        for row, (line, name) in enumerate(zip(axes, names, strict=True)):
            limit = max(np.abs(step[name][channel]).max() for step in steps)
            for n, (ax, step) in enumerate(zip(line, steps, strict=True)):
                image = ax.imshow(
                    step[name][channel],
                    cmap=SIGNED,
                    vmin=-limit,
                    vmax=limit,
                    interpolation="none",
                )
                bare(ax, "" if row else f"step {n + 1}")
            line[0].set_ylabel(name, fontsize=10)
            part.colorbar(image, ax=list(line), shrink=0.8, aspect=14, label="value")
    return figure


def costs(parameters: Mapping[str, int], work: Mapping[str, int], spared: int) -> Figure:
    """Parameters, and multiply-adds per pixel, of each part, as bars with numbers and shares.

    spared: the multiply-adds of the ConvLSTM that fall away when zeros are not convolved.
    """
    figure = Figure(
        "Two bar charts. Parameters: ConvLSTM 166 thousand, 42 percent; gated layers 125; "
        "residual blocks 84; output 14; input 9. Multiply-adds per pixel: ConvLSTM 498 "
        "thousand, 68 percent, a sixth of the bar hatched as not computed; gated layers 124; "
        "residual blocks 83; output 14; input 9.",
        figsize=(9, 3.3),
        layout="constrained",
    )
    left, right = figure.subplots(1, 2, sharey=True)
    for ax, counts in ((left, parameters), (right, work)):
        total = sum(counts.values())
        colors = [PARTS[name] for name in counts]
        ax.barh(list(counts), [n / 1000 for n in counts.values()], color=colors)
        for row, n in enumerate(counts.values()):
            text = f" {n / 1000:,.1f}  ({n / total:.0%})"
            ax.text(n / 1000, row, text, va="center", fontsize=9)
        ax.set_xlim(0, 1.42 * max(counts.values()) / 1000)
        ax.spines[["top", "right"]].set_visible(False)
    cell = work["ConvLSTM"] / 1000
    row = list(work).index("ConvLSTM")
    style: Any = {"facecolor": "none", "edgecolor": "white", "hatch": "////", "linewidth": 0}
    right.barh([row], [spared / 1000], left=cell - spared / 1000, **style)
    legend = Patch(facecolor=ORANGE, edgecolor="white", hatch="////", label="zeros: not computed")
    right.legend(handles=[legend], loc="lower right", fontsize=9)
    left.invert_yaxis()
    left.set(title="Parameters", xlabel="thousands")
    right.set(title="Multiply-adds", xlabel="thousands per pixel")
    return figure


def _frame(ax: Axes, centre: float, width: float, **how: Any) -> None:
    """An outline: a square `width` pixels wide around the pixel (centre, centre)."""
    corner = centre - width / 2
    ax.add_patch(Rectangle((corner, corner), width, width, fill=False, **how))


def receptive_fields(picture: np.ndarray, widths: Mapping[str, int], reach: np.ndarray) -> Figure:
    """What one pixel sees, stage by stage, over a picture with a hole; and how strongly.

    picture (H, W, 3); widths in pixels by stage; reach (S, S), the summed size of the gradient
    of the centre's prediction, zero outside of the receptive field. Both panels show S x S pixels.
    """
    figure = Figure(
        "Left: the middle 65 pixels of the flower, with its 48 pixel hole; seven nested squares "
        "around the middle, the largest 29 pixels wide, all of them inside the hole. Right: the "
        "influence of each of the 29 by 29 pixels on the prediction, strongest in the middle "
        "and weaker by many powers of ten in the corners.",
        figsize=(9, 4.3),
        layout="constrained",
    )
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    half = reach.shape[0] // 2 + 0.5
    middle = picture.shape[0] // 2
    around = slice(middle - int(half), middle + int(half) + 1)
    span = (-half, half, half, -half)
    left.imshow(picture[around, around], extent=span, interpolation="none")
    for n, width in enumerate(widths.values()):
        last = n == len(widths) - 1
        _frame(left, 0, width, edgecolor=ORANGE if last else "white", lw=2 if last else 0.9)
    left.plot([0], [0], ".", color=ORANGE, ms=5)
    edge = list(widths.values())[-1] / 2
    left.annotate(
        "what the pixel in the middle sees",
        (0, edge),
        (0, half - 4.5),
        color="black",
        fontsize=9,
        ha="center",
        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": ORANGE},
        arrowprops={"arrowstyle": "-", "color": ORANGE, "lw": 1.5},
    )
    steps = ", ".join(map(str, widths.values()))
    left.set(title=f"Receptive field: {steps} px", xlabel="px from the pixel", ylabel="px")
    image = right.imshow(
        np.where(reach > 0, reach, np.nan),
        norm=LogNorm(),
        cmap="cividis",
        extent=span,
        interpolation="none",
    )
    right.set(title="Influence on the prediction", xlabel="px from the pixel")
    figure.colorbar(image, ax=right, label="size of the gradient, log scale", shrink=0.85)
    return figure


def blind_centre(
    pictures: Mapping[str, np.ndarray], differences: Mapping[str, np.ndarray], blind: int
) -> Figure:
    """Pictures (H, W, 3), then differences (H, W) by their size on a log scale, zeros white.

    A frame `blind` pixels wide marks the middle of each.
    """
    panels = {**pictures, **differences}
    across = len(panels)
    figure = Figure(
        "A flower and a drum with a black hole of 48 pixels, and how much the untrained "
        "network's prediction for each differs from one colour. A frame marks the middle 20 by "
        "20 pixels of the hole. In both predictions it is white: no difference. Around it the "
        "difference grows.",
        figsize=(9.4, 9 / across + 0.3),
        dpi=85,
        layout="constrained",
    )
    axes = figure.subplots(1, across)
    for ax, (title, picture) in zip(axes, panels.items(), strict=True):
        if title in pictures:
            ax.imshow(picture, interpolation="none")
        else:
            seen = np.where(picture > 0, picture, np.nan)
            norm = LogNorm(1e-9, 1)
            image = ax.imshow(seen, norm=norm, cmap="cividis", interpolation="none")
        _frame(ax, picture.shape[0] / 2 - 0.5, blind, edgecolor=ORANGE, lw=2)
        bare(ax, title, size=11)
    figure.colorbar(image, ax=axes[-1], shrink=0.85, label="difference, log scale")
    return figure


def patches(picture: np.ndarray, parts: np.ndarray) -> Figure:
    """A picture (H, W, 3), what pixel_unshuffle makes of it, and how the first and last differ.

    parts (r * r, H / r, W / r, 3): a small picture for each row and column within a patch.
    """
    r = round(len(parts) ** 0.5)
    figure = Figure(
        "Left: the flower at 128 by 128 pixels. Middle: a grid of four by four small pictures "
        "of 32 by 32 pixels, by row and column of the pixel within its patch. All show the "
        "whole flower, coarsely. Right: the difference of the first and the last, strong along "
        "the petals' edges.",
        figsize=(9.6, 3.5),
        dpi=85,
        layout="constrained",
    )
    widths = [1.0, 1.08, 1.08]
    parts_of = figure.subfigures(1, 3, squeeze=False, wspace=0.03, width_ratios=widths)
    left, middle, right = parts_of[0]
    ax = left.subplots()
    ax.imshow(picture, interpolation="none")
    left.suptitle(f"{picture.shape[0]} x {picture.shape[1]} pixels", fontsize=11)
    grid = middle.subplots(r, r, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
    for n, (small, part) in enumerate(zip(grid.flat, parts, strict=True)):
        small.imshow(part, interpolation="none")
        small.set(xticks=[], yticks=[])
        if n < r:
            small.set_title(f"column {n}", fontsize=9)
        if n % r == 0:
            small.set_ylabel(f"row {n // r}", fontsize=9)
    size = f"{parts.shape[1]} x {parts.shape[2]}"
    middle.suptitle(f"the same pixels: {r * r} of {size}", fontsize=11)
    change = (parts[0] - parts[-1]).mean(axis=2)  # (H / r, W / r), of values 0 to 1
    last = right.subplots()
    image = last.imshow(change, cmap=SIGNED, vmin=-0.4, vmax=0.4, interpolation="none")
    right.colorbar(image, ax=last, orientation="horizontal", shrink=0.8, label="brightness")
    right.suptitle("the first less the last", fontsize=11)
    ax.set(xticks=[], yticks=[])
    last.set(xticks=[], yticks=[])
    return figure


def looks(fields: Mapping[str, np.ndarray]) -> Figure:
    """Which inputs one pixel looks at: for each title a map (S, S), zero where it does not."""
    figure = Figure(
        "Two grids. Left: with masked convolutions a pixel depends on pixels above it and to "
        "its left, not on itself, nor on anything to its right or below. Right: without masks "
        "it depends on a square of 13 by 13 pixels around it.",
        figsize=(8, 4),
        layout="constrained",
    )
    axes = figure.subplots(1, len(fields), squeeze=False)[0]
    for ax, (title, field) in zip(axes, fields.items(), strict=True):
        size = field.shape[0]
        ax.imshow(field > 0, cmap="Blues", vmin=0, vmax=1.6, interpolation="none")
        ax.set(xticks=[], yticks=[])
        ax.set_xticks(np.arange(-0.5, size), minor=True)
        ax.set_yticks(np.arange(-0.5, size), minor=True)
        ax.grid(which="minor", color="0.8", lw=0.5)
        ax.tick_params(which="minor", length=0)
        square: Any = {"facecolor": ORANGE, "edgecolor": INK, "lw": 0.8, "zorder": 5}
        ax.add_patch(Rectangle((size // 2 - 0.5, size // 2 - 0.5), 1, 1, **square))
        ax.set_title(title, fontsize=11)
    handles = [
        Patch(facecolor=ORANGE, edgecolor=INK, label="the pixel that is predicted"),
        Patch(facecolor="#5BA3CF", label="inputs that it depends on"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)
    return figure
