"""What the step player draws."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ...figures import BLUE, INK, ORANGE, SHARE, SIGNED, Figure
from ...holes import Box, bounding_box

# In the figure's points: its size, and of its squares the side, the place of the first, and
# the gap between two.
WIDTH, HEIGHT = 940, 280
SIDE = 166
LEFT, TOP = 6, 42
GAP = 22


def after_step(
    occluded: np.ndarray,
    hole: np.ndarray,
    fields: Mapping[str, int],
    blind: Sequence[np.ndarray],
    maps: Mapping[str, tuple[np.ndarray, float, float]],
    alt: str,
    patch: int = 1,
) -> Figure:
    """A photograph with a hole, what its middle sees, and what the network holds after a step.

    occluded (H, W, 3), hole (H, W) bool. fields: two widths in px by name, of the step and of the
    network; blind: for each (H, W) bool, the pixels out of reach of all known ones. maps: by title
    (H / patch, W / patch) with the values at the ends of its colours, the gate first. alt: the
    alternative text.
    """
    figure = Figure(alt, figsize=(WIDTH / 100, HEIGHT / 100))
    # One system of coordinates for all: a dozen axes would take most of an update's time.
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    ax.set_axis_off()
    squares = [_Square(ax, n, hole.shape) for n in range(1 + len(maps))]
    _middle_and_its_fields(squares[0], occluded, hole, fields, blind[-1], patch)
    for square, (title, (values, low, top)) in zip(squares[1:], maps.items(), strict=True):
        cmap = SHARE if square is squares[1] else SIGNED
        colours: Any = {"cmap": cmap, "vmin": low, "vmax": top}
        square.image(values, patch, title, **colours)
        square.outline(_box_around(hole), "black", lw=0.8, ls=":")
        if blind[0].any():
            square.outline(_box_around(blind[0]), BLUE)
        bar = (square.left, square.left + SIDE, TOP + SIDE + 20, TOP + SIDE + 8)
        ax.imshow(np.linspace(low, top, 33)[None], extent=bar, aspect="auto", **colours)
        for share, ha in ((0, "left"), (0.5, "center"), (1, "right")):
            value = f"{low + share * (top - low):.2g}"
            ax.text(square.left + share * SIDE, TOP + SIDE + 34, value, ha=ha, fontsize=8)
        here = f"here {values.min():.2g} to {values.max():.2g}"
        ax.text(square.left + SIDE / 2, TOP + SIDE + 56, here, ha="center", fontsize=8, color=INK)
    return figure


class _Square:
    """The n-th square of the figure, in which a picture of `shape` (H, W) is drawn."""

    def __init__(self, ax: Axes, n: int, shape: tuple[int, ...]):
        self.ax = ax
        self.left = LEFT + n * (SIDE + GAP)
        self.scale = SIDE / max(shape)
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
    square: _Square,
    occluded: np.ndarray,
    hole: np.ndarray,
    fields: Mapping[str, int],
    blind: np.ndarray,
    patch: int,
) -> None:
    """The photograph with the receptive fields of the pixel in its middle; blind ones hatched."""
    square.image(occluded, 1, f"occluded photograph\nhole {_box_around(hole)[2]} px wide")
    y, x = (size // 2 for size in hole.shape)
    if blind.any():
        square.outline(_box_around(blind), ORANGE, lw=0, hatch="////")
    for n, ((name, field), colour) in enumerate(zip(fields.items(), (BLUE, ORANGE), strict=True)):
        # The pixels of a patch have their field in common, and it ends where patches do.
        left, top = ((at // patch - field // patch // 2) * patch for at in (x, y))
        square.outline((left, top, field, field), colour)
        line = TOP + SIDE + 22 + 18 * n
        key = Rectangle((square.left, line - 11), 12, 12, fill=False, edgecolor=colour, lw=1.8)
        square.ax.add_patch(key)
        square.ax.text(square.left + 19, line, f"{name} {field} px wide", fontsize=8)
    middle = (square.left + (x + 0.5) * square.scale, TOP + (y + 0.5) * square.scale)
    square.ax.plot(*middle, ".", color="white", ms=4)


def _box_around(mask: np.ndarray) -> Box:
    """The smallest box around what is True in (H, W)."""
    rows, columns = bounding_box(mask)
    return columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
