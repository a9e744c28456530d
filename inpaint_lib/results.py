"""Pictures that this library made: they bear a mark, and are not taken for photographs."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .paths import given_path
from .pictures import is_picture, list_pictures, tell

MARK = {"Software": "inpaint_lib"}  # a note in the PNG file
ENDING = "_completed"  # of a result's name, unless another was asked for


def save_png(picture: Image.Image, path: str | os.PathLike[str]) -> None:
    """Save as PNG, with the mark and with the profile and resolution that `info` carries on."""
    mark = PngInfo()
    for key, value in MARK.items():
        mark.add_text(key, value)
    notes = {key: picture.info[key] for key in ("icc_profile", "dpi") if key in picture.info}
    picture.save(path, "PNG", pnginfo=mark, **notes)


def results_among(paths: Sequence[Path]) -> list[Path]:
    """Those that bear the mark, or are named as the result of a picture beside them."""

    @cache
    def stems(folder: Path) -> set[str]:
        return {Path(name).stem for name in os.listdir(folder) if is_picture(name)}

    def is_result(path: Path) -> bool:
        if path.suffix.lower() != ".png" or not path.is_file():
            return False
        if path.stem.endswith(ENDING) and path.stem.removesuffix(ENDING) in stems(path.parent):
            return True
        try:
            with Image.open(path, formats=["PNG"]) as image:
                return image.info.get("Software") == MARK["Software"]
        except Exception:  # whoever reads the picture says what is wrong with it
            return False

    return [path for path in paths if is_result(path)]


def photographs_in(folder: str | os.PathLike[str]) -> list[str]:
    """`list_pictures` without results, of which it warns.

    Raises what `list_pictures` raises, and ValueError where nothing but results is there.
    """
    folder = given_path(folder)
    names = list_pictures(folder)
    results = {path.name for path in results_among([folder / name for name in names])}
    if len(results) == len(names):
        raise ValueError(f"{folder}: nothing but results of `complete` is in this folder")
    if results:
        say_left_out(sorted(results), f"{folder}: ")
    return [name for name in names if name not in results]


def say_left_out(results: Sequence[str | Path], where: str = "") -> None:
    """Warn of results that are not taken for photographs."""
    names = ", ".join(map(str, results[:5])) + (", ..." if len(results) > 5 else "")
    tell(f"{where}{len(results)} left out, made by `complete` and no photographs: {names}")
