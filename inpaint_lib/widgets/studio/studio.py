"""The completion studio of chapter 6: a photograph, a hole painted by hand, and its completion."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from time import perf_counter
from typing import Any

from PIL import Image

from ...checkpoints import load_model
from ...paths import given_path, written_whole
from ...photographs.completion import complete
from ...pictures import PictureWarning, read_picture
from ...results import save_png
from .canvas import Shape, painted, preview, rasterise
from .layout import SHIPPED_PHOTOGRAPHS, StudioLayout
from .session import Session, free_name
from .surroundings import caption, draw_fills, fills, neighbourhood

EXAMPLE: list[Shape] = [  # on the first of ours: a crumb beside the saucer, a scratch over the rim
    {"box": [480, 290, 40, 40]},
    {"points": [[150, 120], [250, 60], [330, 110], [420, 60]], "width": 14},
]


class CompletionStudio(StudioLayout):
    """Choose a photograph, paint a hole, see it completed, save it.

    photograph: a path; None: a shipped photograph with a hole in it already.
    """

    session: Session

    def __init__(self, photograph: str | os.PathLike[str] | None = None):
        super().__init__()
        # A hole takes less than a second, and comes out the same wherever it is completed.
        self._network = cache(partial(load_model, device="cpu"))
        self._connect()
        if photograph is not None:
            self._present(Session(str(photograph), read_picture(given_path(photograph))))
            return
        name = self.shipped.value
        self._present(Session(name, SHIPPED_PHOTOGRAPHS[name].read(), shipped=name))
        self.canvas.shapes = EXAMPLE
        self.hint.say(
            "An example, already completed. Upload a photograph of your own (1), or go on "
            "painting on this one (2)."
        )

    @property
    def photo(self) -> Image.Image:
        """The photograph on the table, as large as it is."""
        return self.session.photo

    @property
    def completed(self) -> Image.Image | None:
        """The photograph with its hole completed, as large as it is; None as long as it is not."""
        return self.session.completed

    def _connect(self) -> None:
        for sender in (self.upload, self.canvas):
            sender.on_file(self._open_upload, lambda why: self.hint.say(why, error=True))
        self.shipped.observe(self._open_shipped, "value")
        self.path.observe(self._typed_path, "value")
        self.open_path.on_click(self._open_path)
        self.canvas.observe(self._painted, "shapes")
        self.weights.observe(self._complete, "value")
        self.sharp.observe(self._complete, "value")
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
        self._open(name, lambda: Session(name, read_picture(name, content)))

    def _open_shipped(self, _: Any) -> None:
        if name := self.shipped.value:
            source = SHIPPED_PHOTOGRAPHS[name]
            self._open(name, lambda: Session(name, source.read(), shipped=name))

    def _typed_path(self, _: Any) -> None:
        if self.path.value.strip():
            self._open_path()

    def _open_path(self, _: Any = None) -> None:
        text = self.path.value.strip()
        if not text:
            self.hint.say("Type the path of a photograph first, then press Open.")
        elif text != self.session.path:  # else leaving the field, by this click, has opened it

            def read() -> Session:
                return Session(text, read_picture(given_path(text)), path=text)

            self._open(text, read)

    def _open(self, name: str, read: Callable[[], Session]) -> None:
        with self._told():
            self.hint.say(f"Opening {name} ...")
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always", PictureWarning)
                session = read()
            session.notes = [str(w.message) for w in said if w.category is PictureWarning]
            self._present(session)

    def _present(self, session: Session) -> None:
        """Put another photograph on the table."""
        self.session = session
        self.shipped.value = session.shipped
        self.path.value = session.path
        with self.canvas.hold_sync():
            self.canvas.number += 1
            self.canvas.size = list(session.photo.size)
            self.canvas.photo = preview(session.photo)
            self.canvas.shapes = []
            self._forget()
        self._invite()

    def _invite(self) -> None:
        said = ". ".join([self.session.describe(), *self.session.notes])
        self.hint.say(
            f"{said}. Now paint over what should disappear: drag across the photograph on the "
            "left (2)."
        )

    def _forget(self, note: str = "Nothing yet: paint on the left.") -> None:
        """Show no completed photograph, and why there is none."""
        self.session.replace_completed(None)
        self.receipt.say("")
        self.canvas.completed = b""
        self.canvas.note = note
        self.picture.layout.display = self.about.layout.display = "none"

    def _painted(self, _: Any) -> None:
        number = self.canvas.number
        shapes = self.canvas.shapes
        if stale := [s for s in shapes if s.get("number", number) != number]:
            # Painted on the photograph before, while this one was being opened.
            self.canvas.shapes = [s for s in shapes if s not in stale]
        elif self.automatic.value or not painted(shapes):
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
                network = self._network(self.weights.value)
                if self.sharp.value:  # something to see at once
                    self.canvas.completed = preview(complete(network, self.photo, hole))
                completed = complete(
                    network,
                    self.photo,
                    hole,
                    sharp=self.sharp.value,
                    progress=self._show_progress,
                )
        finally:  # also when the kernel is interrupted
            self.canvas.busy = False
        if completed is None:
            self._forget("Not completed: see the message at the top.")
            return
        self.session.replace_completed(completed)
        self.receipt.say("the whole picture in full size, without the outline")
        self.canvas.completed = preview(completed)
        self.hint.say(
            f"Completed {hole.sum():,} pixels in {perf_counter() - start:.1f} s. Compare with "
            "before (3), paint on (2), or save the result (4)."
        )
        self._show_methods()

    def _show_progress(self, done: int, of: int) -> None:
        if of > 1:
            self.hint.say(f"Made sharp: {done} of {of} pieces ...")

    def _show_methods(self, _: Any = None) -> None:
        if self.completed is None:
            return
        with self._told():
            size = self.photo.size
            hole = rasterise(self.canvas.shapes, size)
            last = rasterise(self.canvas.shapes[-1:], size)
            near = neighbourhood(self.photo, self.completed, hole, last)
            ours = "sharp" if self.sharp.value else "network"
            filled = fills(near, ours, biharmonic=self.biharmonic.value)
            self.picture.show(draw_fills(near, filled, self.session.name))
            self.about.say(caption(near))
            self.picture.layout.display = self.about.layout.display = ""

    def _save(self, _: Any) -> None:
        session = self.session
        asked = self.save_as.value
        if session.completed is None:
            self.hint.say("There is nothing to save yet: paint a hole first (2).")
            return
        if session.saved is not None and session.saved_as == asked:
            self._confirm(f"Already saved as {session.saved}")
            return
        with self._told():
            path = free_name(asked)
            self.hint.say(f"Saving {path} ...")
            with written_whole(path) as part:
                save_png(session.completed, part)
            session.saved_as = asked
            session.saved = path
            width, height = session.completed.size
            self._confirm(f"Saved as {path} ({width} x {height} px).")

    def _confirm(self, text: str) -> None:
        """Say it beside the button as well; the hint may be out of sight."""
        self.hint.say(text)
        self.receipt.say(f"✓ {text}")
