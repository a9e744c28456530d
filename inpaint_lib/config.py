"""What a training run depends on. Taught in notebooks/04_training.ipynb."""

import os
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints
from zlib import crc32

from .checks import check_choice, check_number, choices
from .filling import Prefill
from .holes import HoleKind
from .layers import Norm
from .losses import HoleTerm
from .paths import default_path, given_path, pair_folders
from .pictures import list_pictures
from .results import photographs_in

PAIRS = pair_folders(default_path("dataset", "train"))
CHECKPOINTS = default_path("checkpoints")
Precision = Literal["float32", "bfloat16", "float16", "auto"]
Schedule = Literal["constant", "one-cycle", "cosine"]
COUNTS = ("epochs", "batch_size", "val_every", "hidden_channels", "num_layers", "patch_size")
# What may differ between a run and its continuation without changing what is computed.
FREE_TO_CHANGE = {"device", "in_memory", "num_workers", "resume", "overwrite", "save_dir"}


@dataclass
class TrainConfig:
    """All that a run depends on. The first eight are also the positional arguments of `train`.

    Raises ValueError for an unknown choice and a number out of range, TypeError for a fraction
    where a whole number is needed, naming the field.
    """

    occluded_dir: Path = PAIRS.occluded
    """Training pictures with black holes, `occluded_NAME`."""
    original_dir: Path = PAIRS.original
    """The same pictures without holes, `NAME`."""
    save_dir: Path = CHECKPOINTS
    """The folder that the run writes to; it holds one run."""
    epochs: int = 200
    """How often each training pair is seen."""
    batch_size: int = 4
    """Pictures in a step, over all processes together."""
    lr: float = 1e-4
    """Adam's learning rate; a schedule's highest."""
    hidden_channels: int = 48
    """Feature maps of each layer."""
    device: str | None = None
    """Where to compute: "cpu", "cuda", "cuda:1", "mps", ...; None: the best there is."""

    # The network; see `PixelRNN`.
    num_layers: int = 3
    """Gated layers, each followed by one step of the ConvLSTM."""
    patch_size: int = 1
    """Compute on patches of that many pixels squared instead of on pixels."""
    norm: Norm = "batch"
    """Normalization in gated layers and residual blocks."""
    prefill: Prefill | None = None
    """Start from this fill of the hole and predict what is missing from it."""
    standardize: bool = False
    """Look at the picture in units of its known pixels' deviation."""
    refine: int = 0
    """Channels beside RGB from which a correction at full resolution is made; 0: none."""

    # Data.
    mask_dir: Path | None = None
    """True masks of the training pairs; None: found from the pictures' differences."""
    val_occluded_dir: Path | None = None
    """Validation pictures with holes; None: no validation."""
    val_original_dir: Path | None = None
    """Validation pictures without holes."""
    val_mask_dir: Path | None = None
    """True masks of the validation pairs; None: found from the pictures' differences."""
    val_every: int = 1
    """Validate after so many epochs, and after the first and the last."""
    data_dir: Path | None = None
    """Train on squares of `crop_size` from the pictures of this folder, under fresh holes, instead
    of on pairs."""
    held_out: int = 0
    """Pictures of `data_dir` that are not trained on: squares of them are validated on."""
    val_dir: Path | None = None
    """Pictures to validate on where there are no pairs; squares of 50 of them at most."""
    epoch_size: int | None = None
    """Squares in an epoch of `data_dir`; None: as many as share no pixel."""
    crop_size: int | None = None
    """Train on squares of this side, cut at random from the pictures. None: whole pictures."""
    fresh_holes: bool = False
    """Draw new holes at every step instead of using the stored ones."""
    hole_kind: HoleKind = "both"
    """Which holes to draw; see `holes_from`."""
    longest_hole: int | None = None
    """Longest side of a fresh box in pixels; None: three quarters of the crop."""
    turns: bool = False
    """Turn fresh crops by quarter turns, too; they are always mirrored."""
    in_memory: bool = True
    """Read all pictures once and keep them where the network is, if they take no more than a third
    of the memory there; a pair of 128 x 128 takes 112 KB."""
    num_workers: int | None = None
    """Processes that read ahead what is not in memory; None: one a core; 0: none."""

    # Optimization.
    schedule: Schedule = "constant"
    """one-cycle: warm-up over a tenth of the steps, then cosine (Smith & Topin 2018)."""
    grad_clip: float | None = None
    """Largest norm of the gradient; None: any."""
    hole_term: HoleTerm = "l1"
    """What the loss asks of the hole's pixels; see `completion_loss`."""
    ssim_weight: float = 0.2
    """Share of 1 - SSIM in the loss; the hole's term has the rest."""
    precision: Precision = "float32"
    """What the network computes in; weights and losses stay in float32. auto: bfloat16 where the
    hardware has it, else float32. float16 scales the loss (Micikevicius et al. 2018)."""
    ema: float | None = None
    """Keep an average of the weights, of which this share stays at each step; not with "batch"."""
    compile: bool = False
    """Compile the network (torch.compile): minutes at the start, faster steps on a GPU."""
    seed: int = 0
    """Of the first weights, the order of the pairs, crops and fresh holes."""

    # The run.
    resume: bool = False
    """Continue the run in save_dir; start one if there is none."""
    overwrite: bool = False
    """Replace the run in save_dir, each time, also beside resume."""

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name.endswith("_dir") and getattr(self, f.name) is not None:
                setattr(self, f.name, given_path(getattr(self, f.name)))
        for name, hint in get_type_hints(type(self)).items():
            if choices(hint):
                check_choice(name, getattr(self, name), hint)
        check_numbers(self)

    def model_options(self) -> dict[str, Any]:
        """The arguments of the `PixelRNN` to train."""
        names = (
            "hidden_channels",
            "num_layers",
            "patch_size",
            "norm",
            "prefill",
            "standardize",
            "refine",
        )
        return {name: getattr(self, name) for name in names}

    def plain(self) -> dict[str, Any]:
        """This configuration as a dict of plain values, for `torch.load(weights_only=True)`."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}


def check_numbers(config: TrainConfig) -> None:
    """Raises what `TrainConfig` raises for numbers and for what does not go together."""
    for name in (*COUNTS, "crop_size", "longest_hole", "epoch_size"):
        check_number(name, getattr(config, name), least=1, whole=True)
    for name in ("num_workers", "refine", "held_out"):
        check_number(name, getattr(config, name), whole=True)
    check_number("seed", config.seed, most=2**62, whole=True)  # a generator's has 64 bits
    check_number("lr", config.lr, above=0)
    check_number("grad_clip", config.grad_clip, above=0)
    check_number("ssim_weight", config.ssim_weight, most=1)
    check_number("ema", config.ema, above=0, most=1)
    if config.ema is not None and config.norm == "batch":
        raise ValueError('ema: BatchNorm keeps averages of its own; use norm="group"')
    if config.data_dir is not None and config.crop_size is None:
        raise ValueError("data_dir: pictures of any size need a crop_size")
    if config.val_dir is not None and config.crop_size is None:
        raise ValueError("val_dir: pictures of any size need a crop_size")
    if config.held_out and config.data_dir is None:
        raise ValueError("held_out: needs a data_dir to hold pictures of")


def names_of(config: TrainConfig) -> dict[str, int]:
    """How many pictures are trained on, and a sum of their names: the same wherever they lie."""
    if config.data_dir is None:
        names = list_pictures(config.occluded_dir)
    else:
        names = photographs_in(config.data_dir)
    return {"count": len(names), "names": crc32(os.fsencode("/".join(names)))}


def check_same_run(
    state: dict[str, Any], config: TrainConfig, names: dict[str, int], path: Path
) -> None:
    """Raises ValueError, naming what differs, when `config` would continue another run.

    names: what `names_of` returns for `config`.

    A folder that has been moved is the same one. Of pictures that came or went in it, a warning
    tells; other pictures in another folder are another run's.
    """
    free = FREE_TO_CHANGE | ({"epochs"} if config.schedule == "constant" else set())
    now = config.plain()
    # What an older version did not know was then as it is by default.
    before = TrainConfig().plain() | state["train_config"]
    changed = [
        f"{name} was {before[name]!r}, is {now[name]!r}"
        for name in now.keys() - free
        if before[name] != now[name] and not _moved(name, before[name], now[name])
    ]
    then = state.get("pictures", names)
    if names != then:
        said = f"{names['count']} pictures, at first {then['count']}, and not the same names"
        folder = "occluded_dir" if config.data_dir is None else "data_dir"
        if Path(before[folder]).resolve() != Path(now[folder]).resolve():
            changed.append(f"{folder} was {before[folder]!r}, is {now[folder]!r}: {said}")
        elif not changed:
            warnings.warn(f"{path}: pictures came or went since it began: {said}", stacklevel=3)
    if changed:
        raise ValueError(
            f"{path}: cannot resume with another configuration "
            f"({'; '.join(sorted(changed))}); use the same, or overwrite=True"
        )


def _moved(name: str, before: Any, now: Any) -> bool:
    """Whether a folder is still given, be it another path; none is another configuration."""
    return name.endswith("_dir") and None not in (before, now)
