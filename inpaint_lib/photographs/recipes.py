"""The preset, what learns most in the minutes there are; the shipped weights; the demo."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checkpoints import save_model
from ..config import PAIRS
from ..data import SIZE
from ..model import choose_device
from ..paths import World, default_path, pair_folders, world_folder, written_whole
from ..pictures import list_pictures
from ..processes import first_alone
from ..results import MARK
from ..training import Step, TrainConfig, Trainer, run
from .evaluation import by_bucket, evaluate, methods, read_held_out, table, write_csv
from .prepare import ensure_prepared, prepare, read_manifest

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

LARGE: dict[str, Any] = PRESET | {
    "batch_size": 128,
    "lr": 1.5e-3,
    "hidden_channels": 96,
    "num_layers": 4,
    "refine": 8,
    "crop_size": 96,
    "turns": True,
    "ema": 0.999,
    "epoch_size": 51_200,
}
"""The preset at full size, for `TrainConfig.data_dir` and an accelerator."""


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


def on_folders(
    config: TrainConfig,
    with_preset: bool = False,
    data: Path | None = None,
    size: int | None = None,
    val: Path | None = None,
) -> TrainConfig:
    """A configuration for the folders that a person names; `train --help` says how.

    The preset without `data` is trained on the tutorial's photographs, and validated on theirs.
    """
    changes: dict[str, Any] = {}
    if size is not None or data is not None or val is not None:
        changes["crop_size"] = size or config.crop_size or SIZE
    if data is not None:
        changes["data_dir"] = data
        if val is None and config.val_dir is None and config.val_occluded_dir is None:
            changes["held_out"] = config.held_out or held_out_of(len(list_pictures(data)))
    elif with_preset and config.data_dir is None and config.occluded_dir == PAIRS.occluded:
        changes["mask_dir"] = PAIRS.mask
        val = val or default_path("dataset", "val")
    if val is not None and pair_folders(val).original.is_dir():
        folders = pair_folders(val)
        changes["val_occluded_dir"] = folders.occluded
        changes["val_original_dir"] = folders.original
        changes["val_mask_dir"] = folders.mask if folders.mask.is_dir() else None
    elif val is not None:
        changes["val_dir"] = val
    return replace(config, **changes)


def held_out_of(pictures: int) -> int:
    """How many of so many pictures to validate on: a tenth, at least one and at most 50."""
    return min(50, max(1, pictures // 10), pictures - 1)


EPOCHS: dict[World, int] = {"photographs": 60, "bricks": 20}
TRAIN_PAIRS = 4_928  # for shipped weights: crops cost seconds, and vary


def rebuild(world: World) -> None:
    """Train the shipped weights of a world again, into checkpoints/runs/WORLD/WORLD.pth.

    Interrupted, the same command goes on from the last complete epoch.

    Args:
        world: Which of the two sets of weights.
    """
    root = default_path("dataset", "many")
    data = world_folder(world, root)
    with first_alone(choose_device()) as first:
        if first and len(read_manifest(data / "train" / "manifest.csv")) < TRAIN_PAIRS:
            prepare(out=root, train_pairs=TRAIN_PAIRS, world=world)
    save_dir = default_path("checkpoints", "runs", world)
    config = preset(data, save_dir, epochs=EPOCHS[world], resume=True)
    trainer = Trainer(config)
    model = run(trainer)
    if trainer.rank == 0:
        save_model(model, save_dir / f"{world}.safetensors")
        save_model(model, save_dir / f"{world}.pth")
        print(save_dir / f"{world}.pth")


def demo_config(epochs: int = 30) -> TrainConfig:
    """A short run of the preset on the wall."""
    folder = default_path("checkpoints", "runs", "demo")
    return preset(
        world_folder("bricks"), folder, epochs=epochs, lr=2e-3, precision="auto", val_every=10
    )


def demo() -> None:
    """Train on a brick wall, for minutes, and measure on its other part.

    Interrupted, it goes on where it was the next time; finished, it starts anew.
    """
    ensure_prepared("bricks")
    config = demo_config()
    trainer = resumed_or_new(config)
    print(
        "Training on the left part of a brick wall: not the plain network, which needs hours, but "
        "one that\nlooks at patches of 4 x 4 pixels and predicts what is missing from a smooth "
        f"fill, for {trainer.total_steps} steps."
    )
    if trainer.epoch:
        print(f"Going on after epoch {trainer.epoch} of {config.epochs}.")

    def look(step: Step) -> str:
        sheet = trainer.folder.path / "samples" / f"sample_epoch{step.epoch}.png"
        return f"A first look: {sheet} (occluded, completed, original)" if step.epoch == 5 else ""

    try:
        run(trainer, look)
    except KeyboardInterrupt:
        done = trainer.epoch
        kept = (
            f"epoch {done} is kept in {trainer.folder.state}" if done else "no epoch was complete"
        )
        print(f"\nStopped; {kept}. The same command goes on from there.")
        raise
    print("Measuring on the right part of the wall, which training never saw ...")
    report(trainer)


def resumed_or_new(config: TrainConfig) -> Trainer:
    """Continue a run of the demo that has not reported yet; replace one that has."""
    if not (config.save_dir / "table.csv").is_file():
        try:
            return Trainer(replace(config, resume=True))
        except ValueError:  # settings of an older version of this demo
            print(f"{config.save_dir}: an unfinished run of other settings; starting anew.")
    trainer = Trainer(replace(config, overwrite=True))
    (config.save_dir / "table.csv").unlink(missing_ok=True)
    return trainer


def report(trainer: Trainer) -> None:
    """Table, sample grid and learning curve of a finished run, beside its checkpoints."""
    folder = trainer.config.save_dir
    test = read_held_out(world_folder("bricks") / "test")
    chosen = methods(trainer.learner.kept.eval(), read_held_out(world_folder("bricks") / "val"))

    from .. import figures  # draws: a machine that only trains need not have matplotlib

    columns = [(bucket, pair) for bucket, pairs in by_bucket(test).items() for pair in pairs[:2]]
    rows = {
        "occluded": [pair.occluded for _, pair in columns],
        "Telea": [chosen["Telea"][b](pair.occluded, pair.hole) for b, pair in columns],
        "ours": [chosen["ours"][b](pair.occluded, pair.hole) for b, pair in columns],
        "original": [pair.original for _, pair in columns],
    }
    grid = figures.sample_grid(rows, [bucket for bucket, _ in columns])
    curve = figures.learning_curve(trainer.history)
    for figure, name in ((grid, "samples.png"), (curve, "curve.png")):
        with written_whole(folder / name) as partial:
            figure.savefig(partial, format="png", dpi=130, metadata=MARK)

    scores = evaluate(chosen, test)
    write_csv(scores, test, folder / "table.csv")  # last: it marks the run as reported
    print(f"\nMeans over pictures; * best of its column.\n\n{table(scores, test, ['hole_psnr'])}\n")
    print(f"Look at {folder / 'samples.png'} first: the mortar lines go on where Telea smears.")
    print(f"Then    {folder / 'curve.png'}, {folder / 'table.csv'}")
    print("Next    `make lab`: the chapters, from notebooks/01_data_inspection.ipynb on.")
