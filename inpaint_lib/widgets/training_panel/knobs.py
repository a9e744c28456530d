"""The knobs of training: one for each field of `TrainConfig` that a learner would turn."""

from collections.abc import Mapping
from math import log10
from typing import Any

import ipywidgets

SIDES = {f"{side} pixels": side for side in (16, 24, 32, 48)}
LOOK = {"style": {"description_width": "7em"}, "layout": {"width": "auto"}}
NONE = "none"  # a Dropdown shows nothing at all for an option whose value is None
GROUPS = {
    "Data and holes": ("crop_size", "fresh_holes", "hole_kind", "longest_hole"),
    "Loss": ("hole_term", "ssim_weight"),
    "Network": (
        "hidden_channels", "num_layers", "patch_size", "norm", "prefill", "standardize",
    ),
    "Optimisation": ("epochs", "batch_size", "lr", "schedule", "grad_clip", "seed"),
}  # fmt: skip


def make_knobs() -> dict[str, Any]:
    """A control for each field, by the field's name."""
    return {
        "crop_size": _choice("crop", {"whole picture": NONE, **_pixels(32, 48, 64, 96)}),
        "fresh_holes": _switch("fresh holes"),
        "hole_kind": _choice("kind of hole", ["both", "boxes", "strokes"]),
        "longest_hole": _choice("longest side", {"3/4 of the crop": NONE} | SIDES),
        "hole_term": _choice("in the hole", ["l1", "l1-per-hole", "psnr"]),
        "ssim_weight": ipywidgets.FloatSlider(
            description="SSIM weight", min=0, max=1, step=0.05, **LOOK
        ),
        "hidden_channels": _slider("channels", 8, 96, 8),
        "num_layers": _slider("layers", 1, 6),
        "patch_size": _choice("patch", {"1 pixel": 1, **_pixels(2, 4, 8)}),
        "norm": _choice("norm", ["batch", "group"]),
        "prefill": _choice("prefill", _or_none("push-pull", "thin-plate")),
        "standardize": _switch("standardize"),
        "epochs": _slider("epochs", 1, 60),
        "batch_size": _slider("batch size", 1, 32),
        "lr": ipywidgets.FloatLogSlider(
            description="learning rate", min=-5, max=-1, step=0.1, readout_format=".1e", **LOOK
        ),
        "schedule": _choice("schedule", ["constant", "one-cycle", "cosine"]),
        "grad_clip": _choice("gradient clip", _or_none(0.1, 0.5, 1.0, 5.0)),
        "seed": ipywidgets.BoundedIntText(description="seed", min=0, max=2**31 - 1, **LOOK),
    }


def columns(knobs: Mapping[str, Any]) -> ipywidgets.GridBox:
    """The knobs in three columns, each group under its name."""
    groups = {
        name: [ipywidgets.HTML(f"<b>{name}</b>"), *(knobs[field] for field in fields)]
        for name, fields in GROUPS.items()
    }
    first = [*groups.pop("Data and holes"), *groups.pop("Loss")]
    boxes = [ipywidgets.VBox(children) for children in (first, *groups.values())]
    third = "minmax(0, 1fr) "  # a column may be narrower than what is in it asks for
    grid = {"grid_template_columns": 3 * third, "grid_gap": "0 1.5em", "max_width": "950px"}
    return ipywidgets.GridBox(boxes, layout=grid)


def set_knob(knob: Any, value: Any) -> None:
    """Turn a knob, and widen its range where a run asks for more than a learner would."""
    if isinstance(knob, ipywidgets.Dropdown):
        value = NONE if value is None else value
        if value not in [offered for _, offered in knob.options]:
            knob.options = (*knob.options, (str(value), value))
    elif isinstance(knob, ipywidgets.FloatLogSlider):
        knob.min, knob.max = min(knob.min, log10(value)), max(knob.max, log10(value))
    elif not isinstance(knob, ipywidgets.Checkbox):
        knob.min, knob.max = min(knob.min, value), max(knob.max, value)
    knob.value = value


def value_of(knob: Any) -> Any:
    """What a knob says, as `TrainConfig` has it."""
    return None if knob.value == NONE else knob.value


def without_effect(values: Mapping[str, Any]) -> set[str]:
    """The fields that change nothing while the others are as they are."""
    if not values["fresh_holes"]:
        return {"hole_kind", "longest_hole"}
    return {"longest_hole"} if values["hole_kind"] == "strokes" else set()


def _slider(name: str, low: int, high: int, step: int = 1) -> Any:
    return ipywidgets.IntSlider(description=name, min=low, max=high, step=step, value=low, **LOOK)


def _switch(name: str) -> Any:
    return ipywidgets.Checkbox(description=name, **LOOK)


def _choice(name: str, options: Any) -> Any:
    pairs = options.items() if isinstance(options, Mapping) else zip(options, options, strict=True)
    return ipywidgets.Dropdown(description=name, options=tuple(pairs), **LOOK)


def _pixels(*sides: int) -> dict[str, int]:
    return {f"{side} x {side} pixels": side for side in sides}


def _or_none(*values: Any) -> dict[str, Any]:
    return {NONE: NONE} | {str(value): value for value in values}
