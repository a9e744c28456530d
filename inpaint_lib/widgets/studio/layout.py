"""What there is to see and to press in the completion studio, and where."""

import ipywidgets

from ...photographs import brick_source, tutorial_source
from ..panel import Panel, Picture, Words
from .canvas import Canvas, Upload, heading

# None of them was trained on; the wall is the part that was held out.
SHIPPED_PHOTOGRAPHS = {
    "a cup of coffee": tutorial_source("coffee"),
    "a cat": tutorial_source("chelsea"),
    "an astronaut": tutorial_source("astronaut"),
    "a mountain": tutorial_source("aizkorri.jpg"),
    "a tower": tutorial_source("china.jpg"),
    "a brick wall": brick_source("test"),
}


class StudioLayout(Panel):
    """The studio without its behaviour: words, fields, buttons, the canvas and a picture."""

    def __init__(self) -> None:
        self.hint = Words()
        self.hint.add_class("studio-hint")
        self._make_steps()
        self._make_settings()
        self.picture = Picture()
        self.about = Words()
        self.about.add_class("studio-about")
        super().__init__(
            [
                self.hint,
                _row(heading(1, "Choose a photograph"), self.upload, self.shipped),
                _row(self.path, self.open_path),
                self.canvas,
                _row(heading(4, "Save the result"), self.save_as, self.save, self.receipt),
                _title("A closer look, beside other methods"),
                self.picture,
                self.about,
                _title("Settings"),
                _row(self.weights, self.sharp, self.automatic, self.again, self.biharmonic),
            ]
        )

    def _make_steps(self) -> None:
        """Choose, by upload, name or path; paint and compare, which the canvas does; save."""
        self.upload = Upload()
        self.shipped = ipywidgets.Dropdown(
            options={"choose ...": ""} | {name: name for name in SHIPPED_PHOTOGRAPHS},
            value="a cup of coffee",
            description="or take one of ours:",
            **_wide("20em"),
        )
        self.path = ipywidgets.Text(
            placeholder="holiday/beach.jpg",
            description="larger than 8 MB? Type its path:",
            continuous_update=False,
            **_wide("38em", margin="0 0 0 32px"),
        )
        self.open_path = ipywidgets.Button(description="Open", layout={"width": "5em"})
        self.canvas = Canvas()
        self.save_as = ipywidgets.Text("completed.png", description="file name", **_wide("20em"))
        self.save = ipywidgets.Button(
            description="Save as PNG", icon="save", button_style="primary"
        )
        self.receipt = Words()

    def _make_settings(self) -> None:
        self.weights = ipywidgets.Dropdown(
            options=["photographs", "bricks"], description="network trained on", **_wide("18em")
        )
        self.sharp = _checkbox(True, "sharp: copies of the photograph in the place of a blur")
        self.automatic = _checkbox(True, "complete after every stroke")
        self.again = ipywidgets.Button(
            description="Complete the hole", button_style="primary", layout={"display": "none"}
        )
        self.biharmonic = _checkbox(False, "compare with biharmonic, too (slow)")


def _wide(width: str, **layout: str) -> dict[str, dict[str, str]]:
    """Style and layout of a field of that width, its description as wide as its words."""
    return {"style": {"description_width": "initial"}, "layout": {"width": width, **layout}}


def _checkbox(value: bool, words: str) -> ipywidgets.Checkbox:
    return ipywidgets.Checkbox(value, description=words, indent=False, layout={"width": "auto"})


def _row(*children: ipywidgets.Widget) -> ipywidgets.Box:
    """Side by side, and below each other where the page is narrow."""
    layout = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "2px 8px"}
    return ipywidgets.Box(children, layout=layout)


def _title(words: str) -> ipywidgets.HTML:
    """A heading without a number, for the parts below the steps."""
    return ipywidgets.HTML(f'<div class="studio-more">{words}</div>')
