"""The preset: what learns most in the minutes there are, and the shipped weights made with it."""

from pathlib import Path
from typing import Any

import tyro

from .checkpoints import save_model
from .paths import World, default_path, pair_folders, world_folder
from .photographs import prepare, read_manifest
from .training import TrainConfig, Trainer, run

PRESET: dict[str, Any] = {
    "batch_size": 8,
    "lr": 1e-3,
    "hidden_channels": 32,
    "patch_size": 4,
    "norm": "group",
    "prefill": "thin-plate",
    "standardize": True,
    "crop_size": 64,
    "fresh_holes": True,
    "in_memory": True,
    "schedule": "one-cycle",
    "grad_clip": 1.0,
    "hole_term": "psnr",
}
"""Options of `train`: each is a remedy for a weakness of the plain network."""


def preset(data: Path, save_dir: Path, **changes: Any) -> TrainConfig:
    """The preset for a folder with the `train` and `val` pairs that `prepare` makes."""
    train = pair_folders(data / "train")
    val = pair_folders(data / "val")
    folders = {
        "occluded_dir": train.occluded,
        "original_dir": train.original,
        "mask_dir": train.mask,
        "val_occluded_dir": val.occluded,
        "val_original_dir": val.original,
        "val_mask_dir": val.mask,
    }
    return TrainConfig(save_dir=save_dir, **folders | PRESET | changes)


EPOCHS: dict[World, int] = {"photographs": 60, "bricks": 20}
PAIRS = 4_928  # training pairs to prepare for shipped weights: crops cost seconds, and vary


def rebuild(world: tyro.conf.Positional[World]) -> None:
    """Train the shipped weights of a world again, into checkpoints/runs/WORLD/WORLD.pth.

    Interrupted, the same command goes on from the last complete epoch.

    Args:
        world: Which of the two sets of weights.
    """
    root = default_path("dataset", "many")
    data = world_folder(world, root)
    if len(read_manifest(data / "train" / "manifest.csv")) < PAIRS:
        prepare(out=root, train_pairs=PAIRS)
    save_dir = default_path("checkpoints", "runs", world)
    config = preset(data, save_dir, epochs=EPOCHS[world], resume=True)
    model = run(Trainer(config))
    save_model(model, save_dir / f"{world}.pth")
    print(save_dir / f"{world}.pth")
