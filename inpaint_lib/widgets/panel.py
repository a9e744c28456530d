"""What all widgets are made of: a column of controls and pictures, and a still of it."""

from collections.abc import Sequence
from html import escape
from inspect import getdoc
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets

from ..figures import Figure


class Picture(ipywidgets.HTML):
    """A figure with its alternative text, which `ipywidgets.Image` does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.figure: Figure | None = None

    def show(self, figure: Figure) -> None:
        """Replace what is shown."""
        self.figure = figure
        self.value = figure.html()


class Words(ipywidgets.HTML):
    """A line of text for the reader: what happened, or what went wrong and what to do."""

    def say(self, text: str, *, error: bool = False) -> None:
        colour = "var(--jp-error-color1, #b00020)" if error else "inherit"
        role = "alert" if error else "status"
        self.value = f'<span role="{role}" style="color:{colour}">{escape(text)}</span>'


class _SliderNames(anywidget.AnyWidget):
    """Names the sliders beside it for assistive technology; nothing of it is seen."""

    _esm = Path(__file__).parent / "slider_names.js"


class Panel(ipywidgets.VBox):
    """A widget of the tutorial: set `picture` and give the rows in the constructor.

    Its output holds `picture` as an image, too, so that a page without a kernel (GitHub, nbviewer,
    a notebook that was just opened) shows that and not an error.
    """

    picture: Picture

    def __init__(self, rows: Sequence[ipywidgets.Widget]) -> None:
        super().__init__([*rows, _SliderNames()])

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        # The same whatever is shown: saved outputs are compared with new ones.
        bundle["text/plain"] = (getdoc(type(self)) or "").partition("\n")[0]
        if self.picture.figure is not None:  # else there is nothing to show yet
            bundle["text/html"] = self.picture.figure.html(small=True)
        return bundle
