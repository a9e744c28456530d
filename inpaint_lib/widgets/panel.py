"""What all widgets are made of: a column of controls and pictures, and a still of it."""

from base64 import b64encode
from html import escape
from inspect import getdoc
from typing import Any

import ipywidgets
from IPython.display import Image


class Picture(ipywidgets.HTML):
    """A PNG with an alternative text, which `ipywidgets.Image` does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.png = b""
        self.alt = ""

    def show(self, image: Image) -> None:
        """Replace what is shown by a picture made by `figures.show`."""
        self.png = image.data
        self.alt = image.alt
        code = b64encode(self.png).decode()
        # As wide as the page allows, and never wider than drawn: nothing overflows.
        self.value = (
            f'<img src="data:image/png;base64,{code}" alt="{escape(self.alt)}"'
            ' style="max-width:100%; height:auto">'
        )


class Words(ipywidgets.HTML):
    """A line of text for the reader: what happened, or what went wrong and what to do."""

    def say(self, text: str, *, error: bool = False) -> None:
        colour = "var(--jp-error-color1, #b00020)" if error else "inherit"
        role = "alert" if error else "status"
        self.value = f'<span role="{role}" style="color:{colour}">{escape(text)}</span>'


class Panel(ipywidgets.VBox):
    """A widget of the tutorial: set `picture` and `children` in the constructor.

    Its output holds `picture` as a PNG, too, so that a page without a kernel (GitHub, nbviewer,
    a notebook that was just opened) shows that and not an error.
    """

    picture: Picture

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**kwargs)
        # The same whatever is shown: saved outputs are compared with new ones.
        bundle["text/plain"] = (getdoc(type(self)) or "").partition("\n")[0]
        if not self.picture.png:  # nothing to show yet
            return bundle, {}
        bundle["image/png"] = b64encode(self.picture.png).decode()
        return bundle, {"image/png": {"alt": self.picture.alt}}
