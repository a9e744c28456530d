"""Measuring on held-out pairs, beside what a user would pick instead of a network."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .completion import complete, to_tensor
from .filling import push_pull
from .metrics import psnr
from .model import PixelRNN
from .paths import written_whole
from .photographs import BUCKETS
from .pictures import read_picture

# (H, W, 3) uint8, (H, W) bool -> (H, W, 3) uint8
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]
RADII = (
    1,
    3,
    5,
    9,
)  # the radius of OpenCV's methods, in pixels; which is best depends on the picture


class HeldOut(NamedTuple):
    """A pair to measure on: picture (H, W, 3) uint8, hole (H, W) bool."""

    name: str
    photograph: str
    bucket: str
    original: np.ndarray
    hole: np.ndarray

    @property
    def occluded(self) -> np.ndarray:
        """The picture with a black hole: all that a method gets to see."""
        return np.where(self.hole[..., None], 0, self.original).astype(np.uint8)


def read_held_out(folder: str | os.PathLike) -> list[HeldOut]:
    """The pairs of a folder that `prepare` made: dataset/val, dataset/bricks/test, ..."""
    folder = Path(folder)
    if not (folder / "manifest.csv").is_file():
        raise FileNotFoundError(
            f"{folder / 'manifest.csv'}: no prepared pairs; run `python -m inpaint_lib prepare`"
        )
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        HeldOut(
            row["name"],
            row["photograph"],
            row["bucket"],
            np.asarray(read_picture(folder / "original_images" / row["name"])),
            np.asarray(read_picture(folder / "masks" / row["name"], "L")) > 127,
        )
        for row in rows
    ]


def mean_colour(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The hole in the mean colour of the known pixels."""
    result = picture.copy()
    result[hole] = picture[~hole].mean(axis=0).round()
    return result


def telea(radius: int) -> Method:
    """OpenCV's fast marching method (Telea 2004)."""
    return _opencv("INPAINT_TELEA", radius)


def navier_stokes(radius: int) -> Method:
    """OpenCV's method after Bertalmio, Bertozzi & Sapiro (2001)."""
    return _opencv("INPAINT_NS", radius)


def _opencv(flag: str, radius: int) -> Method:
    import cv2

    return lambda picture, hole: cv2.inpaint(
        picture, hole.astype(np.uint8), radius, getattr(cv2, flag)
    )


def push_pull_fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """`push_pull` on a picture of 8 bits."""
    filled = push_pull(to_tensor(picture), torch.from_numpy(hole)[None, None].float())
    return (filled[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


def network(model: PixelRNN) -> Method:
    """A trained network as it is used: through `complete`."""
    return lambda picture, hole: np.asarray(complete(model, picture, hole))


def hole_psnr(method: Method, pairs: list[HeldOut]) -> np.ndarray:
    """The hole's PSNR of each pair in dB."""
    values = []
    for pair in pairs:
        filled = method(pair.occluded, pair.hole)
        mask = torch.from_numpy(pair.hole)[None, None]
        values.append(psnr(to_tensor(filled), to_tensor(pair.original), mask).item())
    return np.array(values)


def by_bucket(pairs: list[HeldOut]) -> dict[str, list[HeldOut]]:
    return {bucket: [p for p in pairs if p.bucket == bucket] for bucket in BUCKETS}


def best_radius(make: Callable[[int], Method], val_pairs: list[HeldOut]) -> dict[str, int]:
    """For each bucket, which of RADII has the highest hole PSNR on val. Never choose on test."""
    return {
        bucket: max(RADII, key=lambda r: _mean(hole_psnr(make(r), pairs)))
        for bucket, pairs in by_bucket(val_pairs).items()
    }


def _mean(values: np.ndarray) -> float:
    """Mean over pictures; identical ones (infinite PSNR) are left out."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


class Table(NamedTuple):
    """Hole PSNR in dB, mean over pictures: `psnr[method][bucket]`; and how many pictures."""

    psnr: dict[str, dict[str, float]]
    pictures: dict[str, int]

    def text(self) -> str:
        """For people: a line a method, the best of each column marked with *."""
        width = max(map(len, self.psnr)) + 2
        lines = [" " * width + "".join(f"{b:>12}" for b in self.pictures)]
        lines += ["pictures".ljust(width) + "".join(f"{n:>12}" for n in self.pictures.values())]
        best = {b: max(row[b] for row in self.psnr.values()) for b in self.pictures}
        for method, row in self.psnr.items():
            cells = (f"{v:.2f}" + ("*" if v == best[b] else " ") for b, v in row.items())
            lines.append(method.ljust(width) + "".join(f"{cell:>12}" for cell in cells))
        return "\n".join(lines)

    def write_csv(self, path: Path) -> None:
        """For programs: columns method, bucket, pictures, hole_psnr_db."""
        with written_whole(path) as partial, open(partial, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["method", "bucket", "pictures", "hole_psnr_db"])
            for method, row in self.psnr.items():
                for bucket, value in row.items():
                    writer.writerow([method, bucket, self.pictures[bucket], f"{value:.4f}"])


def methods(model: PixelRNN, val_pairs: list[HeldOut]) -> dict[str, dict[str, Method]]:
    """The network and what a user would pick instead, by name and bucket.

    OpenCV's methods get, in each bucket, the radius that is best on `val_pairs`: it matters by
    up to 2.5 dB, and a single one for all would flatter the network.
    """
    one_for_all = {
        "ours": network(model),
        "mean colour": mean_colour,
        "push-pull": push_pull_fill,
    }
    by_radius = {"Telea": telea, "Navier-Stokes": navier_stokes}
    return {name: dict.fromkeys(BUCKETS, method) for name, method in one_for_all.items()} | {
        name: {bucket: make(r) for bucket, r in best_radius(make, val_pairs).items()}
        for name, make in by_radius.items()
    }


def evaluate(chosen: dict[str, dict[str, Method]], pairs: list[HeldOut]) -> Table:
    """The table of `methods` on held-out pairs."""
    groups = by_bucket(pairs)
    return Table(
        {
            name: {b: _mean(hole_psnr(method[b], group)) for b, group in groups.items()}
            for name, method in chosen.items()
        },
        {b: len(group) for b, group in groups.items()},
    )
