"""Measuring on held-out pictures, beside what a user would pick instead of a network.

Taught in notebooks/06_results.ipynb.
"""

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import stats
from scipy.ndimage import maximum_filter

from ..checks import check_number
from ..filling import push_pull, thin_plate
from ..masks import read_mask
from ..metrics import psnr, ssim_map
from ..model import PixelRNN
from ..paths import given_path, pair_folders, written_whole
from ..pictures import cover, read_picture, to_mask, to_tensor
from .baselines import (
    Method,
    biharmonic,
    installed_peers,
    mean_colour,
    navier_stokes,
    network,
    smooth,
    telea,
)
from .pairs import held_out_pairs
from .perception import Look, edge_jump, look
from .prepare import read_manifest
from .sources import BUCKETS, Folders, photograph_sources

Methods = dict[str, dict[str, Method]]  # by name and bucket
SHARP = "ours, sharp"
START = "our start"  # what the shipped networks start from: the thin-plate fill alone
# The radius of OpenCV's methods, in pixels; which is best depends on the picture.
RADII = (1, 3, 5, 9)


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
        return cover(self.original, self.hole)


def read_held_out(folder: str | os.PathLike[str]) -> list[HeldOut]:
    """The pairs of a folder that `prepare` made: dataset/val, dataset/bricks/test, ..."""
    folder = given_path(folder)
    rows = read_manifest(folder / "manifest.csv")
    if not rows:
        raise FileNotFoundError(
            f"{folder / 'manifest.csv'}: no prepared pairs; run `python -m inpaint_lib prepare`"
        )
    pictures = pair_folders(folder)
    return [
        HeldOut(
            row["name"],
            row["photograph"],
            row["bucket"],
            np.asarray(read_picture(pictures.original / row["name"])),
            read_mask(pictures.mask / row["name"]),
        )
        for row in rows
    ]


def held_out_from(folders: Folders, seed: int = 0) -> list[HeldOut]:
    """Crops of any folders of photographs, one at least of each for each bucket, seeded holes."""
    check_number("seed", seed, whole=True)
    return [
        HeldOut(f"{i:04d}", p.photograph, p.bucket, np.asarray(p.original), p.hole)
        for i, p in enumerate(held_out_pairs(photograph_sources(folders), 24, seed))
    ]


class Score(NamedTuple):
    """One picture completed by one method. Identical pictures have an infinite PSNR."""

    hole_psnr: float  # dB, over the hole's pixels
    hole_l1: float  # mean absolute difference over the hole's pixels, of a range of 1
    hole_ssim: float  # mean SSIM of the windows that touch the hole
    psnr: float  # dB, over the whole picture
    ssim: float  # over the whole picture
    jump: float  # mean absolute difference across the hole's edge, of a range of 1
    true_jump: float  # the same of the original
    look: Look | None = None  # where it was asked for


METRICS = {
    "hole_psnr": "PSNR in the hole, dB",
    "hole_l1": "L1 in the hole",
    "hole_ssim": "SSIM of the windows that touch the hole",
    "psnr": "PSNR of the whole picture, dB",
    "ssim": "SSIM of the whole picture",
}
Scores = dict[str, dict[str, list[Score]]]  # by method and bucket, in the order of the pairs


def score(filled: np.ndarray, pair: HeldOut, looks: bool = False) -> Score:
    """Compare a completed picture (H, W, 3) uint8 with the original.

    looks: also by what `perception` measures, which takes longer.

    SSIM is that of Wang et al. (2004): Gaussian windows of 11 x 11, no eps.
    """
    comp = to_tensor(filled)
    original = to_tensor(pair.original)
    mask = to_mask(pair.hole)
    similarity = ssim_map(comp, original, window_size=11, eps=0).mean(dim=1, keepdim=True)
    touching = torch.from_numpy(maximum_filter(pair.hole, 11))[None, None]
    return Score(
        psnr(comp, original, mask).item(),
        ((comp - original).abs() * mask).sum().item() / (3 * mask.sum().item()),
        similarity[touching].mean().item(),
        psnr(comp, original).item(),
        similarity.mean().item(),
        edge_jump(filled, pair.hole),
        edge_jump(pair.original, pair.hole),
        look(filled, pair.original, pair.hole) if looks else None,
    )


def hole_psnr(filled: np.ndarray, pair: HeldOut) -> float:
    """PSNR in dB over the hole's pixels of a completed picture (H, W, 3) uint8."""
    return psnr(to_tensor(filled), to_tensor(pair.original), to_mask(pair.hole)).item()


def seam(scores: list[Score]) -> float:
    """Jump across the holes' edges in units of the originals': 1 is as in the originals."""
    true = sum(s.true_jump for s in scores)
    return sum(s.jump for s in scores) / true if true else float("nan")


def evaluate(chosen: Methods, pairs: list[HeldOut], looks: bool = False) -> Scores:
    """Complete every pair with every method, and score it."""
    return {
        name: {
            bucket: [score(method[bucket](p.occluded, p.hole), p, looks) for p in group]
            for bucket, group in by_bucket(pairs).items()
        }
        for name, method in chosen.items()
    }


def by_bucket(pairs: list[HeldOut]) -> dict[str, list[HeldOut]]:
    """The pairs of each of BUCKETS, in order; none in a bucket is an empty list."""
    return {bucket: [p for p in pairs if p.bucket == bucket] for bucket in BUCKETS}


def mean(scores: list[Score], metric: str = "hole_psnr") -> float:
    """Mean over pictures; identical ones, of infinite PSNR, are left out (and counted apart)."""
    return finite_mean([getattr(s, metric) for s in scores])


def finite_mean(values: list[float]) -> float:
    """Mean of those that are finite; nan where none is."""
    finite = [v for v in values if np.isfinite(v)]
    return float(np.mean(finite)) if finite else float("nan")


def best_option(
    make: Callable[[Any], Method], options: Sequence[Any], val_pairs: list[HeldOut]
) -> dict[str, Any]:
    """For each bucket, the option of highest hole PSNR on val. Never choose on test."""
    if len(options) == 1:
        return dict.fromkeys(BUCKETS, options[0])
    groups = by_bucket(val_pairs)

    def on_val(option: Any, bucket: str) -> float:
        method = make(option)
        found = [hole_psnr(method(p.occluded, p.hole), p) for p in groups[bucket]]
        return finite_mean(found)

    return {b: max(options, key=lambda option: on_val(option, b)) for b in BUCKETS}


def best_radius(make: Callable[[int], Method], val_pairs: list[HeldOut]) -> dict[str, int]:
    """For each bucket, which of RADII is best on val."""
    return best_option(make, RADII, val_pairs)


def methods(
    model: PixelRNN, val_pairs: list[HeldOut], peers: bool = False, sharp: bool = False
) -> Methods:
    """The network and what a user would pick instead, by name and bucket.

    A method with an option (OpenCV's radius, PatchMatch's patch) gets, in each bucket, the one
    that is best on `val_pairs`: a radius matters by up to 2.5 dB, and a single one for all would
    flatter the network. peers: also those of `baselines.PEERS` whose packages are installed.
    sharp: also the network with copies in the place of its blur.
    """
    one_for_all = {
        "ours": network(model),
        "mean colour": mean_colour,
        START: smooth(thin_plate),
        "push-pull": smooth(push_pull),
        "biharmonic": biharmonic,
    }
    if sharp:
        one_for_all[SHARP] = network(model, sharp=True)
    tuned: dict[str, tuple[Callable[[Any], Method], Sequence[Any]]] = {
        "Telea": (telea, RADII),
        "Navier-Stokes": (navier_stokes, RADII),
    }
    if peers:
        tuned |= {name: (peer.make, peer.options) for name, peer in installed_peers().items()}
    return {name: dict.fromkeys(BUCKETS, method) for name, method in one_for_all.items()} | {
        name: {b: make(option) for b, option in best_option(make, options, val_pairs).items()}
        for name, (make, options) in tuned.items()
    }


class Difference(NamedTuple):
    """Hole PSNR of ours minus the best other method's, in dB; `low` to `high` is its 95 % interval.

    Paired, and over photographs: crops of one photograph are not independent. With fewer than
    two photographs (the wall is one) there is no interval.
    """

    other: str
    mean: float
    low: float | None
    high: float | None


def difference(scores: Scores, pairs: list[HeldOut], bucket: str) -> Difference:
    """How far ours is from the best of the others in a bucket: the mean over photographs."""
    others = {n: mean(by[bucket]) for n, by in scores.items() if n not in ("ours", START, SHARP)}
    best = max(others, key=lambda name: others[name])
    gains: dict[str, list[float]] = {}
    group = by_bucket(pairs)[bucket]
    for pair, ours, other in zip(group, scores["ours"][bucket], scores[best][bucket], strict=True):
        if np.isfinite(gain := ours.hole_psnr - other.hole_psnr):
            gains.setdefault(pair.photograph, []).append(gain)
    each = np.array([np.mean(values) for values in gains.values()])
    if len(each) < 2:
        return Difference(best, float(each.mean()) if len(each) else float("nan"), None, None)
    half = stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5
    return Difference(best, each.mean(), each.mean() - half, each.mean() + half)


def examples(
    chosen: Methods, scores: Scores, pairs: list[HeldOut]
) -> tuple[dict[str, list[np.ndarray]], list[str]]:
    """Pictures chosen by a rule, not by hand: rows of them, and a title for each column.

    Of each bucket the picture where ours loses most against the bucket's best other method (or
    gains least), the one in the middle, and the one where it gains most.
    """
    rows: dict[str, list[np.ndarray]] = {}
    titles = []
    for bucket, group in by_bucket(pairs).items():
        other = difference(scores, pairs, bucket).other
        both = zip(scores["ours"][bucket], scores[other][bucket], strict=True)
        gains = [ours.hole_psnr - theirs.hole_psnr for ours, theirs in both]
        order = np.argsort(gains)
        for i in order[[0, len(order) // 2, -1]] if len(order) else ():
            pair = group[i]
            column = {
                "occluded": pair.occluded,
                "best other": chosen[other][bucket](pair.occluded, pair.hole),
                "ours": chosen["ours"][bucket](pair.occluded, pair.hole),
                "original": pair.original,
            }
            for name, picture in column.items():
                rows.setdefault(name, []).append(picture)
            titles.append(f"{bucket}\n{gains[i]:+.1f} dB")
    return rows, titles


def table(scores: Scores, pairs: list[HeldOut], metrics: Sequence[str] = tuple(METRICS)) -> str:
    """The scores as text: a block for each metric, a line a method; * is the best of a column."""
    width = max(map(len, scores)) + 2  # of the column of names
    blocks = [_block(scores, metric, width) for metric in metrics]
    return "\n\n".join([*blocks, _notes(scores, pairs, width)])


def _block(scores: Scores, metric: str, width: int) -> str:
    """The means of one metric."""
    best_of = min if metric == "hole_l1" else max
    digits = 2 if "psnr" in metric else 4
    means = {name: {b: mean(by[b], metric) for b in BUCKETS} for name, by in scores.items()}
    lines = [METRICS[metric], " " * width + "".join(f"{bucket:>12}" for bucket in BUCKETS)]
    best: dict[str, float | None] = {}
    for bucket in BUCKETS:
        known = [row[bucket] for row in means.values() if not np.isnan(row[bucket])]
        best[bucket] = best_of(known, default=None)
    for name, row in means.items():
        cells = (f"{v:.{digits}f}" + ("*" if v == best[b] else " ") for b, v in row.items())
        lines.append(name.ljust(width) + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def _notes(scores: Scores, pairs: list[HeldOut], width: int) -> str:
    """How many pictures there are, the seams of ours, and how far it is from the best other."""
    group = by_bucket(pairs)
    lines = ["pictures".ljust(width) + "".join(f"{len(some):>11} " for some in group.values())]
    photographs = [len({pair.photograph for pair in some}) for some in group.values()]
    lines.append("photographs".ljust(width) + "".join(f"{count:>11} " for count in photographs))
    for name, by in scores.items():
        same = {bucket: _identical(by[bucket]) for bucket in BUCKETS}
        if any(same.values()):
            counts = ", ".join(f"{count} {bucket}" for bucket, count in same.items() if count)
            lines.append(f"identical, left out of the means of {name}'s PSNR: {counts}")
    there = [bucket for bucket, some in group.items() if some]
    for bucket in there:
        ratio = seam(scores["ours"][bucket])
        lines.append(f"ours, jump across the {bucket} hole's edge: {ratio:.2f} of the original's")
    for bucket in there:
        d = difference(scores, pairs, bucket)
        interval = "" if d.low is None else f", 95 % interval {d.low:+.2f} to {d.high:+.2f}"
        lines.append(f"ours minus {d.other} in the {bucket} hole: {d.mean:+.2f} dB{interval}")
    return "\n".join(lines)


def _identical(scores: list[Score]) -> int:
    """How many pictures came out as the original: their PSNR is infinite."""
    return sum(np.isinf(s.hole_psnr) for s in scores)


def write_csv(scores: Scores, pairs: list[HeldOut], path: Path) -> None:
    """The scores as CSV: a row for each method and bucket; the difference is in the row of ours."""
    columns = ["method", "bucket", "pictures", "identical", *METRICS, "edge_jump_ratio"]
    columns += ["best_other", "difference_db", "difference_low_db", "difference_high_db"]
    with written_whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for name, by in scores.items():
            for bucket, some in by.items():
                row = [name, bucket, len(some), _identical(some)]
                row += [f"{mean(some, metric):.5f}" for metric in METRICS]
                row.append(f"{seam(some):.4f}" if some else "")
                if name == "ours" and some:
                    best, *numbers = difference(scores, pairs, bucket)
                    row += [best, *("" if x is None else f"{x:.4f}" for x in numbers)]
                writer.writerow(row + [""] * (len(columns) - len(row)))
