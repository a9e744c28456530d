"""Training a copy of a network on the known part of one photograph."""

import copy
import time

import numpy as np
import torch
from torch import nn

from ..checks import check_number
from ..data import Batch
from ..holes import random_holes
from ..model import PixelRNN, plain_network, threads_for
from ..training import train_step
from .completion import Picture, picture_and_hole

SIDES = (64, 32)  # of the squares to learn from, in pixels; the first that fits
BATCH_SIZE = 8
LR = 3e-4


def fit(
    model: nn.Module, image: Picture, mask: np.ndarray, seconds: float, seed: int = 0
) -> PixelRNN:
    """A copy of the network, trained for some seconds on the known part of a photograph.

    image, mask: as `complete` takes them; what lies under the hole is not learned from. Squares
    without a hidden pixel get fresh holes, as in training. It pays where structure repeats
    itself, a wall or a fence, and little or nothing elsewhere. Shocher et al. (2018, "Zero-Shot
    Super-Resolution Using Deep Internal Learning") train on one picture alone; Ulyanov et al.
    (2018, "Deep Image Prior") on its known pixels; here trained weights are where it starts. The
    result is in eval mode; it depends on the machine's speed.

    Raises ValueError when no square of 32 x 32 is free of hidden pixels, when `seconds` is not
    above 0, and for what `complete` refuses.
    """
    check_number("seconds", seconds, above=0)
    picture, hole = picture_and_hole(image, mask)
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    side, corners = _free_squares(hole)
    device = next(model.parameters()).device
    pixels = torch.from_numpy(picture).permute(2, 0, 1)  # (3, H, W)
    network = plain_network(model)
    wide = torch.promote_types(next(network.parameters()).dtype, torch.float32)
    start = time.monotonic()
    with torch.inference_mode(False), torch.enable_grad():
        fitted = copy.deepcopy(network).to(wide).train().requires_grad_()
        optimizer = torch.optim.Adam(fitted.parameters(), lr=LR)
        while (spent := (time.monotonic() - start) / seconds) < 1:
            squares = []
            for y, x in corners[rng.integers(len(corners), size=BATCH_SIZE)]:
                square = pixels[:, y : y + side, x : x + side]
                squares.append(square.flip(-1) if rng.random() < 0.5 else square)
            original = torch.stack(squares).to(device, wide) / 255
            holes = random_holes(BATCH_SIZE, (side, side), generator)
            hidden = holes.to(device, wide)
            optimizer.param_groups[0]["lr"] = LR * (1 - spent)
            batch = Batch(original * (1 - hidden), original, hidden)
            with threads_for(fitted, hidden.numel()):
                train_step(fitted, batch, optimizer, grad_clip=1.0, hole_term="psnr")
    return fitted.eval()


def _free_squares(hole: np.ndarray) -> tuple[int, np.ndarray]:
    """(side, corners): top and left of all squares of that side without a hidden pixel."""
    hidden = np.pad(hole.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32), ((1, 0), (1, 0)))
    for side in SIDES:
        if min(hole.shape) >= side:
            inside = hidden[side:, side:] - hidden[:-side, side:]
            inside -= hidden[side:, :-side] - hidden[:-side, :-side]
            corners = np.argwhere(inside == 0)
            if len(corners):
                return side, corners
    raise ValueError(
        f"nothing to fit to: no square of {SIDES[-1]} x {SIDES[-1]} pixels is free of hidden "
        "ones; complete it without fitting"
    )
