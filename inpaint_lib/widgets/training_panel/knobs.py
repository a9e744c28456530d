"""The knobs of training: one for each field of `TrainConfig` that a learner would turn."""

from collections.abc import Mapping
from math import log10
from pathlib import Path
from typing import Any, get_type_hints

import ipywidgets
import torch

from ...checks import choices
from ...training import TrainConfig

LOOK = {"style": {"description_width": "7em"}, "layout": {"width": "auto"}}
NONE = "none"  # a Dropdown shows nothing at all for an option whose value is None
GROUPS = {
    "Data and holes": ("data_dir", "crop_size", "fresh_holes", "hole_kind", "longest_hole"),
    "Loss": ("hole_term", "ssim_weight"),
    "Network": (
        "hidden_channels",
        "num_layers",
        "patch_size",
        "norm",
        "prefill",
        "standardize",
    ),
    "Machine": ("device", "precision"),
    "Optimisation": ("epochs", "batch_size", "lr", "schedule", "grad_clip", "seed"),
}
HINTS = get_type_hints(TrainConfig)


def make_knobs() -> dict[str, ipywidgets.ValueWidget]:
    """A control for each field, by the field's name."""
    return {
        "data_dir": ipywidgets.Text(
            description="pictures",
            placeholder="a folder; empty: pairs",
            continuous_update=False,
            **LOOK,
        ),
        "crop_size": _choice("crop", {"whole picture": NONE, **_squares(32, 48, 64, 96)}),
        "fresh_holes": _switch("fresh holes"),
        "hole_kind": _choice("kind of hole", _offered("hole_kind")),
        "longest_hole": _choice(
            "longest side",
            {"3/4 of the crop": NONE, **{f"{side} pixels": side for side in (16, 24, 32, 48)}},
        ),
        "hole_term": _choice("in the hole", _offered("hole_term")),
        "ssim_weight": ipywidgets.FloatSlider(
            description="SSIM weight", min=0, max=1, step=0.05, **LOOK
        ),
        "hidden_channels": _slider("channels", 8, 96, 8),
        "num_layers": _slider("layers", 1, 6),
        "patch_size": _choice("patch", {"1 pixel": 1, **_squares(2, 4, 8)}),
        "norm": _choice("norm", _offered("norm")),
        "prefill": _choice("prefill", _offered("prefill")),
        "standardize": _switch("standardize"),
        "device": _choice("device", {"the best there is": NONE, **_by_name(*devices())}),
        "precision": _choice("precision", _offered("precision")),
        "epochs": _slider("epochs", 1, 60),
        "batch_size": _slider("batch size", 1, 32),
        "lr": ipywidgets.FloatLogSlider(
            description="learning rate", min=-5, max=-1, step=0.1, readout_format=".1e", **LOOK
        ),
        "schedule": _choice("schedule", _offered("schedule")),
        "grad_clip": _choice("gradient clip", _by_name(None, 0.1, 0.5, 1.0, 5.0)),
        "seed": ipywidgets.BoundedIntText(description="seed", min=0, max=2**31 - 1, **LOOK),
    }


def columns(knobs: Mapping[str, ipywidgets.ValueWidget]) -> ipywidgets.GridBox:
    """The knobs in three columns, each group under its name."""
    groups = {
        name: [ipywidgets.HTML(f"<b>{name}</b>"), *(knobs[field] for field in fields)]
        for name, fields in GROUPS.items()
    }
    together = (("Data and holes", "Loss"), ("Network", "Machine"), ("Optimisation",))
    boxes = [ipywidgets.VBox([c for name in names for c in groups[name]]) for names in together]
    third = "minmax(0, 1fr) "  # a column may be narrower than what is in it asks for
    grid = {"grid_template_columns": 3 * third, "grid_gap": "0 1.5em", "max_width": "950px"}
    return ipywidgets.GridBox(boxes, layout=grid)


def set_knob(knob: ipywidgets.ValueWidget, value: Any) -> None:
    """Turn a knob, and widen its range where a run asks for more than a learner would."""
    if isinstance(knob, ipywidgets.Dropdown):
        value = NONE if value is None else value
        if value not in [offered for _, offered in knob.options]:
            knob.options = (*knob.options, (str(value), value))
    elif isinstance(knob, ipywidgets.Text):
        value = "" if value is None else str(value)
    elif isinstance(knob, ipywidgets.FloatLogSlider):
        knob.min = min(knob.min, log10(value))
        knob.max = max(knob.max, log10(value))
    elif not isinstance(knob, ipywidgets.Checkbox):
        knob.min = min(knob.min, value)
        knob.max = max(knob.max, value)
    knob.value = value


def value_of(knob: ipywidgets.ValueWidget) -> Any:
    """What a knob says, as `TrainConfig` has it."""
    if isinstance(knob, ipywidgets.Text):
        return Path(knob.value.strip()).expanduser() if knob.value.strip() else None
    return None if knob.value == NONE else knob.value


def without_effect(values: Mapping[str, Any]) -> set[str]:
    """Fields that have no effect while the others are as they are."""
    of_pictures = {"fresh_holes"} if values["data_dir"] else set[str]()  # always fresh there
    if not (values["fresh_holes"] or of_pictures):
        return {"hole_kind", "longest_hole"}
    return of_pictures | ({"longest_hole"} if values["hole_kind"] == "strokes" else set())


def devices() -> list[str]:
    """The names of the devices that torch finds here."""
    here = torch.accelerator.current_accelerator(check_available=True)
    count = torch.accelerator.device_count() if here else 0
    return ["cpu", *(f"{here.type}:{i}" for i in range(count) if here)]


def _slider(name: str, low: int, high: int, step: int = 1) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(description=name, min=low, max=high, step=step, value=low, **LOOK)


def _switch(name: str) -> ipywidgets.Checkbox:
    return ipywidgets.Checkbox(description=name, **LOOK)


def _choice(name: str, options: Mapping[str, str | float]) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(description=name, options=tuple(options.items()), **LOOK)


def _offered(field: str) -> dict[str, str | float]:
    """What the type of a field allows, "none" first."""
    known = choices(HINTS[field])
    return _by_name(*sorted(known, key=lambda value: value is not None))


def _by_name(*values: str | float | None) -> dict[str, str | float]:
    shown = [NONE if value is None else value for value in values]
    return {str(value): value for value in shown}


def _squares(*sides: int) -> dict[str, int]:
    return {f"{side} x {side} pixels": side for side in sides}
