"""From photographs to pairs on disk: crops, holes, manifest."""

import csv
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, get_args
from zlib import crc32

import filelock
import numpy as np
from PIL import Image

from ..data import PREFIX, SIZE
from ..holes import Box, boxes_mask, random_box, strokes_mask
from ..paths import (
    PairFolders,
    Split,
    World,
    default_path,
    pair_folders,
    world_folder,
    written_whole,
)
from ..pictures import cover, is_picture
from .sources import (
    BUCKETS,
    Source,
    brick_source,
    folder_sources,
    large_sources,
    tutorial_sources,
)

MIN_STD = 0.02  # crops with a smaller standard deviation (of [0, 1]) show nothing to complete
VERSION = "2"  # stands in each manifest; raise it whenever `prepare` makes other pairs than before


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


def write_pairs(pairs: Iterator[Pair], folder: Path, seed: int) -> int:
    """`original_images/NAME.png`, `occluded_images/occluded_NAME.png`, `masks/NAME.png`, manifest.

    Replaces what an earlier call made, and nothing else: raises FileExistsError when the
    folder holds pictures of somebody else. A list of all names is written before the first
    picture, so an interrupted call can be repeated.
    """
    manifest = folder / "manifest.csv"
    unfinished = folder / "manifest.csv.unfinished"
    folders = pair_folders(folder)
    ours = {row["name"] for row in [*read_manifest(manifest), *read_manifest(unfinished)]}
    _make_folders(folders, ours)
    made = {f"{i:04d}_{Path(pair.photograph).stem}.png": pair for i, pair in enumerate(pairs)}
    _write_rows(unfinished, [{"name": name} for name in sorted(ours | made.keys())])
    manifest.unlink(missing_ok=True)
    for name in ours:
        for path in _paths(folders, name):
            path.unlink(missing_ok=True)
    for name, pair in made.items():
        _save(pair, _paths(folders, name))
    _write_rows(manifest, [_row(name, pair, seed) for name, pair in made.items()])
    unfinished.unlink()
    return len(made)


def _make_folders(folders: PairFolders, ours: set[str]) -> None:
    """Raises FileExistsError when one holds a picture that is not `ours`."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name in os.listdir(folder):
            if is_picture(name) and name.removeprefix(PREFIX) not in ours:
                raise FileExistsError(
                    f"{folder / name}: not made by `prepare`; move your own pictures elsewhere, "
                    "for `prepare` replaces what it makes in this folder"
                )


def _paths(folders: PairFolders, name: str) -> PairFolders:
    """The three files of a pair."""
    return PairFolders(
        folders.occluded / f"{PREFIX}{name}", folders.original / name, folders.mask / name
    )


def _save(pair: Pair, paths: PairFolders) -> None:
    pictures = {
        paths.original: pair.original,
        paths.occluded: Image.fromarray(cover(np.asarray(pair.original), pair.hole)),
        paths.mask: Image.fromarray(pair.hole.astype(np.uint8) * 255),
    }
    for path, picture in pictures.items():
        try:
            picture.save(path, compress_level=1)  # encoding takes most of the time
        except OSError as error:
            raise OSError(
                f"{path}: could not be written ({error}); free some space, or choose another "
                "place (--out), and call `prepare` again"
            ) from error


def _row(name: str, pair: Pair, seed: int) -> dict[str, object]:
    """A pair's row of the manifest."""
    return {
        "name": name,
        "photograph": pair.photograph,
        "crop": " ".join(map(str, pair.crop)),
        "mirrored": int(pair.mirrored),
        "hole": "; ".join(" ".join(map(str, box)) for box in pair.boxes) or "strokes",
        "bucket": pair.bucket,
        "seed": seed,
        "version": VERSION,
    }


# Surrogates stand for the bytes of a file name that are not UTF-8.
MANIFEST: dict[str, Any] = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}


def read_manifest(path: Path) -> list[dict[str, str]]:
    """The rows of a manifest, as text; none where there is no such file."""
    if not path.is_file():
        return []
    with open(path, **MANIFEST) as file:
        return list(csv.DictReader(file))


def _write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    with written_whole(path) as partial, open(partial, "w", **MANIFEST) as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def prepare(
    photos: Path | None = None,
    flowers102: bool = False,
    out: Path | None = None,
    train_pairs: int = 616,
    per_bucket: int = 24,
    seed: int = 0,
) -> dict[str, int]:
    """Build train, val and test pairs of 128 x 128, in seconds; returns how many each holds.

    Without arguments: the tutorial's own two worlds, dataset/{train,val,test} of photographs
    and dataset/bricks/{train,val,test} of one wall. Nothing is downloaded. Each pixel follows
    from the photographs and the seed.

    Args:
        photos: A folder of your own photographs instead; split by photograph.
        flowers102: Download Flowers102 (Nilsback & Zisserman 2008) and prepare that.
        out: Where to; by default dataset/own for `photos`, dataset/flowers102 for `flowers102`.
        train_pairs: Training pairs, at least.
        per_bucket: Pairs in each of the four hole sizes of val and of test, at least.
        seed: Of the crops, the holes, and the split of `photos`.
    """
    if flowers102 and photos is not None:
        raise ValueError("photos and flowers102: choose one of them")
    if flowers102:
        photos = _download_flowers()
        out = out or default_path("dataset", "flowers102")
    plan: dict[Path, Iterator[Pair]] = {}
    if photos is None:
        root = Path(out or default_path("dataset"))
        sources = {split: tutorial_sources(split) for split in get_args(Split)}
        for split in sources:
            wall = brick_source(split)
            plan[world_folder("bricks", root) / split] = (
                training_pairs([wall], train_pairs, seed, zoom=1.0)
                if split == "train"
                else brick_pairs(wall, per_bucket, seed)
            )
    else:
        root = Path(out or default_path("dataset", "own"))
        sources = folder_sources(photos, seed)
    for split, photographs in sources.items():
        plan[root / split] = (
            training_pairs(photographs, train_pairs, seed, zoom=4.0)
            if split == "train"
            else held_out_pairs(photographs, per_bucket, seed)
        )
    return {str(folder): write_pairs(pairs, folder, seed) for folder, pairs in plan.items()}


def ensure_prepared() -> None:
    """`prepare()`, unless this version of it has been at work; one process at a time."""
    tests = [world_folder(world) / "test" for world in get_args(World)]
    # Chapters and tests that start together would otherwise write the same files.
    with filelock.FileLock(default_path("dataset", ".lock")):
        manifests = [read_manifest(folder / "manifest.csv") for folder in tests]
        if not all(rows and rows[0].get("version") == VERSION for rows in manifests):
            prepare()


def _download_flowers() -> Path:
    from torchvision.datasets import Flowers102

    root = default_path("dataset", "downloads")
    try:
        Flowers102(str(root), download=True)
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"Flowers102 could not be downloaded to {root} ({error}); check the network, or use "
            "photographs of your own: `python -m inpaint_lib prepare --photos DIR`"
        ) from error
    return root / "flowers-102" / "jpg"


def prepare_large(out: Path | None = None, seed: int = 0) -> dict[str, int]:
    """The large set in dataset/large, in a minute: what the shipped weights are trained on.

    `train` holds whole photographs, for `TrainConfig.data_dir`; `val` and `test` hold pairs of
    128 x 128, at least two of each photograph in each bucket. Returns how many each holds.
    """
    out = out or default_path("dataset", "large")
    train = out / "train"
    train.mkdir(parents=True, exist_ok=True)
    sources = large_sources("train")
    photos = default_path("dataset", "photos")
    for source in sources:
        for file in (photos / "large" / source.name, photos / source.name):
            if file.is_file():
                shutil.copyfile(file, train / source.name)
                break
        else:
            source.read().save(train / f"{Path(source.name).stem}.png")
    made = {str(train): len(sources)}
    held_out: tuple[Split, ...] = ("val", "test")
    for split in held_out:
        photographs = large_sources(split)
        pairs = held_out_pairs(photographs, 2 * len(photographs), seed)
        made[str(out / split)] = write_pairs(pairs, out / split, seed)
    return made
