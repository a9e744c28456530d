"""Where photographs come from: a small set, a large one, a brick wall, a reader's folder."""

import csv
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..paths import Split, default_path, given_path, shipped_path
from ..pictures import read_picture
from ..results import photographs_in

BUCKETS: dict[str, tuple[int, int] | None] = {
    "small": (12, 20),  # one box, the range of its sides in pixels
    "medium": (24, 36),
    "large": (48, 64),
    "strokes": None,  # four brush strokes, 3 to 8 pixels wide
}

# The split of the small set by photograph, in one place; that of the large set is a column of
# dataset/photos/large/CREDITS.csv. Nothing of val or test of either is trained on in the other;
# what is chosen (a radius, an option, an epoch) is chosen on val, and test is for the record.
TEST = ("aizkorri.jpg", "astronaut", "chelsea", "china.jpg", "coffee")
VAL = ("dogs.jpg", "drum_and_wine.jpg", "flower.jpg")
TRAIN = (
    "bowl.jpg",
    "brushes.jpg",
    "dandelion.jpg",
    "picos_de_europa.jpg",
    "rocket",
    "stream.jpg",
    "sunset.jpg",
)
TEXTURES = (  # grey and scientific pictures of scikit-image: more to learn from, not to test on
    "camera",
    "grass",
    "gravel",
    "hubble_deep_field",
    "immunohistochemistry",
    "retina",
)


class Source(NamedTuple):
    """A photograph, or a part of one: a name, and how to read it as upright 8-bit RGB."""

    name: str
    read: Callable[[], Image.Image]


def tutorial_source(name: str) -> Source:
    """A photograph of dataset/photos, or one that scikit-image or scikit-learn carries."""
    path = shipped_path("dataset", "photos", name)
    if path.is_file():
        return Source(name, lambda: read_picture(path))

    def read() -> Image.Image:
        if name.endswith(".jpg"):
            from sklearn.datasets import load_sample_image

            return Image.fromarray(load_sample_image(name))
        from skimage import data

        return Image.fromarray(getattr(data, name)()).convert("RGB")

    return Source(name, read)


def tutorial_sources(split: Split) -> list[Source]:
    """The small set: the tutorial's own photographs of a split."""
    names = {"train": TRAIN + TEXTURES, "val": VAL, "test": TEST}[split]
    return [tutorial_source(name) for name in names]


def large_credits() -> list[dict[str, str]]:
    """The rows of dataset/photos/large/CREDITS.csv: file, split, title, author, licence, source.

    Raises FileNotFoundError outside a checkout of the repository.
    """
    path = default_path("dataset", "photos", "large", "CREDITS.csv")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: the large set is not carried by the package; call this in a copy of the "
            "repository, which has it"
        )
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def large_sources(split: Split) -> list[Source]:
    """The large set: photographs of dataset/photos/large; to train on, the small set's as well.

    All of val and test are CC0 or in the public domain, and may be shown anywhere.
    """
    folder = default_path("dataset", "photos", "large")
    names = [row["file"] for row in large_credits() if row["split"] == split]
    sources = [Source(name, partial(read_picture, folder / name)) for name in names]
    return tutorial_sources("train") + sources if split == "train" else sources


def brick_source(split: Split) -> Source:
    """A part of scikit-image's brick wall (512 x 512); the three share no pixel."""
    box = {"train": (0, 0, 352, 512), "val": (352, 0, 512, 160), "test": (352, 160, 512, 512)}
    wall = tutorial_source("brick")
    return Source(f"brick_{split}", lambda: wall.read().crop(box[split]))


Folders = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]  # one, or several


def photograph_sources(folders: Folders) -> list[Source]:
    """All photographs of one or several folders; results of `complete` are left out.

    The name is that of the file, behind that of its folder where there are several.
    """
    several = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    paths = {
        (folder / name).resolve(): folder / name
        for folder in map(given_path, several)
        for name in photographs_in(folder)
    }
    return [
        Source(
            path.name if len(several) == 1 else f"{path.parent.name}/{path.name}",
            partial(read_picture, path, srgb=True),
        )
        for path in paths.values()
    ]


def folder_sources(folders: Folders, seed: int) -> dict[Split, list[Source]]:
    """The photographs of folders, shuffled by the seed: about 15 % each for val and test."""
    sources = photograph_sources(folders)
    if len(sources) < 3:
        raise ValueError(
            f"{folders}: {len(sources)} photograph(s); a split by photograph needs at least 3"
        )
    order = np.random.default_rng(seed).permutation(len(sources)).tolist()
    held_out = max(1, round(0.15 * len(sources)))
    test, val = order[:held_out], order[held_out : 2 * held_out]
    chosen: dict[Split, list[int]] = {"test": test, "val": val, "train": order[2 * held_out :]}
    return {split: [sources[i] for i in sorted(some)] for split, some in chosen.items()}
