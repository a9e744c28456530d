"""The command line: `python -m inpaint_lib COMMAND --help`."""

import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from PIL import Image
from tqdm.auto import tqdm

from .checkpoints import load_model
from .checks import check_number
from .holes import boxes_mask
from .masks import PaintedOn, read_mask
from .paths import World, world_folder, written_whole
from .photographs import completion, evaluation, fitting
from .photographs.baselines import PEERS
from .photographs.prepare import ensure_prepared, prepare
from .photographs.recipes import demo, rebuild
from .pictures import PictureWarning, read_picture, save_png, tell
from .training import TrainConfig, Trainer, run

DEBUG = "--debug"


def train(config: Annotated[TrainConfig, tyro.conf.arg(name="")]) -> None:
    """Train a network on pairs of pictures. Several processes: start it with `torchrun`."""
    trainer = Trainer(config)
    try:
        run(trainer)
    except KeyboardInterrupt:
        if trainer.epoch:
            print(f"\nEpoch {trainer.epoch} is kept in {trainer.folder.state}: --resume goes on.")
        raise


def complete(
    photos: tyro.conf.Positional[tuple[Path, ...]],
    box: tyro.conf.UseAppendAction[tuple[tuple[int, int, int, int], ...]] = (),
    mask: Path | None = None,
    checkpoint: str = "photographs",
    hole: Literal["white", "black"] | None = None,
    painted_on: PaintedOn | None = None,
    fit: float = 0.0,
    out: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Fill holes of photographs. Each result is a PNG; pixels outside the hole do not change.
    It keeps the photograph's RGB profile and its resolution.

    Several photographs are completed one after the other; one that fails is reported, the
    others are still done, and the exit code is 1.

    Args:
        photos: The photographs.
        box: X Y W H in pixels of the upright photograph is hole. May be given several times.
        mask: White is hole. A file, or a folder that holds STEM.png for each photograph.
        checkpoint: A file, or "photographs" or "bricks": the shipped weights of that world.
        hole: What is hole in a mask; a mask that is more than half white needs to say so.
        painted_on: Of a photograph that is turned by EXIF, whether the mask was painted on what
            is shown, or on the pixels as they are stored; needed where its size does not tell.
        fit: Seconds to train a copy of the network on each photograph's known part first; worth
            a minute where structure repeats itself.
        out: A file for one photograph, a folder for several. By default STEM_completed.png
            beside each photograph.
        overwrite: Replace results that are already there.
    """
    if not photos:
        raise ValueError("no photograph was given: complete PHOTO --box X Y W H")
    if not box and mask is None:
        raise ValueError("no hole was given: use --box X Y W H, or --mask FILE")
    if out is not None and len(photos) > 1 and out.suffix:
        raise ValueError(f"{out}: several photographs need a folder; give --out a folder's name")
    check_number("fit", fit)
    model = load_model(checkpoint)
    targets = set[Path]()
    for photo in photos:
        try:
            picture = read_picture(photo)
            target = _target(photo, out, len(photos) > 1, overwrite)
            if target in targets:
                raise FileExistsError(f"{target}: is the result of another of these photographs")
            size = (picture.height, picture.width)
            hidden = _boxes(photo, size, box)
            if mask is not None:
                file = mask / f"{photo.stem}.png" if mask.is_dir() else mask
                hidden |= _painted(file, photo, picture, hole, painted_on)
            adapted = fitting.fit(model, picture, hidden, fit) if fit and hidden.any() else model
            done = completion.complete(adapted, picture, hidden)
            with written_whole(target) as partial:
                save_png(done, partial)
        except (OSError, ValueError) as error:
            _tell(error, str(photo) if len(photos) > 1 else "")
            continue
        targets.add(target)
        print(target)
    return int(len(targets) < len(photos))


def _target(photo: Path, out: Path | None, several: bool, overwrite: bool) -> Path:
    name = f"{photo.stem}_completed.png"
    if out is None:
        target = photo.with_name(name)
    elif several or out.is_dir():
        out.mkdir(parents=True, exist_ok=True)
        target = out / name
    else:
        target = out
    if target.suffix.lower() != ".png":
        raise ValueError(
            f"{target}: results are PNG files, which keep every pixel; name it {target.stem}.png"
        )
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target}: is already there; use --overwrite or another --out")
    return target


def _boxes(
    photo: Path, size: tuple[int, int], boxes: tuple[tuple[int, int, int, int], ...]
) -> np.ndarray:
    for left, top, width, height in boxes:
        if min(left, top) < 0 or min(width, height) < 1:
            raise ValueError(f"--box {left} {top} {width} {height}: X, Y >= 0 and W, H >= 1")
        if left + width > size[1] or top + height > size[0]:
            raise ValueError(
                f"--box {left} {top} {width} {height}: reaches beyond {photo}, "
                f"which is {size[1]} x {size[0]} pixels"
            )
    return boxes_mask(size, list(boxes))


def _painted(
    file: Path,
    photo: Path,
    picture: Image.Image,
    hole: Literal["white", "black"] | None,
    painted_on: PaintedOn | None,
) -> np.ndarray:
    painted = read_mask(file, picture, painted_on)
    if painted.shape != (picture.height, picture.width):
        raise ValueError(
            f"{file}: is {painted.shape[1]} x {painted.shape[0]} pixels, {photo} is "
            f"{picture.width} x {picture.height}; a mask has the size of its photograph"
        )
    if hole == "black":
        painted = ~painted
    if painted.all():
        raise ValueError(f"{file}: is all hole; paint white only what is to be filled")
    if hole is None and painted.mean() > 0.5:
        raise ValueError(
            f"{file}: {painted.mean():.0%} of it is white, and white is hole; say --hole black if "
            "what is black is to be filled, --hole white if it is meant as it is"
        )
    if not painted.any():
        tell(f"{file}: has no hole, so nothing is filled; white is hole")
    return painted


def evaluate(
    checkpoint: str | None = None,
    world: World = "photographs",
    split: Literal["test", "val"] = "test",
    photos: Path | None = None,
    seed: int = 0,
    out: Path | None = None,
    pictures: Path | None = None,
    peers: bool = False,
) -> None:
    """The table: holes of four kinds, filled by the network and by what one would pick instead.

    Telea's and Navier-Stokes' radius is the one that is best on val. `test` is for the record:
    whatever you choose, choose it with `--split val`.

    Args:
        checkpoint: A file; by default the shipped weights of `world`.
        world: Whose pairs to measure on, and whose val chooses the radii.
        split: Which of its held-out pairs.
        photos: A folder of photographs to cut crops from instead, with seeded holes.
        seed: Of those holes.
        out: A CSV file to write as well.
        pictures: A PNG file to draw: of each kind of hole the completion that gains least over
            the best other method, the one in the middle, and the one that gains most.
        peers: Measure further methods too, some of which `pip install '.[peers]'` brings; those
            that are missing are named. Takes minutes.
    """
    ensure_prepared()
    folder = world_folder(world)
    model = load_model(checkpoint or world)
    val = evaluation.read_held_out(folder / "val")
    if photos is None:
        pairs = evaluation.read_held_out(folder / split)
    else:
        pairs = evaluation.held_out_from(photos, seed)
    chosen = evaluation.methods(model, val, peers)
    scores = evaluation.evaluate(chosen, pairs)
    print("Means over pictures; * best of its column.\n")
    print(evaluation.table(scores, pairs))
    missing = [f"{n} ({peer.package})" for n, peer in PEERS.items() if peers and n not in chosen]
    if missing:
        print(f"Not measured, for their packages are missing: {', '.join(missing)}.")
    if out is not None:
        evaluation.write_csv(scores, pairs, out)
    if pictures is not None:
        from .figures import sample_grid

        grid = sample_grid(*evaluation.examples(chosen, scores, pairs))
        with written_whole(pictures) as partial:
            grid.savefig(partial, format="png", dpi=90)


def _tell(error: Exception, about: str = "") -> None:
    """An error in one line on stderr; behind its traceback if --debug was given."""
    if DEBUG in sys.argv:
        traceback.print_exception(error)
    line = " ".join(str(error).split())
    about = " ".join(about.split())
    print(f"error: {line if line.startswith(about) else f'{about}: {line}'}", file=sys.stderr)


@contextmanager
def _warnings_in_words() -> Iterator[None]:
    """What is said of pictures, each in one line on stderr and once; other warnings as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", PictureWarning)
        others: Callable[..., None] = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *more: Any, **named: Any) -> None:
            if issubclass(category, PictureWarning):
                line = " ".join(str(message).split())
                tqdm.write(f"warning: {line}", file=sys.stderr)  # above a bar, if there is one
            else:
                others(message, category, *more, **named)

        warnings.showwarning = show
        yield


def main() -> int:
    """Run a command. Exit code 0: done; 1: an error, told in one line; 2: not understood; 130:
    interrupted. `--debug` anywhere shows the traceback of an error.
    """
    for stream in (sys.stdout, sys.stderr):  # a name that the locale cannot show must not stop us
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    commands: dict[str, Callable[..., Any]] = {
        "prepare": prepare,
        "train": train,
        "evaluate": evaluate,
        "complete": complete,
        "demo": demo,
        "rebuild": tyro.conf.configure(tyro.conf.PositionalRequiredArgs)(rebuild),
    }
    try:
        with _warnings_in_words():
            made: Any = tyro.extras.subcommand_cli_from_dict(
                commands,
                args=[argument for argument in sys.argv[1:] if argument != DEBUG],
                prog="python -m inpaint_lib",
                description="Each command explains itself with --help. --debug: tracebacks.",
            )
    except KeyboardInterrupt:
        return 130
    except (OSError, ValueError, TypeError, FloatingPointError) as error:
        _tell(error)
        return 1
    if isinstance(made, dict):  # what `prepare` returns
        for folder, pairs in made.items():
            print(f"{pairs:5d} pairs in {folder}")
        return 0
    return made or 0


if __name__ == "__main__":
    sys.exit(main())
