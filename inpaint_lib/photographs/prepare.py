"""Pairs on disk: the folders of the small worlds, of the large set, of a reader's photographs."""

import csv
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import filelock
import numpy as np
from PIL import Image

from ..checks import check_choice, check_number
from ..data import PREFIX
from ..paths import (
    PairFolders,
    Split,
    World,
    default_path,
    given_path,
    locked,
    pair_folders,
    world_folder,
    writable_folder,
    written_whole,
)
from ..pictures import cover, is_picture
from .pairs import Pair, brick_pairs, held_out_pairs, training_pairs
from .sources import Source, brick_source, folder_sources, large_sources, tutorial_sources

VERSION = "2"  # stands in each manifest; raise it whenever `prepare` makes other pairs than before


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
    made = {
        f"{i:04d}_{_short(Path(pair.photograph).stem)}.png": pair for i, pair in enumerate(pairs)
    }
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


def _short(stem: str) -> str:
    """Names may have 255 bytes, the prefix and the number of a pair included."""
    while len(os.fsencode(stem)) > 230:
        stem = stem[:-1]
    return stem


def _make_folders(folders: PairFolders, ours: set[str]) -> None:
    """Raises FileExistsError when one holds a picture that is not `ours`."""
    for folder in folders:
        writable_folder(folder)
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
    photos: Path | tuple[Path, ...] | None = None,
    flowers102: bool = False,
    out: Path | None = None,
    train_pairs: int = 616,
    per_bucket: int = 24,
    seed: int = 0,
    large: bool = False,
    world: World | None = None,
) -> dict[str, int]:
    """Build train, val and test pairs of 128 x 128, in seconds; returns how many each holds.

    Without arguments: the tutorial's own two worlds, dataset/{train,val,test} of photographs
    and dataset/bricks/{train,val,test} of one wall. Nothing is downloaded. Each pixel follows
    from the photographs and the seed.

    Args:
        photos: Folders of your own photographs instead; split by photograph. Results of
            `complete` are left out, for they show what is in their photographs.
        flowers102: Download Flowers102 (Nilsback & Zisserman 2008) and prepare that.
        out: Where to; by default dataset/own for `photos`, dataset/flowers102 for `flowers102`.
        train_pairs: Training pairs, at least.
        per_bucket: Pairs in each of the four hole sizes of val and of test, at least.
        seed: Of the crops, the holes, and the split of `photos`.
        large: The large set instead, in dataset/large: see `prepare_large`.
        world: Only this one of the tutorial's two.
    """
    check_choice("world", world, World | None)
    for name, number in {"train_pairs": train_pairs, "per_bucket": per_bucket}.items():
        check_number(name, number, least=1, whole=True)
    check_number("seed", seed, whole=True)
    if (photos is not None) + flowers102 + large + (world is not None) > 1:
        raise ValueError("photos, flowers102, large and world: choose one of them")
    if large:
        return prepare_large(out, seed)
    if flowers102:
        photos = _download_flowers()
        out = out or default_path("dataset", "flowers102")
    plan: dict[Path, Iterator[Pair]] = {}
    sources: dict[Split, list[Source]] = {}
    root = given_path(out or default_path("dataset", *(["own"] if photos is not None else [])))
    if photos is not None:
        sources = folder_sources(photos, seed)
    elif world != "bricks":
        sources = {split: tutorial_sources(split) for split in get_args(Split)}
    if photos is None and world != "photographs":
        for split in get_args(Split):
            wall = brick_source(split)
            plan[world_folder("bricks", root) / split] = (
                training_pairs([wall], train_pairs, seed, zoom=1.0)
                if split == "train"
                else brick_pairs(wall, per_bucket, seed)
            )
    for split, photographs in sources.items():
        plan[root / split] = (
            training_pairs(photographs, train_pairs, seed, zoom=4.0)
            if split == "train"
            else held_out_pairs(photographs, per_bucket, seed)
        )
    return {str(folder): write_pairs(pairs, folder, seed) for folder, pairs in plan.items()}


WAIT = 900  # seconds for another process that prepares; it takes one or two minutes


def ensure_prepared(*worlds: World) -> None:
    """`prepare` these worlds, by default both, unless this version of it has been at work.

    One process at a time; what is prepared may lie where nobody may write. Raises OSError where it
    is not and cannot be written, TimeoutError when another process comes to no end.
    """
    if not _unprepared(worlds):
        return
    root = default_path("dataset")
    if not root.is_dir():  # an installed package, used in a folder of somebody's own
        print(f"Preparing pictures in {root}", file=sys.stderr)
    lock = writable_folder(root) / ".lock"
    # Chapters and tests that start together would otherwise write the same files.
    try:
        with locked(lock, WAIT):
            for world in _unprepared(worlds):
                prepare(world=world)
    except filelock.Timeout:
        raise TimeoutError(
            f"{lock}: another process has been preparing pictures for {WAIT // 60} minutes; end it"
        ) from None


def _unprepared(worlds: tuple[World, ...]) -> list[World]:
    """Those whose last manifest is not there, or another version's."""
    last = {w: world_folder(w) / "test" / "manifest.csv" for w in worlds or get_args(World)}
    first = {w: read_manifest(path)[:1] for w, path in last.items()}
    return [w for w, rows in first.items() if not rows or rows[0].get("version") != VERSION]


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
    """The large set in dataset/large, in a minute: what `recipes.LARGE` is meant for.

    `train` holds whole photographs, for `TrainConfig.data_dir`; `val` and `test` hold pairs of
    128 x 128, at least two of each photograph in each bucket. Returns how many each holds.
    """
    out = given_path(out or default_path("dataset", "large"))
    train = out / "train"
    writable_folder(train)
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
