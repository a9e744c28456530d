"""Which photographs and holes a person means, and where their results go."""

import os
from collections.abc import Iterable
from glob import glob
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from ..holes import boxes_mask
from ..masks import PaintedOn, read_mask
from ..paths import (
    alike,
    check_writable,
    given_path,
    matching,
    why_missing,
    writable_folder,
    written_whole,
)
from ..pictures import LEFT_BY_SYSTEMS, SUFFIXES, is_picture, tell
from ..results import ENDING, photographs_in, results_among, save_png, say_left_out

HoleColour = Literal["white", "black"]  # of the hole, in a mask


def find_photographs(given: Iterable[Path], mask: Path | None, out: Path | None) -> list[Path]:
    """The photographs that are meant, each once: files, and all of a folder or a pattern.

    Patterns with `*` and `?` are for shells that do not expand them. Where several are given, as
    by a shell's `*`, what is none is left out: the masks, the results, which it warns of, and what
    systems leave in folders. Raises ValueError or FileNotFoundError where nothing is left.
    """
    given = list(given)
    besides = [path for path in (mask, out) if path is not None]
    if len(given) > 1:
        given = [path for path in given if not _same(path, besides) and not _left_by_system(path)]
    found: dict[Path, Path] = {}  # by the file itself
    for path in given:
        for photo in _expanded(path):
            if not (found and _same(photo, besides)):
                found.setdefault(photo.resolve(), photo)
    photos = list(found.values())
    results = results_among(photos)
    if results and len(results) < len(photos):
        say_left_out(results)
        photos = [photo for photo in photos if photo not in results]
    if not photos:
        raise ValueError("no photograph was given: complete PHOTO --box X Y W H")
    return photos


def _expanded(path: Path) -> list[Path]:
    if path.is_dir():
        return [path / name for name in photographs_in(path)]
    if os.path.lexists(path) or not any(sign in str(path) for sign in "*?["):
        return [path]
    matches = [Path(name) for name in sorted(glob(str(path)))]
    pictures = [match for match in matches if is_picture(match.name)]
    if not pictures:
        raise FileNotFoundError(f"{path}: no picture has a name like this")
    return pictures


def _same(path: Path, others: Iterable[Path]) -> bool:
    return any(path.resolve() == other.resolve() for other in others)


def _left_by_system(path: Path) -> bool:
    hidden = path.name.startswith(".") and not path.is_dir()
    return hidden or path.name.lower() in LEFT_BY_SYSTEMS


def mask_of(photo: Path, masks: Path) -> Path:
    """The file of a photograph's mask: `masks`, or in that folder STEM.png.

    Raises FileNotFoundError where there is none, ValueError where it is the photograph itself.
    """
    file = masks
    if masks.is_dir():
        name = f"{photo.stem}.png"
        file = masks / name
        if not file.exists():
            file = masks / matching([name], os.listdir(masks)).get(name, name)
    if not file.exists():
        raise FileNotFoundError(f"{file}: {why_missing(file)}")
    if _same(file, [photo]):
        raise ValueError(f"{file}: is the photograph itself; keep masks in a folder of their own")
    return file


def result_place(out: str | None, several: bool) -> Path | None:
    """Where results go: None, beside each photograph; a folder, made where it is missing; a file.

    A folder if there are several, if `out` ends in a slash or if it is there. Raises ValueError
    for a file that is no PNG, and OSError for a folder that cannot be written to.
    """
    if out is None:
        return None
    if not out.strip():
        raise ValueError("--out: is empty; give a file's or a folder's name")
    place = given_path(out)
    picture = place.suffix.lower() in SUFFIXES
    if several and picture and not place.is_dir():
        raise ValueError(f"{out}: several photographs need a folder; give --out a folder's name")
    if several or place.is_dir() or out.endswith(("/", os.sep)):
        return writable_folder(place)
    if place.suffix.lower() == ".png":
        return place
    better = f"{place.stem}.png" if picture else f"{place.name}.png, or {place.name}/, a folder"
    raise ValueError(f"{place}: results are PNG files, which keep every pixel; name it {better}")


def result_file(photo: Path, place: Path | None, overwrite: bool, others: Iterable[Path]) -> Path:
    """Where the result of a photograph goes; to be asked before any work is done.

    others: results of other photographs. Raises FileExistsError for a file that is there or in
    `others`, OSError where it cannot be written.
    """
    name = f"{photo.stem}{ENDING}.png"
    target = photo.with_name(name) if place is None else place / name if place.is_dir() else place
    if target in others:
        raise FileExistsError(
            f"{target}: is the result of another of these photographs; complete it apart, with "
            "another --out"
        )
    check_writable(target)
    if _same(target, [photo]):
        raise FileExistsError(f"{target}: is the photograph itself; choose another --out")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target}: is already there; use --overwrite or another --out")
    return target


def save_result(picture: Image.Image, target: Path, others: Iterable[Path]) -> None:
    """Write a result, but not over one of `others`, where names of two cases are one file's.

    Raises FileExistsError then, and OSError where it cannot be written.
    """
    for other in others:
        if alike(other.name) == alike(target.name) and target.exists() and target.samefile(other):
            raise FileExistsError(f"{target}: is the same file as {other}; use another --out")
    with written_whole(target) as partial:
        save_png(picture, partial)


def boxed(
    photo: Path, picture: Image.Image, boxes: tuple[tuple[int, int, int, int], ...]
) -> np.ndarray:
    """Boxes in pixels of a photograph as a hole (H, W) bool.

    Raises ValueError, naming the box, where one is empty or reaches beyond the photograph.
    """
    for left, top, width, height in boxes:
        if min(left, top) < 0 or min(width, height) < 1:
            raise ValueError(f"--box {left} {top} {width} {height}: X, Y >= 0 and W, H >= 1")
        if left + width > picture.width or top + height > picture.height:
            raise ValueError(
                f"--box {left} {top} {width} {height}: reaches beyond {photo}, "
                f"which is {picture.width} x {picture.height} pixels"
            )
    return boxes_mask((picture.height, picture.width), list(boxes))


def painted(
    file: Path,
    photo: Path,
    picture: Image.Image,
    hole: HoleColour | None,
    painted_on: PaintedOn | None,
) -> np.ndarray:
    """What a mask file says of a photograph: (H, W) bool, True in the hole.

    hole: its colour; needed where most of the mask is white. painted_on: see `read_mask`.
    Raises ValueError for a mask of another size, one that is all hole, or one that cannot be
    told for certain; warns of one without a hole.
    """
    hidden = read_mask(file, picture, painted_on)
    if hidden.shape != (picture.height, picture.width):
        raise ValueError(
            f"{file}: is {hidden.shape[1]} x {hidden.shape[0]} pixels, {photo} is "
            f"{picture.width} x {picture.height}; a mask has the size of its photograph"
        )
    if hole == "black":
        hidden = ~hidden
    if hidden.all():
        raise ValueError(f"{file}: is all hole; paint white only what is to be filled")
    if hole is None and hidden.mean() > 0.5:
        raise ValueError(
            f"{file}: {hidden.mean():.0%} of it is white, and white is hole; say --hole black if "
            "what is black is to be filled, --hole white if it is meant as it is"
        )
    if not hidden.any():
        tell(f"{file}: has no hole, so nothing is filled; white is hole")
    return hidden
