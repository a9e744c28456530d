"""Holes: boxes and brush strokes, drawn at random into a mask."""

from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from .checks import check_choice

HoleKind = Literal["both", "boxes", "strokes"]
Box = tuple[int, int, int, int]  # left, top, width, height in pixels


def random_box(size: tuple[int, int], sides: tuple[int, int], rng: np.random.Generator) -> Box:
    """A box inside a picture of `size` (height, width); each side drawn from `sides`, inclusive."""
    w, h = (int(rng.integers(sides[0], sides[1] + 1)) for _ in range(2))
    w = min(w, size[1])
    h = min(h, size[0])
    return int(rng.integers(0, size[1] - w + 1)), int(rng.integers(0, size[0] - h + 1)), w, h


def boxes_mask(size: tuple[int, int], boxes: list[Box]) -> np.ndarray:
    """(height, width) bool, True inside any of the boxes."""
    mask = np.zeros(size, dtype=bool)
    for left, top, width, height in boxes:
        mask[top : top + height, left : left + width] = True
    return mask


def strokes_mask(
    size: tuple[int, int],
    rng: np.random.Generator,
    strokes: int = 4,
    widths: tuple[int, int] = (3, 8),
    area: tuple[float, float] = (0.10, 0.20),
) -> np.ndarray:
    """(height, width) bool, True under brush strokes `widths` pixels wide.

    Each stroke wanders: straight pieces whose direction turns a little from one to the next.
    Drawn anew, a hundred times at most, until its share of the picture lies in `area`.
    """
    height, width = size
    piece = min(18.0, min(size) / 4)
    for _ in range(100):
        canvas = Image.new("L", (width, height))
        draw = ImageDraw.Draw(canvas)
        for _ in range(strokes):
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            angle = rng.uniform(0, 2 * np.pi)
            brush = int(rng.integers(widths[0], widths[1] + 1))
            for _ in range(int(rng.integers(4, 9))):
                angle += rng.normal(0, 0.6)
                end = x + piece * np.cos(angle), y + piece * np.sin(angle)
                draw.line([(x, y), end], fill=255, width=brush)
                r = (brush - 1) / 2
                draw.ellipse([end[0] - r, end[1] - r, end[0] + r, end[1] + r], fill=255)
                x, y = end
        mask = np.asarray(canvas) > 0
        if area[0] <= mask.mean() <= area[1]:
            break
    return mask


def bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """(rows, columns) of the smallest box around the True pixels of a mask (H, W), not empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def random_hole(
    size: tuple[int, int],
    rng: np.random.Generator,
    kind: HoleKind = "both",
    longest: int | None = None,
) -> np.ndarray:
    """A fresh hole for training, (height, width) bool: boxes or, one time in three, strokes.

    One or two boxes with sides from 8 pixels to `longest`, by default and at most three
    quarters of the picture's shorter side, as often between 8 and 16 as between 16 and 32; or
    as many brush strokes as suit the size. `kind` asks for one of the two alone; raises
    ValueError for any other.
    """
    check_choice("hole_kind", kind, HoleKind)
    if kind == "strokes" or (kind == "both" and min(size) >= 32 and rng.random() < 1 / 3):
        return strokes_mask(size, rng, strokes=max(1, round(4 * size[0] * size[1] / 128**2)))
    most = max(1, 3 * min(size) // 4)
    longest = min(longest or most, most)
    shortest = min(8, longest)
    boxes = []
    for _ in range(rng.integers(1, 3)):
        side = shortest * (longest / shortest) ** rng.random()
        boxes.append(random_box(size, (round(0.85 * side), round(side)), rng))
    return boxes_mask(size, boxes)
