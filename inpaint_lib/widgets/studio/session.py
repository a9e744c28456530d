"""The photograph on the table, and where its completion is saved."""

from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ...paths import given_path


@dataclass
class Session:
    """The photograph on the table, and what has been made of it."""

    name: str
    photo: Image.Image
    """As large as it is; the page has a preview."""
    shipped: str = ""
    """Which of the shipped photographs it is, if it is one."""
    path: str = ""
    """What was typed to open it, if it was opened by its path."""
    notes: list[str] = field(default_factory=list)
    """What was said when it was read: frames or transparency that were dropped, and the like."""
    completed: Image.Image | None = None
    saved_as: str = ""
    """The file name that was asked for when `completed` was saved."""
    saved: Path | None = None
    """The file that it was saved to."""

    def describe(self) -> str:
        return f"{self.name}, {self.photo.width} x {self.photo.height} px"

    def replace_completed(self, picture: Image.Image | None) -> None:
        """Another completion, or none: it has yet to be saved."""
        self.completed = picture
        self.saved = None


def free_name(text: str) -> Path:
    """Where to save: the path, a PNG, or with a number behind it if there is such a file.

    An empty text or a folder means completed.png there.
    """
    path = given_path(text.strip() or "completed.png")
    if path.is_dir():
        path /= "completed.png"
    if path.suffix.lower() != ".png":
        path = path.with_name(path.name + ".png")
    free = path
    number = 1
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}_{number}")
    return free.absolute()
