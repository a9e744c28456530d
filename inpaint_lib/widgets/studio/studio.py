"""The completion studio of chapter 5: a photograph, a hole painted by hand, and its completion."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import ipywidgets
from PIL import Image

from ... import figures
from ...checkpoints import load_model
from ...model import PixelRNN
from ...paths import written_whole
from ...photographs import brick_source, tutorial_source
from ...photographs.completion import complete
from ...pictures import read_picture
from ..panel import Panel, Picture, Words
from .canvas import Canvas, Shape, Upload, heading, preview, rasterise
from .surroundings import about, draw, fills, neighbourhood, numbers

# None of them was trained on; the wall is the part that was held out.
SHIPPED = {
    "a cup of coffee": tutorial_source("coffee"),
    "a cat": tutorial_source("chelsea"),
    "an astronaut": tutorial_source("astronaut"),
    "a mountain": tutorial_source("aizkorri.jpg"),
    "a tower": tutorial_source("china.jpg"),
    "a brick wall": brick_source("test"),
}
EXAMPLE: list[Shape] = [  # on the first of them: a crumb beside the saucer, a scratch over the rim
    {"box": [480, 290, 40, 40]},
    {"points": [[150, 120], [250, 60], [330, 110], [420, 60]], "width": 14},
]


def free_name(text: str) -> Path:
    """Where to save: the path, a PNG, or with a number behind it if there is such a file.

    An empty text or a folder means completed.png there.
    """
    path = Path(text.strip() or "completed.png").expanduser()
    if path.is_dir():
        path /= "completed.png"
    if path.suffix.lower() != ".png":
        path = path.with_name(path.name + ".png")
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}_{number}")
    return free.absolute()


def title(words: str) -> ipywidgets.HTML:
    """Of a part that comes after the numbered steps."""
    return ipywidgets.HTML(f'<div class="studio-more">{words}</div>')


class CompletionStudio(Panel):
    """Choose a photograph, paint a hole, see it completed, save it.

    photograph: a path; None: a shipped photograph with a hole in it already.
    """

    def __init__(self, photograph: str | os.PathLike | None = None):
        self.name: str
        self.photo: Image.Image  # as large as it is; the page has a preview
        self.completed: Image.Image | None
        self._path: str  # typed for this photograph, if it came from one
        self._saved: tuple[str, Path] | None  # as asked for, as done
        self._models: dict[str, PixelRNN] = {}
        self._make_knobs()
        self.hint, self.about, self.receipt, self.picture = Words(), Words(), Words(), Picture()
        self.hint.add_class("studio-hint")
        self.about.add_class("studio-about")
        self.upload, self.canvas = Upload(), Canvas()
        self._connect()
        row = ipywidgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="2px 8px")
        super().__init__(
            [
                self.hint,
                ipywidgets.Box(
                    [heading(1, "Choose a photograph"), self.upload, self.shipped], layout=row
                ),
                ipywidgets.Box([self.path, self.open_path], layout=row),
                self.canvas,
                ipywidgets.Box(
                    [heading(4, "Save the result"), self.save_as, self.save, self.receipt],
                    layout=row,
                ),
                title("A closer look, beside other methods"),
                self.picture,
                self.about,
                title("Settings"),
                ipywidgets.Box(
                    [self.weights, self.automatic, self.again, self.biharmonic], layout=row
                ),
            ]
        )
        if photograph is None:
            name = self.shipped.value
            self._present(name, SHIPPED[name].read(), shipped=name)
            self.canvas.shapes = EXAMPLE
            self.hint.say(
                "An example, already completed. Upload a photograph of your own (1), or go on "
                "painting on this one (2)."
            )
        else:
            self._present(str(photograph), read_picture(photograph))

    def _make_knobs(self) -> None:
        wide = {"description_width": "initial"}
        self.shipped = ipywidgets.Dropdown(
            options={"choose ...": ""} | {name: name for name in SHIPPED}, value="a cup of coffee",
            description="or take one of ours:", style=wide, layout={"width": "20em"},
        )  # fmt: skip
        self.path = ipywidgets.Text(
            placeholder="holiday/beach.jpg", description="larger than 8 MB? Type its path:",
            style=wide, continuous_update=False, layout={"width": "38em", "margin": "0 0 0 32px"},
        )  # fmt: skip
        self.open_path = ipywidgets.Button(description="Open", layout={"width": "5em"})
        self.weights = ipywidgets.Dropdown(
            options=["photographs", "bricks"], description="network trained on", style=wide,
            layout={"width": "18em"},
        )  # fmt: skip
        small = {"width": "auto"}
        self.automatic = ipywidgets.Checkbox(
            True, description="complete after every stroke", indent=False, layout=small
        )
        self.again = ipywidgets.Button(
            description="Complete the hole", button_style="primary", layout={"display": "none"}
        )
        self.biharmonic = ipywidgets.Checkbox(
            False, description="compare with biharmonic, too (slow)", indent=False, layout=small
        )
        self.save_as = ipywidgets.Text(
            "completed.png", description="file name", style=wide, layout={"width": "20em"}
        )
        self.save = ipywidgets.Button(
            description="Save as PNG", icon="save", button_style="primary"
        )

    def _connect(self) -> None:
        for sender in (self.upload, self.canvas):
            sender.on_file(self._open_upload, lambda why: self.hint.say(why, error=True))
        self.shipped.observe(self._open_shipped, "value")
        self.path.observe(self._typed_path, "value")
        self.open_path.on_click(self._open_path)
        self.canvas.observe(self._painted, "shapes")
        self.weights.observe(self._complete, "value")
        self.automatic.observe(self._changed_automatic, "value")
        self.again.on_click(self._complete)
        self.biharmonic.observe(self._show_methods, "value")
        self.save.on_click(self._save)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What fails is said in the panel; all else stays as it was."""
        try:
            yield
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            self.hint.say(str(error) or "there is not enough memory for this", error=True)

    def _open_upload(self, name: str, content: bytes) -> None:
        self._open(name, lambda: read_picture(name, content))

    def _open_shipped(self, _: Any) -> None:
        if name := self.shipped.value:
            self._open(name, SHIPPED[name].read, shipped=name)

    def _typed_path(self, _: Any) -> None:
        if self.path.value.strip():
            self._open_path()

    def _open_path(self, _: Any = None) -> None:
        text = self.path.value.strip()
        if not text:
            self.hint.say("Type the path of a photograph first, then press Open.")
        elif text != self._path:  # leaving the field by a click on the button opened it already
            self._open(text, lambda: read_picture(Path(text).expanduser()), path=text)

    def _open(self, name: str, read: Callable[[], Image.Image], **origin: str) -> None:
        with self._told():
            self.hint.say(f"Opening {name} ...")
            self._present(name, read(), **origin)

    def _present(self, name: str, photo: Image.Image, *, shipped: str = "", path: str = "") -> None:
        self.name, self.photo, self._path = name, photo, path
        self.shipped.value, self.path.value = shipped, path
        with self.canvas.hold_sync():
            self.canvas.number += 1
            self.canvas.size, self.canvas.photo = list(photo.size), preview(photo)
            self.canvas.shapes = []
            self._forget()
        self._invite()

    def _invite(self) -> None:
        self.hint.say(
            f"{self.name}, {self.photo.width} x {self.photo.height} px. Now paint over what should "
            "disappear: drag across the photograph on the left (2)."
        )

    def _forget(self, note: str = "Nothing yet: paint on the left.") -> None:
        self.completed, self._saved = None, None
        self.receipt.say("")
        self.canvas.completed, self.canvas.note = b"", note
        self.picture.layout.display = self.about.layout.display = "none"

    def _painted(self, _: Any) -> None:
        number, shapes = self.canvas.number, self.canvas.shapes
        if stale := [s for s in shapes if s.get("number", number) != number]:
            # Painted on the photograph before, while this one was being opened.
            self.canvas.shapes = [s for s in shapes if s not in stale]
        elif self.automatic.value or not self.canvas.shapes:
            self._complete()
        else:
            self._forget("Not yet: press Complete the hole, below.")
            self.hint.say("Paint on, or press Complete the hole, below the photographs.")

    def _changed_automatic(self, _: Any) -> None:
        self.again.layout.display = "none" if self.automatic.value else ""
        if self.automatic.value and self.completed is None:
            self._complete()

    def _complete(self, _: Any = None) -> None:
        hole = rasterise(self.canvas.shapes, self.photo.size)
        if not hole.any():
            self._forget()
            self._invite()
            return
        self.canvas.busy = True
        start = perf_counter()
        completed = None
        try:
            with self._told():
                completed = complete(self._network(), self.photo, hole)
        finally:  # also when the kernel is interrupted
            self.canvas.busy = False
        if completed is None:
            self._forget("Not completed: see the message at the top.")
            return
        self.completed, self._saved = completed, None
        self.receipt.say("the whole picture in full size, without the outline")
        self.canvas.completed = preview(completed)
        self.hint.say(
            f"Completed {hole.sum():,} pixels in {perf_counter() - start:.1f} s. Compare with "
            "before (3), paint on (2), or save the result (4)."
        )
        self._show_methods()

    def _network(self) -> PixelRNN:
        world = self.weights.value
        if world not in self._models:
            self._models[world] = load_model(world)
        return self._models[world]

    def _show_methods(self, _: Any = None) -> None:
        if self.completed is None:
            return
        with self._told():
            size = self.photo.size
            hole = rasterise(self.canvas.shapes, size)
            last = rasterise(self.canvas.shapes[-1:], size)
            near = neighbourhood(self.photo, self.completed, hole, last)
            filled = fills(near, biharmonic=self.biharmonic.value)
            alt = f"The last hole of {self.name} and its fills; {numbers(near, filled)}."
            self.picture.show(figures.show(draw(near, filled), alt=alt, dpi=80))
            self.about.say(about(near))
            self.picture.layout.display = self.about.layout.display = ""

    def _save(self, _: Any) -> None:
        if self.completed is None:
            self.hint.say("There is nothing to save yet: paint a hole first (2).")
            return
        if self._saved is not None and self._saved[0] == self.save_as.value:
            self._confirm(f"Already saved as {self._saved[1]}")
            return
        with self._told():
            path = free_name(self.save_as.value)
            self.hint.say(f"Saving {path} ...")
            with written_whole(path) as part:
                self.completed.save(part, "PNG")
            self._saved = self.save_as.value, path
            width, height = self.completed.size
            self._confirm(f"Saved as {path} ({width} x {height} px).")

    def _confirm(self, text: str) -> None:
        """Where the reader has clicked, too: the hint may have been scrolled away."""
        self.hint.say(text)
        self.receipt.say(f"✓ {text}")
