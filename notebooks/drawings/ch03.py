"""What chapter 3 draws: SSIM, its windows and weaknesses, and how the losses pull."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from torch import Tensor

from inpaint_lib.figures import (
    BLUE,
    GREEN,
    MARKERS,
    ORANGE,
    PURPLE,
    Figure,
    bare,
    show_map,
    show_picture,
    tidy,
)

COLOURS = (BLUE, ORANGE, GREEN, PURPLE)


def difference_and_ssim(
    original: Tensor, rows: Mapping[str, tuple[Tensor, Tensor]], high: float = 0.3
) -> Figure:
    """For each named (picture, SSIM map): original, picture, absolute difference, SSIM map."""
    figure = Figure(
        "Two rows: original dog, changed picture, absolute difference, SSIM map. Filling the "
        "hole from its rim wipes out the dog's face: a bright patch of difference, and a dark "
        "rectangle in the SSIM map. Brightening all values leaves a faint even difference and "
        "an SSIM map that is bright throughout.",
        figsize=(9.2, 2.45 * len(rows)),
        layout="constrained",
    )
    axes = figure.subplots(len(rows), 4, squeeze=False)
    for line, (name, (picture, similarity)) in zip(axes, rows.items(), strict=True):
        show_picture(line[0], original, "original")
        show_picture(line[1], picture, name)
        error = (picture - original).abs()
        difference = show_map(line[2], error, "absolute difference", "magma", high)
        ssim = show_map(line[3], similarity, "SSIM, window by window")
    figure.colorbar(difference, ax=axes[:, 2], location="bottom", extend="max", shrink=0.9)
    figure.colorbar(ssim, ax=axes[:, 3], location="bottom", extend="min", shrink=0.9)
    return figure


def three_factors(
    original: Tensor,
    changed: Tensor,
    maps: Mapping[str, Tensor],
    bands: Mapping[str, tuple[int, int]],
) -> Figure:
    """Original, changed picture and four maps; `bands` are columns (from, to) with their names."""
    figure = Figure(
        "The dog in three bands, moved, with less contrast, brighter, and four maps. The "
        "luminance map is dark in the brighter band, the contrast map in the band with less "
        "contrast, the structure map in the moved band. In the product all three bands are "
        "dark.",
        figsize=(9, 5.8),
        layout="constrained",
    )
    axes = figure.subplots(2, 3)
    show_picture(axes[0, 0], original, "original x")
    show_picture(axes[0, 1], changed, "changed y")
    for ax, (name, values) in zip(axes.flat[2:], maps.items(), strict=True):
        image = show_map(ax, values, name)
    for ax in axes.flat[1:]:
        for start, _ in list(bands.values())[1:]:
            for colour, style in (("white", "-"), ("black", (0, (3, 3)))):  # on any ground
                ax.axvline(start - 0.5, color=colour, linewidth=1.2, linestyle=style)
    for name, (start, stop) in bands.items():
        axes[0, 1].text(
            (start + stop) / 2 - 0.5,
            126,
            name,
            ha="center",
            va="bottom",
            fontsize=9,
            color="white",
            bbox={"facecolor": "black", "alpha": 0.7, "linewidth": 0, "pad": 1.5},
        )
    figure.colorbar(
        image, ax=axes, location="right", extend="min", shrink=0.6, label="value of the factor"
    )
    return figure


def gaussian_windows(small: Tensor, large: Tensor) -> Figure:
    """Two windows (k, k): the first as a table of weights, both as profiles of their sums."""
    figure = Figure(
        "Left: the 49 weights of the 7 by 7 window, from 7.3 percent in the centre to 0.1 "
        "percent in the corners. Right: the weights of its columns beside those of a window of "
        "11 taps, nearly the same.",
        figsize=(9, 3.7),
        layout="constrained",
    )
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    values = 100 * small.numpy()
    image = left.imshow(values, cmap="viridis", interpolation="none", vmin=0)
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if value > 0.55 * values.max() else "white"
        left.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=8)
    bare(left, "7 x 7 window: weights in % of the sum")
    figure.colorbar(image, ax=left, shrink=0.8, label="%")
    for window, colour, width, name in (
        (large, ORANGE, 0.9, "11 taps"),
        (small, BLUE, 0.5, "7 taps"),
    ):
        reach = (len(window) - 1) // 2
        offsets = np.arange(-reach, reach + 1)
        right.bar(offsets, 100 * window.sum(0).numpy(), width=width, color=colour, label=name)
    right.set(
        title="The same Gaussian, cut off sooner or later",
        xlabel="offset from the centre, pixels",
        ylabel="weight of a column, %",
        xticks=range(-5, 6),
    )
    right.legend(frameon=False)
    right.spines[["top", "right"]].set_visible(False)
    return figure


def same_l1(distorted: Mapping[str, tuple[Tensor, Tensor, float, float]]) -> Figure:
    """For each name (picture, SSIM map, SSIM, PSNR in dB): picture and map, two pairs a row."""
    down = math.ceil(len(distorted) / 2)
    figure = Figure(
        "Six distortions of the dog at the same L1, in the order of their SSIM, each with its "
        "map. Brighter and less contrast: almost the original, maps bright. JPEG: coarse "
        "blocks, wrong colours, half a face. Moved, blurred and noisy: maps dark on boards or "
        "fur.",
        figsize=(8.8, 2.44 * down),
        layout="constrained",
    )
    axes = figure.subplots(down, 4)
    pairs = axes.reshape(-1, 2)
    for (left, right), (name, (picture, values, ssim, psnr)) in zip(
        pairs, distorted.items(), strict=True
    ):
        show_picture(left, picture, name)
        image = show_map(right, values, f"SSIM {ssim:.2f}, PSNR {psnr:.1f} dB")
    figure.colorbar(
        image, ax=axes, location="bottom", extend="min", shrink=0.4, aspect=35, label="SSIM"
    )
    return figure


def self_similarity(
    pictures: Sequence[Tensor], maps: Sequence[Tensor], titles: Sequence[str]
) -> Figure:
    """Pictures above, the SSIM map of each with itself below."""
    figure = Figure(
        "A flower on a dark ground at four brightnesses, below each its SSIM map with itself. "
        "At full light only the flat dark ground falls below 1; with less light the petals "
        "follow, from the ground towards their edges.",
        figsize=(9.2, 4.5),
        layout="constrained",
    )
    axes = figure.subplots(2, len(pictures))
    for top, bottom, picture, values, title in zip(*axes, pictures, maps, titles, strict=True):
        show_picture(top, picture, title)
        image = show_map(bottom, values, f"mean SSIM with itself {values.mean():.2f}")
    figure.colorbar(image, ax=axes, location="right", shrink=0.6, label="SSIM with itself")
    return figure


def grey_with_itself(
    greys: Tensor, similarity: Tensor, best: Tensor, best_of_both: Tensor
) -> Figure:
    """Left: SSIM of a flat grey with itself. Right: the best grey by SSIM, by the whole loss."""
    figure = Figure(
        "Left: SSIM of a flat grey with itself, 0.1 for near black, rising to 1 from grey "
        "levels of 0.2 on. Right: the best prediction against each grey, by SSIM and by the "
        "whole loss. Below 0.042 both are clearly brighter than the truth.",
        figsize=(9, 3.4),
        layout="constrained",
    )
    left, right = figure.subplots(1, 2)
    left.semilogx(greys, similarity, color=BLUE, linewidth=2)
    left.axhline(1, color="0.5", linestyle=":", linewidth=1.2)
    left.text(greys[0], 0.985, "eps = 0", va="top", color="0.35", fontsize=9)
    left.set(
        title="A flat grey compared with itself, eps = 1e-6",
        xlabel="grey level",
        ylabel="SSIM",
        ylim=(0, 1.04),
    )
    right.loglog(greys, best, color=ORANGE, linewidth=2, label="by SSIM, eps = 1e-6")
    right.loglog(greys, best_of_both, color=GREEN, linewidth=2, label="by 0.8 L1 + 0.2 (1 - SSIM)")
    right.loglog(
        greys, greys, color="0.5", linestyle=":", linewidth=1.2, label="the truth (eps = 0)"
    )
    right.set(
        title="The best prediction against a flat grey",
        xlabel="grey level of the truth",
        ylabel="best prediction",
    )
    right.legend(frameon=False)
    for ax in (left, right):
        tidy(ax)
    return figure


def windows_of_holes(holes: Mapping[int, tuple[Tensor, Tensor]]) -> Figure:
    """For each side in pixels (hole, windows that touch it), each (1, 1, H, W) of 0 and 1."""
    figure = Figure(
        "Three squares of 128 by 128 windows with holes of 16, 32 and 64 pixels. Only the hole "
        "and a rim of 3 pixels around it are coloured: 3.0, 8.8 and 29.9 percent of all "
        "windows.",
        figsize=(10, 3.75),
        layout="constrained",
    )
    axes = figure.subplots(1, len(holes))
    colours = ["#E4E4E4", BLUE, ORANGE]
    names = (
        "windows without a hole pixel: constant",
        "centre known, window touches the hole",
        "centre in the hole",
    )
    for ax, (side, (hole, touching)) in zip(axes, holes.items(), strict=True):
        kinds = (hole + touching)[0, 0].numpy()
        ax.imshow(kinds, cmap=ListedColormap(colours), vmin=0, vmax=2, interpolation="none")
        ax.set(xticks=[0, 64, 127], yticks=[0, 64, 127], xlabel="pixels")
        share = 100 * touching.mean().item()
        ax.set_title(f"{side} px hole: {share:.1f} % of windows count", fontsize=10)
    handles = [axes[0].plot([], [], "s", color=c, markersize=9)[0] for c in colours]
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def pull_by_size(sides: Sequence[int], pulls: Mapping[str, Sequence[float]]) -> Figure:
    """For each named term of the loss its pull (see the chapter) by the side of the hole."""
    figure = Figure(
        "Pull against the side of the hole, both axes logarithmic. l1 and SSIM rise side by "
        "side with the area, over two decades. l1 per hole is flat at 0.8, psnr falls from 1.6 "
        "to 0.4.",
        figsize=(7.4, 4),
        layout="constrained",
    )
    ax = figure.subplots()
    for (name, values), colour, marker in zip(pulls.items(), COLOURS, MARKERS, strict=False):
        ax.loglog(sides, values, color=colour, marker=marker, markersize=6, linewidth=2, label=name)
    ax.set(
        title="How hard each term pulls on the prediction",
        xlabel="side of the square hole, pixels (picture: 128 x 128)",
        ylabel="sum of |gradient| over the hole",
        xticks=sides,
        xticklabels=sides,
    )
    ax.minorticks_off()
    tidy(ax)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def by_contrast(contrast: Tensor, pull: Mapping[str, Tensor], gain: Mapping[str, Tensor]) -> Figure:
    """Pull and gain (see the chapter) of each picture and term, against the hole's contrast."""
    figure = Figure(
        "Two scatter plots of 96 pictures against the contrast of the hole. Left, pull: both L1 "
        "terms flat, psnr falling as one over the contrast. Right, gain: both L1 terms rising "
        "in proportion to the contrast, psnr level.",
        figsize=(10, 4.3),
        layout="constrained",
    )
    axes = figure.subplots(1, 2, sharex=True)
    for ax, values in zip(axes, (pull, gain), strict=True):
        for (name, points), colour, marker in zip(values.items(), COLOURS, MARKERS, strict=False):
            style = {"c": colour, "marker": marker, "s": 22, "alpha": 0.75}
            ax.scatter(contrast, points, label=name, linewidths=0, **style)
    axes[0].set(title="Pull: per step of one size", ylabel="sum of |gradient| over the hole")
    axes[1].set(title="Gain: per share of the error", ylabel="sum of gradient x error")
    ticks = [0.02, 0.05, 0.1, 0.2, 0.4]
    for ax in axes:
        ax.set(xscale="log", yscale="log", xlabel="contrast of the hole (RMS, range 1)")
        ax.set_xticks(ticks, [str(t) for t in ticks])
        ax.minorticks_off()
        tidy(ax)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    return figure


def expected_losses(
    greys: Tensor, curves: Mapping[str, Tensor], ends: Mapping[str, float]
) -> Figure:
    """Expected loss of each constant prediction; where gradient descent ended is marked."""
    figure = Figure(
        "Expected loss against the constant predicted. L1: two straight slopes with the corner at "
        "0.10. Squared error: a parabola with its lowest point at 0.42. SSIM: lowest near 0.12. "
        "PSNR term: a hill between two narrow wells, the deeper at 0.10, the other at 0.90. "
        "Gradient descent from 0.5 ends at the lowest point of each.",
        figsize=(10, 3.2),
        layout="constrained",
    )
    axes = figure.subplots(1, len(curves))
    for ax, (name, curve), colour in zip(axes, curves.items(), COLOURS, strict=False):
        ax.plot(greys, curve, color=colour, linewidth=2)
        end = ends[name]
        height = np.interp(end, greys, curve)
        ax.plot(end, height, "o", color="black", markersize=8)
        ax.set(xlabel="the constant predicted", xticks=[0.1, 0.42, 0.9])
        ax.set_title(f"{name}\ndescent ends at {end:.2f}", fontsize=10)
        tidy(ax)
    axes[0].set_ylabel("expected loss")
    return figure


def one_answer_for_many(rows: Mapping[str, tuple[Tensor, Mapping[str, Tensor]]]) -> Figure:
    """For each scene (contents (n, 1, H, W), predictions by loss): three contents, predictions."""
    names = list(next(iter(rows.values()))[1])
    across = 3 + len(names)
    figure = Figure(
        "Three scenes. Edge: all but squared error paint it sharp at the middle height, squared "
        "error a staircase of greys. Stripes: L1 and the mixture paint plain dark, squared error "
        "plain grey and the PSNR term nearly so, SSIM stripes of its own. Grass: nearly even grey, "
        "with a little more texture where SSIM takes part.",
        figsize=(10, 1.42 * len(rows) + 0.3),
        layout="constrained",
    )
    axes = figure.subplots(len(rows), across)
    for line, (scene, (contents, predictions)) in zip(axes, rows.items(), strict=True):
        for ax, i in zip(line, (0, len(contents) // 2, len(contents) - 1), strict=False):
            show_picture(ax, contents[i : i + 1])
        for ax, prediction in zip(line[3:], predictions.values(), strict=True):
            show_picture(ax, prediction)
        line[0].set_ylabel(scene, fontsize=10)
    axes[0, 1].set_title("what may lie in the hole", fontsize=10)
    for ax, name in zip(axes[0, 3:], names, strict=True):
        ax.set_title(name, fontsize=10, color=BLUE, fontweight="bold")
    return figure
