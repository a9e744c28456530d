"""The epoch browser of chapter 5: the sample sheets of a run, one epoch after the other."""

import csv
import os
import re
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from ..checkpoints import LOG, VAL_COLUMNS
from ..figures import GREEN, INK, Figure, bare, tidy
from .panel import Panel, Picture, Words

ROWS = ("occluded", "completed", "original")
FRAME = 2  # pixels around each picture of a sheet
DECIBELS = VAL_COLUMNS[-1]
SHEETS = re.compile(r"(?:sample_)?epoch(\d+)\.(?:png|jpg)")


def find_sheets(folder: str | os.PathLike[str]) -> dict[int, Path]:
    """The sample sheets of a run by epoch: `samples/sample_epoch{N}.png`, or `epoch{N}.jpg`.

    Raises FileNotFoundError when there are none.
    """
    folder = Path(folder)
    found = {
        int(named[1]): path
        for place in (folder, folder / "samples")
        for path in (place.iterdir() if place.is_dir() else ())
        if (named := SHEETS.fullmatch(path.name))
    }
    if not found:
        raise FileNotFoundError(
            f"{folder}: no sample sheets; a run writes the first after one epoch, to samples/"
        )
    return dict(sorted(found.items()))


def read_log(folder: str | os.PathLike[str]) -> dict[int, float]:
    """The validation hole's PSNR in dB by epoch, from `training_log.txt`; empty without one."""
    file = Path(folder) / LOG
    if not file.is_file():
        return {}
    with open(file, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {int(row["epoch"]): float(row[DECIBELS]) for row in rows if row.get(DECIBELS)}


def cut_sheet(sheet: np.ndarray) -> np.ndarray:
    """A sheet (H, W, 3) uint8 as square pictures, without their frames: (3, N, S, S, 3)."""
    side = (sheet.shape[0] - FRAME) // len(ROWS)
    count = (sheet.shape[1] - FRAME) // side
    inner = sheet[FRAME : FRAME + len(ROWS) * side, FRAME : FRAME + count * side]
    pictures = inner.reshape(len(ROWS), side, count, side, 3).swapaxes(1, 2)
    return pictures[:, :, : side - FRAME, : side - FRAME]


def draw_epoch(pictures: np.ndarray, epoch: int, decibels: dict[int, float]) -> Figure:
    """Pictures (3, N, S, S, 3) in rows, and under them how PSNR went, with a mark at the epoch."""
    words = in_words(epoch, decibels)
    alt = f"Pictures in 3 rows ({', '.join(ROWS)}) and {pictures.shape[1]} columns. {words}."
    heights = [3.4]
    if decibels:
        alt += " Below, a line: PSNR in the hole by epoch, with a mark at this one."
        heights.append(1.9)
    figure = Figure(alt, figsize=(9.4, sum(heights)), layout="constrained")
    sheet, *below = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    grid = sheet.subplots(*pictures.shape[:2], squeeze=False)
    for name, row, axes in zip(ROWS, pictures, grid, strict=True):
        for picture, ax in zip(row, axes, strict=True):
            ax.imshow(picture, interpolation="none")
            bare(ax)
        axes[0].set_ylabel(name)
    for part in below:
        ax = part.subplots()
        ax.plot(list(decibels), list(decibels.values()), color=GREEN)
        if epoch in decibels:
            ax.plot(epoch, decibels[epoch], "o", color=INK)
        ax.set(xlabel="epoch", ylabel="dB", title="PSNR in the hole, mean over validation")
        tidy(ax)
    return figure


def in_words(epoch: int, decibels: dict[int, float]) -> str:
    """The epoch, and its PSNR where that is known."""
    if epoch not in decibels:
        return f"epoch {epoch}"
    return f"epoch {epoch}: PSNR in the hole {decibels[epoch]:.2f} dB, mean over validation"


class EpochBrowser(Panel):
    """The sample sheets of a run to slide through, from the first epoch to the last.

    folder: of a run, with `samples/` and `training_log.txt`. Raises what `find_sheets` raises.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.sheets = find_sheets(folder)
        self.decibels = read_log(folder)
        self.epoch = ipywidgets.SelectionSlider(
            options=list(self.sheets), description="epoch", layout={"width": "28em"}
        )
        self.numbers = Words()
        self.picture = Picture()
        self.epoch.observe(self._update, "value")
        super().__init__([self.epoch, self.numbers, self.picture])
        self.epoch.value = max(self.sheets)
        self._update()

    def _update(self, change: Any = None) -> None:
        epoch = self.epoch.value
        with Image.open(self.sheets[epoch]) as sheet:
            pictures = cut_sheet(np.asarray(sheet.convert("RGB")))
        self.numbers.say(in_words(epoch, self.decibels))
        self.picture.show(draw_epoch(pictures, epoch, self.decibels))
