"""Cutting photographs into pairs: which crops, and which holes in them."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from zlib import crc32

import numpy as np
from PIL import Image

from ..data import SIZE
from ..holes import Box, boxes_mask, random_box, strokes_mask
from .sources import BUCKETS, Source

MIN_STD = 0.02  # crops with a smaller standard deviation (of [0, 1]) show nothing to complete


@dataclass
class Pair:
    """A picture of SIZE x SIZE, its hole (SIZE, SIZE) bool, and where they come from."""

    original: Image.Image
    hole: np.ndarray
    photograph: str
    crop: tuple[int, int, int, int]  # left, top, right, bottom in the photograph's pixels
    mirrored: bool
    boxes: list[Box]  # empty: strokes
    bucket: str


def flat(picture: Image.Image) -> bool:
    """Whether no channel varies enough to be worth completing."""
    return float(np.asarray(picture).std(axis=(0, 1)).max()) / 255 < MIN_STD


def resized(picture: Image.Image, crop: tuple[int, int, int, int]) -> Image.Image:
    """The crop (left, top, right, bottom), brought to SIZE x SIZE."""
    return picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS, box=crop)


def random_crops(
    picture: Image.Image, rng: np.random.Generator, zoom: float
) -> Iterator[tuple[Image.Image, tuple[int, int, int, int]]]:
    """Endless square crops, from SIZE pixels wide to `zoom` times that, brought to SIZE.

    A smaller photograph is enlarged. Raises ValueError where nothing in it is worth a crop.
    """
    shortest = min(picture.size)
    narrowest = min(SIZE, shortest)
    widest = min(round(SIZE * zoom), shortest)
    misses = 0
    while True:
        side = round(narrowest * (widest / narrowest) ** rng.random())
        left = int(rng.integers(0, picture.width - side + 1))
        top = int(rng.integers(0, picture.height - side + 1))
        crop = (left, top, left + side, top + side)
        if not flat(small := resized(picture, crop)):
            misses = 0
            yield small, crop
        elif (misses := misses + 1) == 200:
            raise ValueError("nothing but flat areas; leave it out")


def tiles(picture: Image.Image, count: int) -> list[tuple[Image.Image, tuple[int, int, int, int]]]:
    """`count` tiles that share no pixel, as wide a view each as allows for that many.

    Fewer where the photograph is too small: never enlarged, unless it is smaller than SIZE.
    """
    side = min(picture.size)
    while True:
        if (picture.width // side) * (picture.height // side) < count and side > SIZE:
            side -= 1
            continue
        across = picture.width // side
        down = picture.height // side
        x0 = (picture.width - across * side) // 2
        y0 = (picture.height - down * side) // 2
        crops = [
            (x0 + i * side, y0 + j * side, x0 + (i + 1) * side, y0 + (j + 1) * side)
            for j in range(down)
            for i in range(across)
        ]
        found = [(tile, crop) for crop in crops if not flat(tile := resized(picture, crop))]
        if len(found) >= count or side <= SIZE:
            break
        side = max(SIZE, int(0.98 * side))
    chosen = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
    return [found[i] for i in chosen]


def bucket_hole(bucket: str, rng: np.random.Generator) -> tuple[np.ndarray, list[Box]]:
    """A hole of one of BUCKETS, or of training ("train": one to three boxes of 12 to 64 px)."""
    if bucket == "train":
        boxes = [random_box((SIZE, SIZE), (12, 64), rng) for _ in range(rng.integers(1, 4))]
    elif sides := BUCKETS[bucket]:
        boxes = [random_box((SIZE, SIZE), sides, rng)]
    else:
        return strokes_mask((SIZE, SIZE), rng), []
    return boxes_mask((SIZE, SIZE), boxes), boxes


def training_pairs(sources: list[Source], count: int, seed: int, zoom: float) -> Iterator[Pair]:
    """At least `count` pairs, as many from each photograph: crops of several scales, mirrored."""
    for source in sources:
        rng = np.random.default_rng([seed, crc32(os.fsencode(source.name))])
        crops = random_crops(source.read(), rng, zoom)
        for _ in range(math.ceil(count / len(sources))):
            try:
                original, crop = next(crops)
            except ValueError as error:
                raise ValueError(f"{source.name}: {error}") from None
            mirrored = bool(rng.random() < 0.5)
            if mirrored:
                original = original.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            hole, boxes = bucket_hole("train", rng)
            yield Pair(original, hole, source.name, crop, mirrored, boxes, "train")


def held_out_pairs(sources: list[Source], per_bucket: int, seed: int) -> Iterator[Pair]:
    """At least `per_bucket` pairs in each bucket, as many from each photograph.

    Crops share no pixel; a photograph too small for that many uses each in several buckets.
    """
    each = math.ceil(per_bucket / len(sources))
    for source in sources:
        rng = np.random.default_rng([seed, crc32(os.fsencode(source.name))])
        crops = tiles(source.read(), each * len(BUCKETS))
        if not crops:
            raise ValueError(f"{source.name}: nothing but flat areas; leave it out")
        names = [bucket for _ in range(each) for bucket in BUCKETS]
        for bucket, (original, crop) in zip(names, islice(cycle(crops), len(names)), strict=True):
            hole, boxes = bucket_hole(bucket, rng)
            yield Pair(original, hole, source.name, crop, False, boxes, bucket)


def brick_pairs(source: Source, per_bucket: int, seed: int) -> Iterator[Pair]:
    """Held-out pairs of the wall: it is too small for tiles, so crops overlap within a split."""
    for bucket in BUCKETS:
        rng = np.random.default_rng([seed, crc32(os.fsencode(f"{source.name} {bucket}"))])
        for original, crop in islice(random_crops(source.read(), rng, 1.0), per_bucket):
            hole, boxes = bucket_hole(bucket, rng)
            yield Pair(original, hole, source.name, crop, False, boxes, bucket)
