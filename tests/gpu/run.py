"""Walk the whole path on an accelerator, within minutes, and write down what was seen.

    python tests/gpu/run.py --out gpu_records --minutes 12
    python tests/gpu/run.py --out gpu_records --quick      # on a CPU, tiny, in less than a minute
    python tests/gpu/run.py --out notebooks/records/two_cores --device cpu --stages speed

Four stages, each of which leaves a file and is passed over when it is there, so that an
interrupted call can be repeated: `checks` (checks.txt), `speed` (speed.tsv, one change at a
time), `original` (the original recipe to its last epoch: original.tsv, original.pth and its
sample grids in original_samples.zip), `preset` (the large preset on the large set for the minutes
that are left: preset.tsv, preset.pth). device.json names the machine. Needs torch, torchvision,
numpy, Pillow, scipy, scikit-image, scikit-learn, filelock and tqdm.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Generator, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import checks  # noqa: E402

from inpaint_lib import ImageCompletionDataset, PixelRNN, train_step  # noqa: E402
from inpaint_lib.data import Batch  # noqa: E402
from inpaint_lib.model import choose_device  # noqa: E402
from inpaint_lib.paths import default_path, pair_folders  # noqa: E402
from inpaint_lib.photographs.prepare import ensure_prepared, prepare_large  # noqa: E402
from inpaint_lib.photographs.recipes import LARGE, preset  # noqa: E402
from inpaint_lib.training import TrainConfig, Trainer  # noqa: E402

GRIDS = (1, 5, 10, 25, 50, 100, 150, 190, 200)
QUICK_PLAIN: dict[str, Any] = {"hidden_channels": 4, "num_layers": 1}
QUICK_LARGE: dict[str, Any] = QUICK_PLAIN | {"batch_size": 8, "crop_size": 32}


class Walk:
    """The folder of records, the time that is left, what is trained on and where runs are kept."""

    def __init__(self, out: Path, minutes: float, device: str):
        self.out = out
        self.ends = time.monotonic() + 60 * minutes
        self.quick = False
        self.device = device
        self.data = default_path("dataset")
        self.work = default_path("checkpoints", "runs", f"walk-{torch.device(device).type}")
        out.mkdir(parents=True, exist_ok=True)

    @property
    def large(self) -> Path:
        return self.data / "large"

    def prepare(self, with_large: bool) -> None:
        ensure_prepared()
        if with_large and not (self.large / "val").is_dir():
            prepare_large()

    @property
    def seconds_left(self) -> float:
        return self.ends - time.monotonic()

    def say(self, text: str) -> None:
        print(f"[{self.seconds_left:6.0f} s left] {text}", flush=True)


class QuickWalk(Walk):
    """On the CPU, with a handful of tiny pairs, everything but the records in one folder."""

    def __init__(self, out: Path, minutes: float, folder: Path):
        super().__init__(out, minutes, "cpu")
        self.quick = True
        self.data = folder / "data"
        self.work = folder / "runs"

    def prepare(self, with_large: bool) -> None:
        for part, count in (("train", 8), ("val", 4), ("large/val", 4)):
            checks.write_pairs(self.data / part, count, side=32)
        # Pictures of any size are trained on: the originals of three more pairs.
        more = checks.write_pairs(self.data / "more", 3, side=48)
        pair_folders(more).original.rename(self.large / "train")


def processor_name() -> str:
    """As Linux tells it, where it does."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def describe(walk: Walk) -> None:
    """device.json: what the records were made on."""
    device = torch.device(walk.device)
    name = processor_name()
    memory = 0.0
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
    about = {
        "device": name,
        "memory in GiB": round(memory, 1),
        "torch": torch.__version__,
        "CUDA": torch.version.cuda,
        "Python": platform.python_version(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "date": date.today().isoformat(),
    }
    (walk.out / "device.json").write_text(json.dumps(about, indent=1) + "\n")
    walk.say(f"{about}")


def run_checks(walk: Walk) -> None:
    """checks.txt: a line for each check, and what it said where it failed."""
    lines = []
    for check in checks.ON_ANY_DEVICE + ([] if walk.quick else checks.ON_A_GPU):
        began = time.monotonic()
        try:
            check(walk.device)
            verdict = "ok"
        except Exception as error:  # written down; the others still run
            verdict = f"FAILED: {type(error).__name__}: {' '.join(str(error).split())[:500]}"
        lines.append(f"{check.__name__}\t{time.monotonic() - began:.1f} s\t{verdict}")
        walk.say(lines[-1])
    (walk.out / "checks.txt").write_text("\n".join(lines) + "\n")


def synchronize() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def pictures_a_second(steps: Iterator[int], seconds: float, at_once: int = 4) -> float:
    """Pictures in a second; each item of `steps` says how many pictures its step took.

    at_once: steps between two looks at the clock, for which a GPU has to be waited for.
    """
    for _ in range(2 * at_once):  # kernels are loaded and chosen
        next(steps)
    synchronize()
    began = time.monotonic()
    pictures = 0
    while time.monotonic() - began < seconds:
        for _ in range(at_once):
            pictures += next(steps)
        synchronize()
    return pictures / (time.monotonic() - began)


def by_hand(walk: Walk) -> Iterator[int]:
    """The plain loop: files read by the training process, losses read at each step."""
    torch.manual_seed(0)
    model = PixelRNN(**QUICK_PLAIN if walk.quick else {}).to(walk.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    folders = pair_folders(walk.data / "train")
    pairs = ImageCompletionDataset(folders.occluded, folders.original)
    while True:
        for items in DataLoader(pairs, 4, shuffle=True):
            batch = Batch(*items).to(walk.device)
            _ = [value.item() for value in train_step(model, batch, optimizer)]
            yield len(batch.mask)


def by_trainer(trainer: Trainer) -> Generator[int, None, None]:
    """The loop of the library. The last batch of an epoch may be a smaller one."""
    size = trainer.config.batch_size
    rest = len(trainer.data) - size * (len(trainer.batches) - 1)
    for step in trainer.steps():
        yield size if step.log is None else rest


def measure_speed(walk: Walk) -> None:
    """speed.tsv: pictures a second and peak memory, one change at a time."""
    plain: dict[str, Any] = {"device": walk.device, "overwrite": True, "epochs": 10_000}
    plain |= QUICK_PLAIN if walk.quick else {}
    train = pair_folders(walk.data / "train")

    def start(config: TrainConfig, last: bool) -> Iterator[int]:
        trainer = Trainer(config)
        if last:
            trainer.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return by_trainer(trainer)

    def plain_run(name: str, last: bool = False, **changes: Any) -> Iterator[int]:
        folders = (train.occluded, train.original, walk.work / "speed" / name)
        config = TrainConfig(*folders, **plain | changes)
        return start(config, last)

    def preset_run(name: str, last: bool = False, **changes: Any) -> Iterator[int]:
        small = QUICK_LARGE if walk.quick else {}
        config = preset(walk.data, walk.work / "speed" / name, **plain | small | changes)
        return start(config, last)

    memory: dict[str, Any] = {"in_memory": True}
    low: dict[str, Any] = memory | {"precision": "bfloat16"}
    rows: dict[str, Callable[[], Iterator[int]]] = {
        "plain network, batch 4, by hand: files, every loss read": lambda: by_hand(walk),
        "the loop of this library: losses stay on the device": lambda: plain_run("a"),
        "pairs in the device's memory": lambda: plain_run("b", **memory),
        "bfloat16": lambda: plain_run("c", **low),
        "channels last": lambda: plain_run("d", **low, last=True),
        "batch 32": lambda: plain_run("e", **low, batch_size=32, last=True),
        "preset, batch 8, float32": lambda: preset_run("f"),
        "preset, bfloat16": lambda: preset_run("g", **low),
        "preset, batch 256": lambda: preset_run("h", **low, batch_size=8 if walk.quick else 256),
        "preset, batch 256, channels last": lambda: preset_run(
            "i", **low, batch_size=8 if walk.quick else 256, last=True
        ),
        "plain network, batch 4, bfloat16, compiled": lambda: plain_run("j", **low, compile=True),
    }
    seconds = 0.1 if walk.quick else 3.0
    at_once = 4
    if torch.device(walk.device).type == "cpu":
        rows.popitem()  # compiling takes minutes there
        seconds = 0.1 if walk.quick else 20.0
        at_once = 1
    lines = ["what\tpictures a second\tpeak memory in GB"]
    for name, make in rows.items():
        try:
            if torch.device(walk.device).type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            speed = pictures_a_second(make(), seconds, at_once)
            peak = ""  # of a CPU's memory it is not known who has it
            if torch.device(walk.device).type == "cuda":
                peak = f"{torch.cuda.max_memory_allocated() / 1e9:.2f}"
            lines.append(f"{name}\t{speed:.1f}\t{peak}")
        except Exception as error:  # written down; the others are still measured
            lines.append(f"{name}\tFAILED: {type(error).__name__}: {str(error)[:300]}\t")
        walk.say(lines[-1])
        (walk.out / "speed.tsv").write_text("\n".join(lines) + "\n")


def follow(walk: Walk, trainer: Trainer, seconds: float) -> bool:
    """Train, at most for some seconds; True when the run is at its end."""
    ends = time.monotonic() + seconds
    for step in trainer.steps():
        if step.log:
            walk.say(f"epoch {step.epoch} of {trainer.config.epochs}: {step.log}")
            if time.monotonic() > ends:
                return trainer.epoch == trainer.config.epochs
    return True


def train_original(walk: Walk) -> None:
    """The original recipe: exactly the defaults but for the precision and where pairs are kept."""
    train = pair_folders(walk.data / "train")
    folders = pair_folders(walk.data / "val")
    options: dict[str, Any] = {
        "occluded_dir": train.occluded,
        "original_dir": train.original,
        "save_dir": walk.work / "original",
        "device": walk.device,
        "in_memory": True,
        "precision": "auto",
        "val_occluded_dir": folders.occluded,
        "val_original_dir": folders.original,
        "val_mask_dir": folders.mask,
        "resume": True,
    }
    if walk.quick:
        options |= QUICK_PLAIN | {"epochs": 2}
    config = TrainConfig(**options)
    began = time.monotonic()
    trainer = Trainer(config)
    done = follow(walk, trainer, walk.seconds_left - 20)
    walk.say(f"original: epoch {trainer.epoch} after {time.monotonic() - began:.0f} s here")
    shutil.copyfile(config.save_dir / "training_log.txt", walk.out / "original.tsv")
    with zipfile.ZipFile(walk.out / "original_samples.zip", "w") as archive:
        for epoch in GRIDS:
            sheet = config.save_dir / "samples" / f"sample_epoch{epoch}.png"
            if sheet.is_file():
                archive.write(sheet, sheet.name)
    if done:
        weights = config.save_dir / f"model_epoch{config.epochs}.pth"
        shutil.copyfile(weights, walk.out / "original.pth")


def train_preset(walk: Walk) -> None:
    """The large preset for the minutes that are left: as many epochs as fit are planned first."""
    folders = pair_folders(walk.large / "val")
    options: dict[str, Any] = LARGE | {
        "save_dir": walk.work / "preset",
        "device": walk.device,
        "precision": "auto",
        "data_dir": walk.large / "train",
        "val_occluded_dir": folders.occluded,
        "val_original_dir": folders.original,
        "val_mask_dir": folders.mask,
        "in_memory": True,
    }
    if walk.quick:
        options |= QUICK_LARGE | {"epoch_size": 16}
    state = options["save_dir"] / "state.pth"
    plan = walk.work / "plan.json"
    if not state.is_file():  # how long does an epoch take?
        here = {"save_dir": walk.work / "probe", "overwrite": True, "epochs": 10_000}
        probe = Trainer(TrainConfig(**options | here))
        steps = by_trainer(probe)
        speed = pictures_a_second(steps, 0.2 if walk.quick else 8.0)
        steps.close()
        epoch = len(probe.data) / speed + 1.5
        epochs = 2 if walk.quick else max(2, int((walk.seconds_left - 25) / epoch))
        walk.say(f"{speed:.0f} pictures a second: {epochs} epochs of {epoch:.1f} s")
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text(json.dumps({"epochs": epochs, "speed": speed}) + "\n")
        del probe
    options["epochs"] = json.loads(plan.read_text())["epochs"]
    trainer = Trainer(TrainConfig(**options, resume=True))
    done = follow(walk, trainer, walk.seconds_left - 10)
    shutil.copyfile(options["save_dir"] / "training_log.txt", walk.out / "preset.tsv")
    if done or trainer.epoch:
        from inpaint_lib.checkpoints import save_model

        save_model(trainer.learner.kept, walk.out / "preset.pth")


STAGES: dict[str, tuple[str, Callable[[Walk], None]]] = {
    "checks": ("checks.txt", run_checks),
    "speed": ("speed.tsv", measure_speed),
    "original": ("original.pth", train_original),
    "preset": ("preset.pth", train_preset),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("gpu_records"))
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; the best there is by default")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, on the CPU")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            take(QuickWalk(options.out, options.minutes, Path(folder)), options.stages.split(","))
    else:
        device = str(choose_device(options.device))
        take(Walk(options.out, options.minutes, device), options.stages.split(","))


def take(walk: Walk, stages: list[str]) -> None:
    """All stages whose file is not there yet."""
    describe(walk)
    torch.backends.cudnn.benchmark = walk.device != "cpu"
    walk.prepare(with_large="preset" in stages)
    for name in stages:
        file, stage = STAGES[name]
        if (walk.out / file).is_file():
            walk.say(f"{name}: done before")
        else:
            walk.say(name)
            stage(walk)


if __name__ == "__main__":
    main()
