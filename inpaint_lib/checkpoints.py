"""What a run leaves on disk: networks, state, log, samples; written and read by this module.

Taught in notebooks/04_training.ipynb.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args

import filelock
import torch
from safetensors import torch as safetensors
from torch import Tensor, nn
from torchvision.utils import save_image

from .model import PixelRNN, choose_device, plain_network
from .paths import (
    World,
    given_path,
    locked,
    shipped_weights,
    why_missing,
    writable_folder,
    written_whole,
)

CHECKPOINT_FORMAT = 1
REMEDY = "choose another checkpoint, or train one with `python -m inpaint_lib train`"
SAFE = ".safetensors"
STATE = "state.pth"
LOG = "training_log.txt"
BEST = "best.pth"
FILES = (STATE, LOG, BEST, "model_epoch*.pth", "samples/sample_epoch*.png")
COLUMNS = ("epoch", "LR", "L1", "SSIM", "total loss")
VAL_COLUMNS = ("val L1", "val SSIM", "val total loss", "val hole PSNR [dB]")
MEASURED = ("pictures/s", "memory [MB]")  # of the machine: they differ from run to run


def save_checkpoint(content: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a checkpoint: plain values and tensors, `config` and `model` among them."""
    with written_whole(path) as partial:
        torch.save({"format": CHECKPOINT_FORMAT, **content}, partial)


def save_model(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write weights and configuration, so that `load_model` needs nothing but the file.

    As safetensors if `path` ends in `.safetensors`: numbers and text only, which any program can
    read without PyTorch; the configuration is in its metadata, as JSON under "inpaint_lib".
    A compiled or wrapped network is written as the `PixelRNN` in it; TypeError without one.
    """
    network = plain_network(model)
    if Path(path).suffix != SAFE:
        save_checkpoint({"config": network.config, "model": network.state_dict()}, path)
        return
    told = json.dumps({"format": CHECKPOINT_FORMAT, "config": network.config})
    weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    with written_whole(path) as partial:
        partial.write_bytes(safetensors.save(weights, {"format": "pt", "inpaint_lib": told}))


def load_model(
    checkpoint: str | os.PathLike[str] = "photographs", device: torch.device | str | None = None
) -> PixelRNN:
    """A trained network in eval mode; its architecture is read from the checkpoint.

    checkpoint: "photographs" or "bricks", the shipped weights of that world; or a path: what
    `save_model` wrote, `model_epoch{N}.pth` or `state.pth` of a run. device: None is the best
    there is. Nothing in the file is executed (`weights_only=True`).

    Raises FileNotFoundError, with the command that makes one, when there is no such file, and
    ValueError when the file is not a checkpoint of this library.
    """
    path = given_path(checkpoint)
    why = why_missing(path).replace("file", "checkpoint", 1)
    hint = f"{why}; `python -m inpaint_lib train` makes one in its save_dir"
    for world in get_args(World):
        if checkpoint == world:
            path = shipped_weights(world)
            hint = (
                f"shipped weights are missing; make them: `python -m inpaint_lib rebuild {world}`"
            )
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {hint}")
    model, _ = read_checkpoint(path)
    return model.to(choose_device(device)).eval()


def read_checkpoint(path: Path) -> tuple[PixelRNN, dict[str, Any]]:
    """The network in a checkpoint, on the CPU, and all else that the file holds."""
    try:
        content = _read_content(path)
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
        config = content["config"]
        weights = content["model"]
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
    # Not as it was read: `assign=True` leaves a mark in it, and whoever loads it next would assign.
    content["model"] = model.state_dict()
    return model, content


def _read_content(path: Path) -> Any:
    if path.suffix != SAFE:
        return torch.load(path, map_location="cpu", weights_only=True)
    data = path.read_bytes()
    head = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(head["__metadata__"]["inpaint_lib"]) | {"model": safetensors.load(data)}


def weights_file(save_dir: Path, epoch: int) -> Path:
    """Where a run leaves an epoch's weights."""
    return save_dir / f"model_epoch{epoch}.pth"


def samples_file(save_dir: Path, epoch: int) -> Path:
    """Where a run leaves an epoch's samples: occluded, completed and original."""
    return save_dir / "samples" / f"sample_epoch{epoch}.png"


class RunFolder:
    """The folder of one run; made if it is not there. Raises OSError when it is not writable.

    It belongs to the files that are in it when this object is made: `sole_writer` refuses when
    others have appeared since.
    """

    def __init__(self, path: Path):
        self.path = writable_folder(path)
        self.state = self.path / STATE
        self.files_at_start = self.files()

    def files(self) -> dict[Path, int]:
        """The files of a run that are there now, and when each was written."""
        paths = [path for pattern in FILES for path in self.path.glob(pattern)]
        return {path: path.stat().st_mtime_ns for path in paths}

    def check_free(self, resume: bool) -> None:
        """Raises FileExistsError for another run's files, unless there is a state to resume."""
        exists = self.state.is_file()
        if self.files_at_start and not (resume and exists):
            raise FileExistsError(
                f"{self.path}: holds another run; "
                + ("continue it with resume=True (--resume), " if exists else "")
                + "replace it with overwrite=True (--overwrite), or choose another save_dir"
            )

    def load(self) -> dict[str, Any] | None:
        """What `save` has kept, on the CPU; None where no run is. Raises ValueError for weights
        without a state to resume from, and what `read_checkpoint` raises.
        """
        if not self.state.is_file():
            return None
        _, content = read_checkpoint(self.state)
        if "train_config" not in content:
            raise ValueError(f"{self.state}: weights alone, nothing to resume; {REMEDY}")
        return content

    def save(self, state: dict[str, Any]) -> None:
        """Keep everything that a continuation needs."""
        save_checkpoint(state, self.state)

    @contextmanager
    def sole_writer(self) -> Iterator[None]:
        """Raises BlockingIOError while another process writes here, FileExistsError if one has.

        The system frees the lock when the process ends, however it ends.
        """
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.path / ".lock", seconds=0))
            except filelock.Timeout:
                raise BlockingIOError(
                    f"{self.path}: another process is training in this folder; wait for it, "
                    "or choose another save_dir"
                ) from None
            if self.files() != self.files_at_start:
                raise FileExistsError(
                    f"{self.path}: another run has written here since; make a new Trainer"
                )
            yield

    def clear(self) -> None:
        """Remove the run that was here at the start, and nothing else."""
        for path in self.files_at_start:
            path.unlink()

    def export(
        self, model: PixelRNN, history: Sequence[Mapping[str, float]], samples: Callable[[], Tensor]
    ) -> None:
        """Write weights and samples of the history's last epoch where they are missing.

        samples: makes rows of pictures to look at, (rows, B, 3, H, W).
        """
        epoch = len(history)
        weights = weights_file(self.path, epoch)
        sheet = samples_file(self.path, epoch)
        if not sheet.is_file():
            rows = samples()
            sheet.parent.mkdir(exist_ok=True)
            with written_whole(sheet) as partial:
                save_image(rows.flatten(0, 1), partial, nrow=rows.shape[1], format="png")
        if not weights.is_file():
            save_model(model, weights)

    def keep_best(self, model: PixelRNN, history: Sequence[Mapping[str, float]]) -> None:
        """Write `best.pth` if in the history's last epoch holes were filled best, by their PSNR."""
        validated = [log for log in history if VAL_COLUMNS[-1] in log]
        if validated and max(validated, key=lambda log: log[VAL_COLUMNS[-1]]) is history[-1]:
            save_model(model, self.path / BEST)

    def write_log(
        self, history: Sequence[Mapping[str, float]], measured: Sequence[Mapping[str, float]]
    ) -> None:
        """`training_log.txt`: tab-separated, a header, a line an epoch."""
        lines = ["\t".join(COLUMNS + VAL_COLUMNS + MEASURED)]
        for log, machine in zip(history, measured, strict=True):
            cells = [f"{log['epoch']:.0f}", f"{log['LR']:.4g}"]
            cells += [f"{log[c]:.6f}" if c in log else "" for c in COLUMNS[2:] + VAL_COLUMNS]
            cells += [f"{machine[c]:.1f}" if c in machine else "" for c in MEASURED]
            lines.append("\t".join(cells))
        with written_whole(self.path / LOG) as partial:
            partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
