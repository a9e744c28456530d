"""The folder that a run writes to: its files, its log, and one writer at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import filelock

from .paths import written_whole

FILES = ("state.pth", "training_log.txt", "model_epoch*.pth", "samples/sample_epoch*.png")
COLUMNS = ("epoch", "LR", "L1", "SSIM", "total loss")
VAL_COLUMNS = ("val L1", "val SSIM", "val total loss", "val hole PSNR [dB]")


class RunFolder:
    """Makes the folder. Raises OSError, saying so, when it cannot be written to."""

    def __init__(self, path: Path):
        self.path, self.state = path, path / "state.pth"
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / ".lock").touch()
        except OSError as error:
            raise OSError(
                f"{path}: cannot be written to ({error}); choose another save_dir"
            ) from error
        self.found = self.files()

    def files(self) -> dict[Path, int]:
        """The files of a run that are there now, and when each was written."""
        paths = [path for pattern in FILES for path in self.path.glob(pattern)]
        return {path: path.stat().st_mtime_ns for path in paths}

    def refuse(self, resume: bool) -> None:
        """Raises FileExistsError for another run's files, unless there is a state to resume."""
        exists = self.state.is_file()
        if self.found and not (resume and exists):
            raise FileExistsError(
                f"{self.path}: holds another run; "
                + ("continue it with resume=True (--resume), " if exists else "")
                + "replace it with overwrite=True (--overwrite), or choose another save_dir"
            )

    @contextmanager
    def sole_writer(self) -> Iterator[None]:
        """Raises BlockingIOError while another process writes here, FileExistsError if one has.

        The system frees the lock when the process ends, however it ends.
        """
        lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise BlockingIOError(
                f"{self.path}: another process is training in this folder; wait for it, "
                "or choose another save_dir"
            ) from None
        try:
            if self.files() != self.found:
                raise FileExistsError(
                    f"{self.path}: another run has written here since; make a new Trainer"
                )
            yield
        finally:
            lock.release()

    def clear(self) -> None:
        """Remove the run that was found, and nothing else."""
        for path in self.found:
            path.unlink()

    def write_log(self, history: Sequence[Mapping[str, float]]) -> None:
        """`training_log.txt`: tab-separated, a header, a line an epoch."""
        lines = ["\t".join(COLUMNS + VAL_COLUMNS)]
        for log in history:
            cells = [f"{log['epoch']:.0f}", f"{log['LR']:.4g}"]
            cells += [f"{log[c]:.6f}" if c in log else "" for c in COLUMNS[2:] + VAL_COLUMNS]
            lines.append("\t".join(cells))
        with written_whole(self.path / "training_log.txt") as partial:
            partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
