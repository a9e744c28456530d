"""The file a network is kept in: written, found and read here alone."""

import os
from pathlib import Path
from typing import Any

import torch

from .model import PixelRNN, choose_device
from .paths import default_path, written_whole

CHECKPOINT_FORMAT = 1
REMEDY = "choose another checkpoint, or train one with `python -m inpaint_lib train`"
SHIPPED = {None: "photographs.pth", "bricks": "bricks.pth"}


def save_model(model: PixelRNN, path: str | os.PathLike) -> None:
    """Write weights and configuration, so that `load_model` needs nothing but the file.

    The network this tutorial grew from saved weights alone, and its reader had to know the
    number of channels.
    """
    with written_whole(path) as partial:
        torch.save(
            {"format": CHECKPOINT_FORMAT, "config": model.config, "model": model.state_dict()},
            partial,
        )


def load_model(
    checkpoint: str | os.PathLike | None = None, device: torch.device | str | None = None
) -> PixelRNN:
    """A trained network in eval mode; its architecture is read from the checkpoint.

    checkpoint: None, the shipped weights for photographs; "bricks", those for the brick wall;
    or a path: `model_epoch{N}.pth`, or `state.pth` of a run. device: None is the best there
    is. Nothing in the file is executed (`weights_only=True`).

    Raises FileNotFoundError, with the command that makes one, when there is no such file, and
    ValueError when the file is not a checkpoint of this library.
    """
    if checkpoint is None or checkpoint == "bricks":
        path = default_path("checkpoints", SHIPPED[checkpoint])  # type: ignore[index]
        world = path.stem
        hint = f"shipped weights are missing; `python -m inpaint_lib rebuild {world}` trains them"
    else:
        path = Path(checkpoint)
        hint = "no such checkpoint; `python -m inpaint_lib train` makes one in its save_dir"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {hint}")
    model, _ = read_checkpoint(path)
    return model.to(choose_device(device)).eval()


def read_checkpoint(path: Path) -> tuple[PixelRNN, dict[str, Any]]:
    """The network in a checkpoint, on the CPU, and all else that the file holds."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises for a damaged file is not documented
        # torch's own words advise to load it without care: not to be repeated.
        raise ValueError(f"{path}: not a checkpoint, or a damaged one; {REMEDY}") from error
    version = content.get("format") if isinstance(content, dict) else None
    if not isinstance(version, int) or version != CHECKPOINT_FORMAT:
        raise ValueError(
            f"{path}: not a checkpoint of format {CHECKPOINT_FORMAT}; {REMEDY}, "
            "or use the version of inpaint_lib that wrote it"
        )
    try:
        config, weights = content["config"], content["model"]
        if config["num_layers"] > len(weights):
            raise ValueError(f"{config['num_layers']} layers, {len(weights)} tensors")
        with torch.device("meta"):  # takes no memory: a damaged file may describe anything
            model = PixelRNN(**config)
        model.load_state_dict(weights, assign=True)
        model.float()
    except Exception as error:  # the file may describe anything
        raise ValueError(
            f"{path}: its weights do not fit the network it describes; {REMEDY}"
        ) from error
    return model, content
