"""Holes: boxes and brush strokes, drawn at random into a mask or over a batch."""

from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

HoleKind = Literal["both", "boxes", "strokes"]
Box = tuple[int, int, int, int]  # left, top, width, height in pixels


def random_box(size: tuple[int, int], sides: tuple[int, int], rng: np.random.Generator) -> Box:
    """A box inside a picture of `size` (height, width); each side drawn from `sides`, inclusive."""
    w, h = (int(rng.integers(sides[0], sides[1] + 1)) for _ in range(2))
    w, h = min(w, size[1]), min(h, size[0])
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
            angle, brush = rng.uniform(0, 2 * np.pi), int(rng.integers(widths[0], widths[1] + 1))
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


def random_hole(
    size: tuple[int, int],
    rng: np.random.Generator,
    kind: HoleKind = "both",
    longest: int | None = None,
) -> np.ndarray:
    """A fresh hole for training, (height, width) bool: boxes, or in one case of three strokes.

    One or two boxes with sides from 8 pixels to `longest`, by default and at most three
    quarters of the picture's shorter side, as often between 8 and 16 as between 16 and 32; or
    as many brush strokes as suit the size. `kind` asks for one of the two alone.
    """
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


def crop_and_cover(
    batch: tuple[Tensor, Tensor, Tensor],
    crop_size: int | None,
    fresh_holes: bool,
    rng: np.random.Generator,
    hole_kind: HoleKind = "both",
    longest_hole: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut a random square out of each triple of a batch, and cover it with a fresh random hole.

    batch (B, 3, H, W), (B, 3, H, W), (B, 1, H, W), float or uint8. With `crop_size` None or no
    smaller than the picture, whole pictures stay; without `fresh_holes` the stored holes stay,
    and a crop is placed so that it holds a pixel of its hole. Fresh: mirrored at random too;
    for the last two see `random_hole`.
    """
    occluded, original, mask = batch
    full = 1 if mask.is_floating_point() else 255
    height, width = original.shape[-2:]
    h, w = min(crop_size or height, height), min(crop_size or width, width)
    crops: list[Any] = []
    for item in zip(occluded, original, mask, strict=True):
        top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        if not fresh_holes and len(holes := torch.nonzero(item[2][0])):
            y, x = holes[rng.integers(len(holes))].tolist()
            top = rng.integers(max(0, y - h + 1), min(y, height - h) + 1)
            left = rng.integers(max(0, x - w + 1), min(x, width - w) + 1)
        occ, orig, m = (t[:, top : top + h, left : left + w] for t in item)
        if fresh_holes:
            if rng.random() < 0.5:
                orig = orig.flip(-1)
            hole = torch.from_numpy(random_hole((h, w), rng, hole_kind, longest_hole))[None]
            occ, m = orig.masked_fill(hole, 0), hole.to(m.dtype) * full
        crops.append((occ, orig, m))
    first, second, third = (torch.stack(parts) for parts in zip(*crops, strict=True))
    return first, second, third
