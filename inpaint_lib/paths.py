"""Where the project's own files are, and how a file is replaced without ever being half there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

World = Literal["photographs", "bricks"]
Split = Literal["train", "val", "test"]


def default_path(*parts: str) -> Path:
    """A path inside the repository, wherever Python was started.

    Only defaults go through here: a relative path that a user types means the working
    directory, as everywhere. Outside a checkout (a package installed without its
    repository) the working directory takes the repository's place: pairs and runs are made
    there, and what comes with the project is found by `shipped_path`.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / "pyproject.toml").is_file():
        root = Path.cwd()
    return root.joinpath(*parts)


def shipped_path(*parts: str) -> Path:
    """A file that comes with the project: in the installed package, else in the repository.

    The package carries checkpoints/*.pth and dataset/photos/*.jpg under these names.
    """
    within = Path(__file__).resolve().parent.joinpath("shipped", *parts)
    return within if within.exists() else default_path(*parts)


def world_folder(world: World, root: Path | None = None) -> Path:
    """Where the pairs of a world are: dataset/ itself for photographs, dataset/bricks."""
    root = root or default_path("dataset")
    return root if world == "photographs" else root / world


class PairFolders(NamedTuple):
    """The folders of prepared pairs."""

    occluded: Path
    original: Path
    mask: Path


def pair_folders(folder: Path) -> PairFolders:
    """The folders that `prepare` writes: `occluded_images`, `original_images`, `masks`."""
    return PairFolders(folder / "occluded_images", folder / "original_images", folder / "masks")


def shipped_weights(world: World) -> Path:
    """The file of the weights that come with the project."""
    return shipped_path("checkpoints", f"{world}.pth")


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a name beside `path` to write to; the finished file then takes `path`'s place.

    A reader sees the old file or the new one, never a part; a crash or a full disk leaves
    the old one. The temporary name is fixed, so an interrupted write leaves one file at
    most, and the next one replaces it. Raises OSError when it cannot be written.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())  # the rename must not reach the disk before the bytes do
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch.save tells of a full disk by RuntimeError
        raise OSError(
            f"{path}: could not be written ({error}); what was there before is untouched: "
            "free some space, or choose another place"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
