"""The command line: `inpaint COMMAND --help`, or `python -m inpaint_lib COMMAND --help`."""

import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from tqdm.auto import tqdm

from .doctor import doctor, unless_asked

try:
    import tyro
except ImportError as error:
    raise unless_asked(error) from error

from . import callbacks
from .checkpoints import load_model
from .checks import check_number, in_words
from .masks import PaintedOn
from .paths import World, check_writable, given_path, why_missing, world_folder, written_whole
from .photographs import blind, completion, evaluation, files, fitting, perception, recipes
from .photographs.baselines import PEERS
from .photographs.prepare import ensure_prepared, prepare
from .pictures import PictureWarning, read_picture
from .processes import first_only
from .results import MARK
from .training import Step, TrainConfig, Trainer, run

DEBUG = "--debug"
# RuntimeError is what torch raises, of memory, devices and connections.
ERRORS = (OSError, ValueError, TypeError, FloatingPointError, MemoryError, RuntimeError)


def make_train(defaults: dict[str, Any]) -> Callable[..., None]:
    """The command `train`, whose options have these defaults."""

    def train(
        preset: bool = False,
        large: bool = False,
        data: Path | None = None,
        size: int | None = None,
        val: Path | None = None,
        minutes: float | None = None,
        keep_last: int | None = None,
        tensorboard: bool = False,
        config: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig(**defaults),  # noqa: B008
    ) -> None:
        """Train a network on pairs of pictures, or with --data on a folder of any pictures.

        Several processes: start it with `torchrun`. They share each batch, so their number changes
        nothing but the time. With a batch k times as large, raise --lr by at most sqrt(k), Adam's
        rule (Malladi et al. 2022).

        Args:
            preset: Train the network that learns most in the minutes there are. The options
                below then have its values as defaults.
            large: The preset at full size, for an accelerator.
            data: Train on squares of the pictures in this folder, not of its subfolders, with
                fresh holes. Without --val a tenth, 50 at most, is kept to validate on.
            size: The side of the squares to train on, in pixels; 128 for the plain network.
            val: Validate on this folder: of pairs, as `prepare` makes one, or of any pictures.
            minutes: Begin no epoch that would not end within so many minutes; the same command
                with --resume goes on. --epochs counts those of all sessions together.
            keep_last: Keep so many of the newest model_epoch files, not all; best.pth stays.
            tensorboard: Write the log and the samples for TensorBoard, too, in save_dir.
        """
        config = recipes.on_folders(config, preset or large, data, size, val)
        tell: list[Callable[[Step], str]] = []
        if minutes is not None:
            tell.append(callbacks.TimeLimit(minutes))
        if keep_last is not None:
            tell.append(callbacks.KeepLast(config.save_dir, keep_last))
        if tensorboard:
            tell.append(callbacks.TensorBoard(config.save_dir))
        trainer = Trainer(config)
        if trainer.rank == 0:
            print(f"{trainer.feed.words}.")
        try:
            run(trainer, *tell)
        except (KeyboardInterrupt, FloatingPointError):
            _say_what_is_kept(trainer)
            raise
        _say_what_is_kept(trainer)

    return train


def _say_what_is_kept(trainer: Trainer) -> None:
    """Of a run that is not at its end: how to go on."""
    if trainer.rank or trainer.epoch == trainer.config.epochs:
        return
    if trainer.epoch == 0:
        print("\nNo epoch was completed, so nothing is kept.")
    else:
        without = " in the place of --overwrite" if trainer.config.overwrite else ""
        print(
            f"\nEpoch {trainer.epoch} of {trainer.config.epochs} is kept in "
            f"{trainer.folder.state}: the same command with --resume{without} goes on."
        )


def complete(
    photos: tyro.conf.Positional[tuple[Path, ...]],
    box: tyro.conf.UseAppendAction[tuple[tuple[int, int, int, int], ...]] = (),
    mask: Path | None = None,
    checkpoint: str = "photographs",
    hole: files.HoleColour | None = None,
    painted_on: PaintedOn | None = None,
    fit: float = 0.0,
    sharp: bool = False,
    out: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None,
    overwrite: bool = False,
) -> int:
    """Fill holes of photographs. Each result is a PNG; pixels outside the hole do not change.
    It keeps the photograph's RGB profile and its resolution.

    Several photographs are completed one after the other; one that fails is reported, the
    others are still done, and the exit code is 1. Results of this command are not completed
    again, unless they alone are given.

    Args:
        photos: The photographs: files, folders, patterns with * and ?.
        box: X Y W H in pixels of the upright photograph is hole. May be given several times.
        mask: White is hole. A file, or a folder that holds STEM.png for each photograph.
        checkpoint: A file, or "photographs" or "bricks": the shipped weights of that world.
        hole: What is hole in a mask; a mask that is more than half white needs to say so.
        painted_on: Of a photograph that is turned by EXIF, whether the mask was painted on what
            is shown, or on the pixels as they are stored; needed where its size does not tell.
        fit: Seconds to train a copy of the network on each photograph's known part first; worth
            a minute where structure repeats itself.
        sharp: Put copies of the photograph's known part in the place of what the network
            predicts, which is blurred. For an eraser; the plain network is nearer to the truth.
        out: A file for one photograph; a folder for several, or where it ends in a slash. By
            default STEM_completed.png beside each photograph.
        overwrite: Replace results that are already there.
    """
    if not photos:
        raise ValueError("no photograph was given: complete PHOTO --box X Y W H")
    if not box and mask is None:
        raise ValueError("no hole was given: use --box X Y W H, or --mask FILE")
    if mask is not None and not mask.exists():
        raise FileNotFoundError(f"{mask}: {why_missing(mask)}")
    check_number("fit", fit)
    chosen = files.find_photographs(photos, mask, given_path(out) if out else None)
    several = chosen != list(photos) or len(chosen) > 1
    place = files.result_place(out, several)
    plan: dict[Path, Path] = {}
    for photo in chosen:
        with _told_of(photo, several):
            if not photo.exists():
                raise FileNotFoundError(f"{photo}: {why_missing(photo)}")
            plan[photo] = files.result_file(photo, place, overwrite, plan.values())
    model = load_model(checkpoint) if plan else None
    written: list[Path] = []
    for photo, target in plan.items():
        with _told_of(photo, several):
            assert model is not None
            picture = read_picture(photo)
            hidden = files.boxed(photo, picture, box)
            if mask is not None:
                hidden |= files.painted(
                    files.mask_of(photo, mask), photo, picture, hole, painted_on
                )
            adapted = fitting.fit(model, picture, hidden, fit) if fit and hidden.any() else model
            completed = completion.complete(
                adapted, picture, hidden, sharp=sharp, progress=_show_progress
            )
            files.save_result(completed, target, written)
            written.append(target)
            print(target)
    return int(len(written) < len(chosen))


@contextmanager
def _told_of(photo: Path, several: bool) -> Iterator[None]:
    """An error with a photograph is told, and the others are done all the same."""
    try:
        yield
    except ERRORS as error:
        _tell(error, str(photo) if several else "")


def _show_progress(done: int, of: int) -> None:
    """Written over itself on stderr, where a person looks at it and there is more than one."""
    if of > 1 and sys.stderr.isatty():
        end = "\n" if done == of else "\r"
        print(f"made sharp: {done} of {of} pieces", end=end, file=sys.stderr, flush=True)


def evaluate(
    checkpoint: str | None = None,
    world: World = "photographs",
    split: Literal["test", "val"] = "test",
    photos: tuple[Path, ...] = (),
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
        photos: Folders of photographs to cut crops from instead, with seeded holes.
        seed: Of those holes.
        out: A CSV file to write as well.
        pictures: A PNG file to draw: of each kind of hole the completion that gains least over
            the best other method, the one in the middle, and the one that gains most.
        peers: Measure further methods too, some of which `pip install '.[peers]'` brings; those
            that are missing are named. Takes minutes.
        sharp: Measure `complete --sharp` too, and how fine all of them look. Takes minutes.
    """
    for file in (out, pictures):
        if file is not None:
            check_writable(file)
    ensure_prepared()
    folder = world_folder(world)
    model = load_model(checkpoint or world)
    val = evaluation.read_held_out(folder / "val")
    if photos:
        pairs = evaluation.held_out_from(photos, seed)
    else:
        pairs = evaluation.read_held_out(folder / split)
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
            grid.savefig(partial, format="png", dpi=90, metadata=MARK)


PATHS = tyro.constructors.ConstructorRegistry()


@PATHS.primitive_rule
def _path(info: Any) -> tyro.constructors.PrimitiveConstructorSpec[Path] | None:
    """How a path on the command line is read."""

    def read(words: list[str]) -> Path:
        if not words[0]:
            raise ValueError("an empty path")  # of a shell's variable that is not set
        return given_path(words[0])

    if info.type is not Path:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    )


def _tell(error: Exception, about: str = "") -> None:
    """An error in one line on stderr; behind its traceback if --debug was given."""
    if DEBUG in sys.argv:
        traceback.print_exception(error)
    line = in_words(error)
    about = " ".join(about.split())
    print(f"error: {line if line.startswith(about) else f'{about}: {line}'}", file=sys.stderr)


@contextmanager
def _warnings_in_words() -> Iterator[None]:
    """Warnings for the user, each in one line on stderr; those for developers as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", PictureWarning)
        others: Callable[..., None] = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *more: Any, **named: Any) -> None:
            if issubclass(category, UserWarning):
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
    defaults: dict[str, Any] = recipes.PRESET if "--preset" in sys.argv else {}
    if "--large" in sys.argv and "train" in sys.argv:  # `prepare` knows another --large
        defaults = recipes.LARGE
    commands: dict[str, Callable[..., Any]] = {
        "prepare": first_only(prepare),
        "train": make_train(defaults),
        "evaluate": evaluate,
        "compare": tyro.conf.configure(tyro.conf.PositionalRequiredArgs)(blind.compare),
        "complete": complete,
        "demo": recipes.demo,
        "doctor": doctor,
        "rebuild": tyro.conf.configure(tyro.conf.PositionalRequiredArgs)(recipes.rebuild),
    }
    try:
        with PATHS, _warnings_in_words():
            made: Any = tyro.extras.subcommand_cli_from_dict(
                commands,
                args=[argument for argument in sys.argv[1:] if argument != DEBUG],
                prog="inpaint" if Path(sys.argv[0]).stem == "inpaint" else "python -m inpaint_lib",
                description="Each command explains itself with --help. --debug: tracebacks.",
            )
    except KeyboardInterrupt:
        return 130
    except ERRORS as error:
        _tell(error)
        return 1
    if isinstance(made, dict):  # what `prepare` returns
        for folder, pairs in made.items():
            print(f"{pairs:5d} pairs in {folder}")
        return 0
    return made or 0


if __name__ == "__main__":
    sys.exit(main())
