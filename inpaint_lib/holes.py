"""Holes: boxes and brush strokes, drawn at random into a mask or into those of a batch."""

import math
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

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


# A random hole follows from a row of uniform numbers: its kind, two boxes, and the strokes.
KIND = 1
BOX = 5  # whether and how large, width, height, left, top
TURNS = 8  # straight pieces of a stroke, at most
STROKE = 5 + TURNS  # x, y, direction, width, number of pieces, a turn before each piece
WIDTHS = (3, 12)  # of the strokes that are drawn for training, in pixels


def strokes_for(size: tuple[int, int]) -> int:
    """How many brush strokes suit a picture of (height, width)."""
    return max(2, round(6 * size[0] * size[1] / 128**2))


def numbers_for(size: tuple[int, int]) -> int:
    """How many uniform numbers a random hole in a picture of (height, width) follows from."""
    return KIND + 2 * BOX + strokes_for(size) * STROKE


def random_holes(
    count: int,
    size: tuple[int, int],
    generator: torch.Generator,
    kind: HoleKind = "both",
    longest: int | None = None,
) -> Tensor:
    """Fresh holes for training, (count, 1, height, width) bool; see `holes_from`."""
    numbers = torch.rand(count, numbers_for(size), generator=generator)
    return holes_from(numbers, size, kind, longest)


def holes_from(
    numbers: Tensor,
    size: tuple[int, int],
    kind: HoleKind = "both",
    longest: int | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Holes (B, 1, height, width) bool from uniform numbers (B, `numbers_for(size)`) on the CPU.

    Boxes or, one time in three where the picture's sides are 32 pixels or more, brush strokes.
    One or two boxes with sides from 8 pixels to `longest`, by default and at most three
    quarters of the picture's shorter side, as often between 8 and 16 as between 16 and 32; or
    as many strokes as suit the size, 3 to 12 pixels wide. `kind` asks for one of the two alone;
    raises ValueError for any other. Drawn on `device`, without ever waiting for it.
    """
    check_choice("hole_kind", kind, HoleKind)
    stroked = torch.zeros(len(numbers), dtype=torch.bool)
    if kind == "strokes":
        stroked[:] = True
    elif kind == "both" and min(size) >= 32:
        stroked = numbers[:, 0] < 1 / 3
    rows = torch.nonzero(stroked)[:, 0]  # while the numbers are on the CPU: nobody has to wait
    moved = numbers[:, KIND:].to(device, non_blocking=True)
    boxes, strokes = moved[:, : 2 * BOX], moved[:, 2 * BOX :]
    holes = _boxes(boxes.unflatten(1, (2, BOX)), size, longest)
    if len(rows):
        rows = rows.to(device, non_blocking=True)
        drawn = _strokes(strokes.index_select(0, rows).unflatten(1, (-1, STROKE)), size)
        holes = holes.index_copy(0, rows, drawn)
    return holes[:, None]


def _boxes(u: Tensor, size: tuple[int, int], longest: int | None) -> Tensor:
    """(B, height, width) bool, True inside one or two boxes, from numbers u (B, 2, BOX)."""
    height, width = size
    most = max(1, 3 * min(size) // 4)
    most = min(longest or most, most)
    least = min(8, most)
    there, across, down, x, y = u.unbind(dim=2)  # each (B, 2)
    # The second box is there in half of the holes: its number says both, and how large it is.
    exists = there >= torch.arange(2, device=u.device) / 2
    there = torch.stack([there[:, 0], 2 * there[:, 1] - 1], dim=1).clamp(min=0)
    longer = least * (most / least) ** there
    shorter = (0.85 * longer).round()
    spread = longer.round() - shorter + 1
    w = (shorter + (across * spread).floor()).clamp(1, width)
    h = (shorter + (down * spread).floor()).clamp(1, height)
    left = (x * (width - w + 1)).floor()
    top = (y * (height - h + 1)).floor()
    columns = torch.arange(width, device=u.device)
    rows = torch.arange(height, device=u.device)
    across_it = (columns >= left[..., None]) & (columns < (left + w)[..., None])  # (B, 2, width)
    down_it = (rows >= top[..., None]) & (rows < (top + h)[..., None])  # (B, 2, height)
    down_it = down_it & exists[..., None]
    return (down_it[..., :, None] & across_it[..., None, :]).any(dim=1)


def _strokes(u: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, height, width) bool, True under wandering strokes, from numbers u (B, strokes, STROKE).

    A pixel is covered when its distance to a straight piece is at most half the brush's width.
    Looked at are only the pixels of a square around each piece.
    """
    height, width = size
    quarter = max(1.5, min(size) / 4)  # 1.5: wider than a pixel's diagonal, so none falls between
    thinnest = min(WIDTHS[0], quarter)
    thickest = min(WIDTHS[1], quarter)
    longest = min(18.0, quarter)
    start = torch.stack([width * u[..., 0], height * u[..., 1]], dim=-1)  # (B, S, 2): x, y
    brush = thinnest + (thickest - thinnest) * u[..., 3]
    pieces = 4 + (5 * u[..., 4]).floor()
    turns = 0.6 * torch.special.ndtri(u[..., 5:].clamp(1e-6, 1 - 1e-6))  # normal, in radians
    angle = 2 * torch.pi * u[..., 2:3] + turns.cumsum(dim=-1)  # (B, S, TURNS)
    drawn = torch.arange(TURNS, device=u.device) < pieces[..., None]
    length = longest * drawn
    step = torch.stack([length * angle.cos(), length * angle.sin()], dim=-1)  # (B, S, TURNS, 2)
    begin = start[..., None, :] + step.cumsum(dim=-2) - step
    side = math.ceil(longest + thickest) + 1
    corner = (begin + step / 2 - side / 2).floor()
    pixel = corner[..., None, :] + torch.arange(side, device=u.device)[:, None]
    column = pixel[..., None, :, 0]  # (B, S, TURNS, 1, side)
    row = pixel[..., :, None, 1]
    x = column + 0.5 - begin[..., 0, None, None]
    y = row + 0.5 - begin[..., 1, None, None]
    dx = step[..., 0, None, None]
    dy = step[..., 1, None, None]
    # The nearest point of a piece is begin + t step, with t clipped to [0, 1].
    t = ((x * dx + y * dy) / (dx**2 + dy**2).clamp(min=1e-12)).clamp(0, 1)
    squared = (x - t * dx) ** 2 + (y - t * dy) ** 2
    near = squared <= (brush[..., None, None, None] / 2) ** 2  # (B, S, TURNS, side, side)
    near &= (column >= 0) & (column < width) & (row >= 0) & (row < height)
    beyond = height * width  # where all go that are not covered
    place = (row * width + column).long().masked_fill(~near, beyond)
    covered = torch.zeros(len(u), beyond + 1, dtype=torch.bool, device=u.device)
    covered.scatter_(1, place.flatten(1), True)
    strokes: Tensor = covered[:, :beyond].unflatten(1, size)
    return strokes
