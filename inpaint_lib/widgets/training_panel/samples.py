"""What there is to see of a run: its curves, and pictures completed by the network so far."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ... import figures
from ...data import SIZE, Batch, ImageCompletionDataset, evenly
from ...feed import split
from ...figures import Figure
from ...filling import compose
from ...metrics import psnr
from ...pictures import to_pixels
from ...squares import Pictures
from ...training import TrainConfig

NOISE = "noise"  # the name of samples that a network without a prefill starts from


class Samples(NamedTuple):
    """Pictures (H, W, 3) uint8 to judge a network by, and their PSNR in the hole in dB."""

    name: str
    occluded: list[np.ndarray]
    completed: list[np.ndarray]
    original: list[np.ndarray]
    decibels: list[float]


def fixed_pairs(config: TrainConfig, count: int = 6) -> Batch:
    """A batch of the validation pairs, of training's where there are none, evenly spread.

    Of a folder of pictures: squares with a hole in their middle.
    """
    if config.data_dir is not None and config.val_occluded_dir is None:
        names = split(config.data_dir, config.held_out)
        pictures = Pictures(config.data_dir, config.crop_size or SIZE, names=names[1] or names[0])
        return evenly(pictures, count).to("cpu")
    occluded, original = config.val_occluded_dir, config.val_original_dir
    mask = config.val_mask_dir
    if occluded is None or original is None:
        occluded, original = config.occluded_dir, config.original_dir
        mask = config.mask_dir
    return evenly(ImageCompletionDataset(occluded, original, mask_dir=mask), count)


@torch.no_grad()
def look(predict: Callable[[Tensor, Tensor], Tensor], batch: Batch, name: str) -> Samples:
    """Complete a batch with a network in eval mode, or with a fill."""
    occluded, original, mask = batch
    pred = predict(occluded, mask)
    comp = compose(occluded, pred, mask)
    before, now, truth = (
        [to_pixels(one[None]) for one in pictures] for pictures in (occluded, comp, original)
    )
    return Samples(name, before, now, truth, psnr(pred, original, mask).tolist())


def draw_samples(samples: Samples) -> Figure:
    """Rows of pictures; under the completed ones their PSNR in the hole."""
    alt = samples_in_words(samples)
    occluded = {"occluded": samples.occluded}
    original = {"original": samples.original}
    if samples.name == NOISE:  # what comes of random weights is nothing to look at
        return figures.sample_grid(occluded | original, alt=alt, dpi=75)
    rows = occluded | {samples.name: samples.completed} | original
    figure = figures.sample_grid(rows, alt=alt, dpi=75)
    completed = figure.axes[len(samples.completed) :]
    for ax, db in zip(completed, samples.decibels, strict=False):
        ax.set_xlabel(f"{db:.1f} dB")
    return figure


def samples_in_words(samples: Samples) -> str:
    """What the pictures do not say by themselves."""
    if samples.name == NOISE:
        return "Without a prefill the network begins from noise, which is not shown."
    decibels = ", ".join(f"{db:.1f}" for db in samples.decibels)
    return f"{samples.name}: PSNR in the hole {decibels} dB."


def draw_curves(
    losses: Sequence[tuple[float, float]], history: Sequence[Mapping[str, float]], epochs: int
) -> Figure:
    """The loss by step with its running mean, both losses by epoch, and the validation's PSNR.

    losses: (epochs done, loss) of each step, as far as known; history: the epochs' log.
    """
    alt = curves_in_words(losses, history)
    figure = Figure(alt, figsize=(10, 2.9), dpi=80, layout="constrained")
    left, right = figure.subplots(1, 2)
    if losses:
        x, y = np.array(losses).T
        left.plot(x, y, color=figures.BLUE, alpha=0.25, linewidth=0.8)
        width = min(25, len(y))
        smooth = np.convolve(y, np.full(width, 1 / width), "valid")
        left.plot(x[width - 1 :], smooth, color=figures.BLUE, label=f"mean of {width} steps")
    done = [log["epoch"] for log in history]
    left.plot(done, [e["total loss"] for e in history], "o", color=figures.BLUE, label="training")
    checked = [e for e in history if "val total loss" in e]
    if checked:
        when = [e["epoch"] for e in checked]
        val = [e["val total loss"] for e in checked]
        left.plot(when, val, "s-", color=figures.ORANGE, label="validation")
        right.plot(when, [e["val hole PSNR [dB]"] for e in checked], "o-", color=figures.GREEN)
    left.set(title="Loss", ylabel="total loss")
    left.legend(frameon=False)
    right.set(title="Validation: PSNR in the hole", ylabel="dB, mean over pictures")
    far = max([0.0, *done, *(x for x, _ in losses[-1:])])
    end = min(epochs, 4 * max(1, ceil(far)))  # the start of a long run is not to be a dot
    for ax in (left, right):
        ax.set(xlabel="epoch", xlim=(0, end * 1.02))
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def curves_in_words(
    losses: Sequence[tuple[float, float]], history: Sequence[Mapping[str, float]]
) -> str:
    """Where the curves begin and end."""
    if not history:
        return f"Loss over {len(losses)} steps, from {losses[0][1]:.3f} to {losses[-1][1]:.3f}."
    log = history[-1]
    names = {"total loss": "training loss", "val total loss": "validation loss"}
    names |= {"val hole PSNR [dB]": "validation PSNR in the hole in dB"}
    parts = [f"{name} {log[key]:.3f}" for key, name in names.items() if key in log]
    return f"Curves up to epoch {log['epoch']:.0f}: {', '.join(parts)}."
