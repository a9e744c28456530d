"""Inside a network: what it holds after each step, and how far it looks."""

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...holes import boxes_mask
from ...model import PixelRNN
from ...pictures import cover, to_mask, to_tensor

Maps = TypeVar("Maps", Tensor, np.ndarray)


class Snapshot(NamedTuple, Generic[Maps]):
    """What the network holds after a step: (B, C, H, W) tensors, or (C, H, W) arrays of one."""

    gate: Maps
    h: Maps
    c: Maps
    running: Maps


class Trace(NamedTuple):
    """What a network did, step by step, on a photograph with a hole."""

    occluded: np.ndarray  # (H, W, 3) uint8
    hole: np.ndarray  # (H, W) bool
    steps: list[Snapshot[np.ndarray]]  # (C, H / patch, W / patch)
    fields: list[int]  # px wide; after each step and, last, of the whole network
    blind: list[np.ndarray]  # (H, W) bool: no known pixel in the field; as `fields`
    patch: int  # px


def watch(model: PixelRNN, occluded: Tensor, mask: Tensor) -> tuple[list[Snapshot[Tensor]], Tensor]:
    """Run the network and keep what passes through it: its steps and its prediction.

    occluded (B, 3, H, W) in [0, 1], mask (B, 1, H, W), 1 in the hole.
    """
    gates: list[Tensor] = []
    states: list[tuple[Tensor, Tensor]] = []
    sums: list[Tensor] = []
    layers: list[Any] = list(model.layers)
    handles = [
        *(x.gate.register_forward_hook(lambda _m, _i, out: gates.append(out)) for x in layers),
        model.convlstm.register_forward_hook(lambda _m, _i, out: states.append(out)),
    ]
    for module in (*layers[1:], model.res_blocks):
        # x + h + skip is no module's output, but it is the input of the one that comes next.
        handles.append(module.register_forward_pre_hook(lambda _m, given: sums.append(given[0])))
    try:
        prediction = model(occluded, mask)
    finally:
        for handle in handles:
            handle.remove()
    found = zip(gates, states, sums, strict=True)
    return [Snapshot(torch.sigmoid(gate), h, c, x) for gate, (h, c), x in found], prediction


def receptive_fields(config: Mapping[str, Any]) -> list[int]:
    """How far the convolutions of a network look: px wide, after each step and at its end.

    Measured by the gradients of one output with respect to the input, on a twin of the same
    `PixelRNN.config` without the parts that look at a whole picture, see `looks_everywhere`.
    """
    local = {"norm": "batch", "prefill": None, "standardize": False}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        twin = PixelRNN(**{**config, **local}).eval().requires_grad_(False)
        patch = twin.patch_size
        columns = 64 * config["num_layers"] + 65  # more than any field
        # Square kernels look as far down as across: one row of patches is enough.
        x = torch.rand(1, 4, patch, patch * columns, requires_grad=True)
    steps, prediction = watch(twin, x[:, :3], x[:, 3:])
    widths = []
    for out in (*(step.running for step in steps), prediction):
        middle = out[..., out.shape[-1] // 2].abs().sum()
        (gradient,) = torch.autograd.grad(middle, x, retain_graph=True)
        seen = torch.nonzero(gradient.abs().sum(dim=(0, 1, 2)))
        widths.append(int(seen.max() - seen.min()) + 1)
    return widths


def looks_everywhere(config: Mapping[str, Any]) -> list[str]:
    """What looks at a whole picture at once in a network of this `PixelRNN.config`."""
    parts = {
        f"the {config['prefill']} fill": config["prefill"],
        "the standardisation": config["standardize"],
        "the group norm": config["norm"] == "group",
    }
    return [name for name, there in parts.items() if there]


def blind_pixels(hole: np.ndarray, field: int, patch: int = 1) -> np.ndarray:
    """Which pixels of a hole (H, W) bool have no known pixel in their receptive field.

    field: its width in px; patch: px, the pixels of a patch have their field in common.
    """
    known = to_mask(~hole)
    known = F.max_pool2d(known, patch, ceil_mode=True)  # one known pixel tells of its patch
    reach = field // patch
    reached = F.max_pool2d(known, reach, stride=1, padding=reach // 2)
    reached = reached.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
    height, width = hole.shape
    blind: np.ndarray = reached[0, 0, :height, :width].numpy() == 0
    return blind


def square_hole(shape: tuple[int, int], side: int) -> np.ndarray:
    """(H, W) bool, a square of that side around the pixel (H // 2, W // 2)."""
    top, left = (size // 2 - side // 2 for size in shape)
    return boxes_mask(shape, [(left, top, side, side)])


def trace_hole(model: PixelRNN, fields: list[int], photograph: np.ndarray, side: int) -> Trace:
    """Run a network (in eval mode) on (H, W, 3) uint8 with a square hole, `side` px wide.

    fields: what `receptive_fields` says of the network; measured once for all pictures.
    """
    height, width = photograph.shape[:2]
    hole = square_hole((height, width), side)
    occluded = cover(photograph, hole)
    with torch.inference_mode():
        steps, _ = watch(model, to_tensor(occluded), to_mask(hole))
    blind = [blind_pixels(hole, field, model.patch_size) for field in fields]
    arrays = [Snapshot(*(values[0].numpy() for values in step)) for step in steps]
    return Trace(occluded, hole, arrays, fields, blind, model.patch_size)
