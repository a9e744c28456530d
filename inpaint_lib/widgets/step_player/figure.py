"""What the step player draws."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ...figures import BLUE, INK, ORANGE, SHARE, SIGNED
from ...holes import Box

WIDTH, HEIGHT, SIDE, LEFT, TOP, GAP = 940, 280, 166, 6, 42, 22  # of the figure, in its points


def after_step(
    occluded: np.ndarray,
    hole: np.ndarray,
    fields: Mapping[str, int],
    blind: Sequence[np.ndarray],
    maps: Mapping[str, tuple[np.ndarray, float, float]],
    patch: int = 1,
) -> Figure:
    """A photograph with a hole, what its middle sees, and what the network holds after a step.

    occluded (H, W, 3), hole (H, W) bool. fields: two widths in px by name, of the step and of the
    network; blind: for each (H, W) bool, the pixels out of reach of all known ones. maps: by title
    (H / patch, W / patch) with the values at the ends of its colours, the gate first.
    """
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100))
    # One system of coordinates for all: a dozen axes would take most of an update's time.
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    ax.set_axis_off()
    panels = [_Panel(ax, n, hole.shape) for n in range(1 + len(maps))]
    _middle_and_its_fields(panels[0], occluded, hole, fields, blind[-1], patch)
    for panel, (title, (values, low, top)) in zip(panels[1:], maps.items(), strict=True):
        cmap = SHARE if panel is panels[1] else SIGNED
        colours: Any = {"cmap": cmap, "vmin": low, "vmax": top}
        panel.image(values, patch, title, **colours)
        panel.outline(_bounding_box(hole), "black", lw=0.8, ls=":")
        if blind[0].any():
            panel.outline(_bounding_box(blind[0]), BLUE)
        bar = (panel.left, panel.left + SIDE, TOP + SIDE + 20, TOP + SIDE + 8)
        ax.imshow(np.linspace(low, top, 33)[None], extent=bar, aspect="auto", **colours)
        for share, ha in ((0, "left"), (0.5, "center"), (1, "right")):
            value = f"{low + share * (top - low):.2g}"
            ax.text(panel.left + share * SIDE, TOP + SIDE + 34, value, ha=ha, fontsize=8)
        here = f"here {values.min():.2g} to {values.max():.2g}"
        ax.text(panel.left + SIDE / 2, TOP + SIDE + 56, here, ha="center", fontsize=8, color=INK)
    return figure


class _Panel:
    """The n-th square of the figure, in which a picture of `shape` (H, W) is drawn."""

    def __init__(self, ax: Axes, n: int, shape: tuple[int, ...]):
        self.ax, self.left, self.scale = ax, LEFT + n * (SIDE + GAP), SIDE / max(shape)
        height, width = (size * self.scale for size in shape)
        self.frame = Rectangle((self.left, TOP), width, height, fill=False, zorder=3)
        ax.add_patch(self.frame)

    def image(self, values: np.ndarray, patch: int, title: str, **colours: Any) -> None:
        """(H / patch, W / patch), with colours; (H, W, 3) as it is."""
        rows, columns = (n * patch * self.scale for n in values.shape[:2])
        extent = (self.left, self.left + columns, TOP + rows, TOP)
        image = self.ax.imshow(
            values, extent=extent, aspect="auto", interpolation="none", **colours
        )
        image.set_clip_path(self.frame)  # the last patches may stand out
        self.ax.text(self.left + SIDE / 2, TOP - 7, title, ha="center", fontsize=9)

    def outline(self, box: Box, colour: str, lw: float = 1.8, **how: Any) -> None:
        """A box of whole pixels, with a light seam that is seen on any ground."""
        left, top, width, height = (n * self.scale for n in box)
        if lw:
            how["path_effects"] = [withStroke(linewidth=lw + 1.4, foreground="white")]
        corner = (self.left + left, TOP + top)
        shape = Rectangle(corner, width, height, fill=False, edgecolor=colour, lw=lw, **how)
        self.ax.add_patch(shape)


def _middle_and_its_fields(
    panel: _Panel,
    occluded: np.ndarray,
    hole: np.ndarray,
    fields: Mapping[str, int],
    blind: np.ndarray,
    patch: int,
) -> None:
    """The photograph with the receptive fields of the pixel in its middle; blind ones hatched."""
    panel.image(occluded, 1, f"occluded photograph\nhole {_bounding_box(hole)[2]} px wide")
    y, x = (size // 2 for size in hole.shape)
    if blind.any():
        panel.outline(_bounding_box(blind), ORANGE, lw=0, hatch="////")
    for n, ((name, field), colour) in enumerate(zip(fields.items(), (BLUE, ORANGE), strict=True)):
        # The pixels of a patch have their field in common, and it ends where patches do.
        left, top = ((at // patch - field // patch // 2) * patch for at in (x, y))
        panel.outline((left, top, field, field), colour)
        line = TOP + SIDE + 22 + 18 * n
        key = Rectangle((panel.left, line - 11), 12, 12, fill=False, edgecolor=colour, lw=1.8)
        panel.ax.add_patch(key)
        panel.ax.text(panel.left + 19, line, f"{name} {field} px wide", fontsize=8)
    middle = (panel.left + (x + 0.5) * panel.scale, TOP + (y + 0.5) * panel.scale)
    panel.ax.plot(*middle, ".", color="white", ms=4)


def _bounding_box(mask: np.ndarray) -> Box:
    """Left, top, width and height of what is True in (H, W)."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), len(columns), len(rows)
