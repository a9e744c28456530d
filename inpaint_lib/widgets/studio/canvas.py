"""The part of the completion studio that lives in the page, and the shapes it sends to Python."""

from collections.abc import Callable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import numpy as np
from PIL import Image, ImageDraw
from traitlets import Bool, Bytes, Int, List, Unicode

HERE = Path(__file__).parent
UPLOAD_LIMIT = 8_000_000  # bytes; a message of 10 MB costs the connection to the kernel
PREVIEW = 640  # the longest side of what travels to the page, in pixels

# In pixels of the photograph: {"box": [left, top, width, height]}, or {"points": [[x, y], ...],
# "width": a brush's diameter}, or {"clear": True}, which removes all before it. The page adds the
# "number" of the photograph.
Shape = dict[str, Any]


def painted(shapes: Sequence[Shape]) -> list[Shape]:
    """The shapes since the hole was last cleared."""
    cleared = [i for i, shape in enumerate(shapes) if "clear" in shape]
    return list(shapes[cleared[-1] + 1 :] if cleared else shapes)


def rasterise(shapes: Sequence[Shape], size: tuple[int, int]) -> np.ndarray:
    """Shapes on a photograph of `size` (width, height), as a hole (height, width) bool."""
    canvas = Image.new("L", size)
    draw = ImageDraw.Draw(canvas)
    for shape in painted(shapes):
        if "box" in shape:
            left, top, width, height = shape["box"]
            if min(width, height) >= 1:
                draw.rectangle([left, top, left + width - 1, top + height - 1], fill=255)
        else:
            radius = (shape["width"] - 1) / 2
            points = [(x, y) for x, y in shape["points"]]
            draw.line(points, fill=255, width=shape["width"], joint="curve")
            for x, y in points:  # round ends and joints, as in the page
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return np.asarray(canvas) > 0


def preview(picture: Image.Image) -> bytes:
    """A JPEG of at most PREVIEW pixels a side: quick to make and to send, however large it is."""
    factor = PREVIEW / max(picture.size)
    if factor < 1:
        width, height = (max(1, round(side * factor)) for side in picture.size)
        picture = picture.resize((width, height), reducing_gap=2.0)
    file = BytesIO()
    profile = picture.info.get("icc_profile")  # by which the page shows its colours
    picture.save(file, "JPEG", quality=92, subsampling=0, icc_profile=profile)
    return file.getvalue()


def heading(number: int, words: str) -> ipywidgets.HTML:
    """A numbered heading, as those that the page makes."""
    return ipywidgets.HTML(f'<div class="studio-step"><b>{number}</b>{escape(words)}</div>')


class _Page(anywidget.AnyWidget):
    """What lives in the page and can send a photograph of the reader's computer to Python.

    A file above `limit` bytes is not sent: the page says so instead.
    """

    _esm = HERE / "canvas.js"
    _css = HERE / "canvas.css"
    part = Unicode().tag(sync=True)  # which of canvas.js
    limit = Int(UPLOAD_LIMIT).tag(sync=True)

    def on_file(self, opened: Callable[[str, bytes], None], refused: Callable[[str], None]) -> None:
        """Call `opened(name, content)` for a file that came, `refused(why)` for another."""

        def received(_: Any, content: dict[str, str], buffers: list[memoryview]) -> None:
            if "problem" in content:
                refused(f"{content['name']} {content['problem']}")
            elif buffers:
                opened(content["name"], bytes(buffers[0]))

        self.on_msg(received)


class Upload(_Page):
    """A button to choose a file with."""

    part = Unicode("upload").tag(sync=True)


class Canvas(_Page):
    """A photograph to paint a hole on, and beside it the photograph before and after.

    A file can be dropped on it.
    """

    part = Unicode("canvas").tag(sync=True)
    # To the page: the photograph, its completion, and what stands where there is none.
    number = Int(0).tag(sync=True)  # counts photographs; a shape may name the one it is for
    size = List(Int(), [1, 1]).tag(sync=True)  # of the photograph: width, height
    photo = Bytes().tag(sync=True)  # a preview
    completed = Bytes().tag(sync=True)  # a preview; empty when there is none
    note = Unicode().tag(sync=True)
    busy = Bool(False).tag(sync=True)
    # From the page, and back to it: the hole, with all that can be undone.
    shapes: List[Shape] = List().tag(sync=True)
    # Of the page alone, here so that all its views agree: how it is painted and compared.
    tool = Unicode("brush").tag(sync=True)  # or "box"
    width = Int(0).tag(sync=True)  # the brush's diameter, in pixels of the photograph; 0: not set
    share = Int(0).tag(sync=True)  # of the comparison, in %, that shows the photograph before
    outlined = Bool(False).tag(sync=True)
