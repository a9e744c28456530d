"""Paths: what a person means by one, where the project's own files are, replacing a file whole."""

import errno
import os
import re
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.request import url2pathname
from zlib import crc32

import filelock

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


QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "\u2018": "\u2019", "„": "“", "«": "»"}


def given_path(path: str | os.PathLike[str]) -> Path:
    """The path that a person means: `~` is the home folder; quotes and `file://` around it go.

    What is there as it stands is taken as it stands, whatever its name. An accent may be written
    as one character or as two (macOS does that): the name on disk is found.
    """
    text = os.path.expanduser(os.fspath(path))
    if os.path.lexists(text):
        return Path(text)
    text = text.strip()
    while len(text) > 1 and QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    if text.lower().startswith("file:/"):  # a Path of it has lost slashes
        text = url2pathname("/" + text[5:].lstrip("/").removeprefix("localhost/"))
    return _as_on_disk(Path(os.path.expanduser(text)))


def _as_on_disk(path: Path) -> Path:
    """The path, each part in the Unicode normalisation in which it is on disk, if it is there."""
    found = Path(path.anchor)
    for part in path.parts[bool(path.anchor) :]:
        if not part.isascii() and not os.path.lexists(found / part):
            part = next((name for name in _names(found) if _nfc(name) == _nfc(part)), part)
        found /= part
    return found


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _names(folder: Path) -> list[str]:
    """What is in a folder; nothing if it cannot be looked into."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def alike(name: str) -> str:
    """Names of which this is the same differ by case, accents' spelling or blanks alone."""
    return unicodedata.normalize("NFKC", name).casefold().strip(" .")


def matching(names: Iterable[str], there: Iterable[str]) -> dict[str, str]:
    """Each name and the one of `there` that is meant: the same, else the only one alike.

    Names without one are left out.
    """
    exact = set(there)
    by_look: dict[str, list[str]] = {}
    for name in exact:
        by_look.setdefault(alike(name), []).append(name)
    found = {}
    for name in names:
        same = [name] if name in exact else by_look.get(alike(name), [])
        if len(same) == 1:
            found[name] = same[0]
    return found


def why_missing(path: str | os.PathLike[str]) -> str:
    """Why there is no file of that name, as far as that can be seen."""
    path = Path(path)
    if re.match(r"(https?|ftp):/", os.fspath(path)):
        return "a web address; download the picture, and give the file's name"
    if not os.path.lexists(path.parent):
        return f"no such file; there is no folder {path.parent}"
    names = _names(path.parent)
    if f".{path.name}.icloud" in names:
        return "is still in iCloud; open it once, so that it is downloaded"
    near = [name for name in names if alike(name) == alike(path.name) and name != path.name]
    near = near or [n for n in names if alike(Path(n).stem) == alike(path.stem) and n != path.name]
    if near:
        return f"no such file; there is {', '.join(near[:3])}"
    return "no such file"


# What to do about a file that cannot be written, by the system's error.
NOT_YOURS = "you may not write there; choose another place"
REMEDIES = {
    errno.ENOENT: "make its folder first, or choose another place",
    errno.ENOTDIR: "a part of its path is a file; choose another place",
    errno.EISDIR: "a folder has this name; choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EACCES: NOT_YOURS,
    errno.EPERM: NOT_YOURS,
    errno.EROFS: NOT_YOURS,
}


def not_written(path: Path, error: Exception, what: str = "could not be written") -> OSError:
    """An error in writing a file or a folder, with its name and what to do about it."""
    number, reason = (error.errno, error.strerror) if isinstance(error, OSError) else (None, None)
    remedy = REMEDIES.get(number or 0, "free some space, or choose another place")
    return OSError(f"{path}: {what} ({reason or error}); {remedy}")


def _partial(path: Path) -> Path:
    """The name beside `path` that it is written to first, which is no longer than names may be."""
    name = path.name
    if len(os.fsencode(name)) > 200:
        name = f"{name[:40]}.{crc32(os.fsencode(name)):08x}"
    return path.with_name(f"{name}.partial")


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a name beside `path` to write to; the finished file then takes `path`'s place.

    A reader sees the old file or the new one, never a part; a crash or a full disk leaves
    the old one. The temporary name is fixed, so an interrupted write leaves one file at
    most, and the next one replaces it. Raises OSError, with a remedy, when it cannot be written.
    """
    path = given_path(path)
    partial = _partial(path)
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())  # the rename must not reach the disk before the bytes do
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch.save tells of a full disk by RuntimeError
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def check_writable(path: Path) -> None:
    """Raises OSError, with a remedy, unless a file can be written there: ask before long work."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with suppress(FileNotFoundError):
            path.stat()  # its name may be too long
        _partial(path).touch()
        _partial(path).unlink(missing_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def writable_folder(path: str | os.PathLike[str]) -> Path:
    """A folder to write to, made where it is missing. Raises OSError, with a remedy."""
    path = given_path(path)
    probe = path / ".writable"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink(missing_ok=True)  # another process may have been quicker
    except OSError as error:
        if isinstance(error, FileExistsError):
            error = NotADirectoryError(errno.ENOTDIR, "it is a file")
        raise not_written(path, error, "cannot be written to") from error
    return path


@contextmanager
def locked(file: Path, seconds: float) -> Iterator[None]:
    """Hold a lock, which the system frees when the process ends, however it ends.

    On a file system without locks (Lustre, some network and FUSE mounts) a warning says so, and
    none is held. Raises `filelock.Timeout` after so many seconds, OSError where the file cannot be
    written.
    """
    try:
        file.touch()
        there = _has_locks(file)
    except OSError as error:
        raise not_written(file, error) from error
    lock = filelock.FileLock(file, timeout=seconds)
    if there:
        lock.acquire()
    else:
        warnings.warn(
            f"{file.parent}: this file system has no locks, so that nothing keeps two programs "
            "from writing there at the same time",
            stacklevel=3,
        )
    try:
        yield
    finally:
        lock.release()


def _has_locks(file: Path) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    with open(file, "rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # another holds it
            return True
        except OSError:
            return False
    return True
