"""The command line: `python -m inpaint_lib COMMAND --help`."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from .checkpoints import load_model
from .checks import check_number
from .holes import boxes_mask
from .paths import World, default_path, world_folder, written_whole
from .photographs import baselines, blind, completion, evaluation, fitting, perception
from .photographs.baselines import PEERS
from .photographs.prepare import ensure_prepared, prepare
from .photographs.recipes import demo, rebuild
from .pictures import read_mask, read_picture
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
    fit: float = 0.0,
    sharp: bool = False,
    out: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Fill holes of photographs. Each result is a PNG; pixels outside the hole do not change.

    Several photographs are completed one after the other; one that fails is reported, the
    others are still done, and the exit code is 1.

    Args:
        photos: The photographs.
        box: X Y W H in pixels of the upright photograph is hole. May be given several times.
        mask: White is hole. A file, or a folder that holds STEM.png for each photograph.
        checkpoint: A file, or "photographs" or "bricks": the shipped weights of that world.
        fit: Seconds to train a copy of the network on each photograph's known part first; worth
            a minute where structure repeats itself.
        sharp: Put copies of the photograph's known part in the place of what the network
            predicts, which is blurred. For an eraser; the plain network is nearer to the truth.
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
            hole = _hole(photo, (picture.height, picture.width), box, mask)
            adapted = fitting.fit(model, picture, hole, fit) if fit and hole.any() else model
            done = completion.complete(adapted, picture, hole, sharp=sharp, progress=_show_progress)
            with written_whole(target) as partial:
                done.save(partial, format="PNG")
        except (OSError, ValueError) as error:
            _tell(error, str(photo) if len(photos) > 1 else "")
            continue
        targets.add(target)
        print(target)
    return int(len(targets) < len(photos))


def _show_progress(done: int, of: int) -> None:
    """Written over itself on stderr, where a person looks at it and there is more than one."""
    if of > 1 and sys.stderr.isatty():
        end = "\n" if done == of else "\r"
        print(f"made sharp: {done} of {of} pieces", end=end, file=sys.stderr, flush=True)


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


def _hole(
    photo: Path,
    size: tuple[int, int],
    boxes: tuple[tuple[int, int, int, int], ...],
    mask: Path | None,
) -> np.ndarray:
    for left, top, width, height in boxes:
        if min(left, top) < 0 or min(width, height) < 1:
            raise ValueError(f"--box {left} {top} {width} {height}: X, Y >= 0 and W, H >= 1")
        if left + width > size[1] or top + height > size[0]:
            raise ValueError(
                f"--box {left} {top} {width} {height}: reaches beyond {photo}, "
                f"which is {size[1]} x {size[0]} pixels"
            )
    hole = boxes_mask(size, list(boxes))
    if mask is not None:
        file = mask / f"{photo.stem}.png" if mask.is_dir() else mask
        painted = read_mask(file)
        if painted.shape != size:
            raise ValueError(
                f"{file}: is {painted.shape[1]} x {painted.shape[0]} pixels, {photo} is "
                f"{size[1]} x {size[0]}; a mask has the size of its photograph"
            )
        if painted.all():
            raise ValueError(f"{file}: is all hole; paint white only what is to be filled")
        hole |= painted
    return hole


def evaluate(
    checkpoint: str | None = None,
    world: World = "photographs",
    split: Literal["test", "val"] = "test",
    photos: Path | None = None,
    seed: int = 0,
    out: Path | None = None,
    pictures: Path | None = None,
    peers: bool = False,
    sharp: bool = False,
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
        sharp: Measure `complete --sharp` too, and how fine all of them look. Takes minutes.
    """
    ensure_prepared()
    folder = world_folder(world)
    model = load_model(checkpoint or world)
    val = evaluation.read_held_out(folder / "val")
    if photos is None:
        pairs = evaluation.read_held_out(folder / split)
    else:
        pairs = evaluation.held_out_from(photos, seed)
    chosen = evaluation.methods(model, val, peers, sharp)
    scores = evaluation.evaluate(chosen, pairs, looks=sharp)
    print("Means over pictures; * best of its column.\n")
    print(evaluation.table(scores, pairs))
    if sharp:
        looks = {
            name: {bucket: [s.look for s in some if s.look] for bucket, some in by.items()}
            for name, by in scores.items()
        }
        print(f"\n{perception.table(looks)}")
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


def compare(
    folder: tyro.conf.Positional[Path],
    other: str = "PatchMatch",
    pairs: int = 60,
    seed: int = 0,
    split: Literal["test", "val"] = "test",
    photos: Path | None = None,
    checkpoint: str = "photographs",
    answers: Path | None = None,
) -> None:
    """Blind comparison: which of two completions is preferred by one who does not know whose it is?

    Writes sheets of pairs, the sides at random, into FOLDER, and the key beside it. Fill in
    FOLDER/answers.csv, then call it again with --answers: it counts.

    Args:
        folder: Where the sheets are, or will be.
        other: What `complete --sharp` is compared with: "network" (itself, plain), "Telea",
            "Navier-Stokes", or one of the peers of `evaluate --peers` that is installed.
        pairs: How many, of boxes of 24 to 64 px.
        seed: Of the choice of pairs and of their sides.
        split: Of the large set of photographs (`prepare --large`).
        photos: A folder of photographs to cut crops from instead.
        checkpoint: A file; by default the shipped weights.
        answers: The answers; with them it counts, and draws nothing.
    """
    if answers is not None:
        result, preferred = blind.count(folder, "sharp", answers)
        lost = [picture for picture, name in preferred.items() if name == result.other]
        print(f"{result}\nLost: {', '.join(lost) or 'none'}")
        return
    model = load_model(checkpoint)
    if photos is None:
        held_out = evaluation.read_held_out(default_path("dataset", "large", split))
    else:
        held_out = evaluation.held_out_from(photos, seed)
    both = {other: baselines.named(other, model), "sharp": baselines.network(model, sharp=True)}
    sheets, key = blind.write_sheets(folder, blind.choose(held_out, pairs, seed), both, seed)
    print(f"{len(sheets)} sheets in {folder}; look at them, write A, B or = into")
    print(f"{folder / 'answers.csv'}, then: compare {folder} --answers {folder / 'answers.csv'}")
    print(f"The key is {key}; do not open it before.")


def _tell(error: Exception, about: str = "") -> None:
    """An error in one line on stderr; behind its traceback if --debug was given."""
    if DEBUG in sys.argv:
        traceback.print_exception(error)
    line = " ".join(str(error).split())
    about = " ".join(about.split())
    print(f"error: {line if line.startswith(about) else f'{about}: {line}'}", file=sys.stderr)


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
        "compare": compare,
        "complete": complete,
        "demo": demo,
        "rebuild": tyro.conf.configure(tyro.conf.PositionalRequiredArgs)(rebuild),
    }
    try:
        made: Any = tyro.extras.subcommand_cli_from_dict(
            commands,
            args=[argument for argument in sys.argv[1:] if argument != DEBUG],
            prog="python -m inpaint_lib",
            description="Every command explains itself with --help. --debug: tracebacks of errors.",
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
