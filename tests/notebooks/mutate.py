"""For developers: break the library in one place at a time; a chapter must notice.

    python tests/notebooks/mutate.py [NUMBER ...]

Each mutation is made in a copy of the library, and the chapter that teaches the broken part is run
against it through nbval. Prints a line for each; exit code 1 when one survives. Takes minutes, so
it is not part of `make test`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent


class Mutation(NamedTuple):
    """`old` becomes `new` in a module of inpaint_lib; the chapters that should notice."""

    what: str
    module: str
    old: str
    new: str
    chapters: tuple[str, ...]


COMPONENTS, SSIM, TRAINING, DATA, GPU = (
    "02_components",
    "03_ssim_and_loss",
    "04_training",
    "01_data_inspection",
    "05_gpu_training",
)
CONTROL = Mutation("nothing is broken", "layers", "import math", "import math", (COMPONENTS,))
MUTATIONS = [
    Mutation(
        "tanh and sigmoid swapped in the gated layer",
        "layers",
        "torch.tanh(self.feature(x)) * torch.sigmoid(self.gate(x))",
        "torch.sigmoid(self.feature(x)) * torch.tanh(self.gate(x))",
        (COMPONENTS,),
    ),
    Mutation(
        "forget gate left out",
        "layers",
        "c = torch.sigmoid(f) * c_prev + ",
        "c = c_prev + ",
        (COMPONENTS,),
    ),
    Mutation(
        "output gate looks at the old cell state",
        "layers",
        "h = torch.sigmoid(o) * torch.tanh(c)",
        "h = torch.sigmoid(o) * torch.tanh(c_prev)",
        (COMPONENTS,),
    ),
    Mutation(
        "residual block without its input",
        "layers",
        "return torch.relu(x + self.body(x))",
        "return torch.relu(self.body(x))",
        (COMPONENTS,),
    ),
    Mutation(
        "skip dropped",
        "model",
        "x = x + state[0] + skip",
        "x = x + state[0]",
        (COMPONENTS,),
    ),
    Mutation(
        "state not carried from layer to layer",
        "model",
        "state = self.convlstm(x, state)",
        "state = self.convlstm(x, None)",
        (COMPONENTS,),
    ),
    Mutation(
        "wrong padding of the first convolution",
        "model",
        "hidden_channels, 7, padding=3)",
        "hidden_channels, 5, padding=2)",
        (COMPONENTS,),
    ),
    Mutation(
        "mask polarity in compose",
        "filling",
        "return pred.where(mask > 0.5, occluded)",
        "return pred.where(mask <= 0.5, occluded)",
        (DATA, SSIM),
    ),
    Mutation(
        "mask rule the wrong way round",
        "data",
        "(difference > mask_thresh)",
        "(difference <= mask_thresh)",
        (DATA,),
    ),
    Mutation(
        "an SSIM constant",
        "metrics",
        "0.03",
        "0.05",
        (SSIM,),
    ),
    Mutation(
        "loss weights swapped",
        "losses",
        "(1 - ssim_weight) * term + ssim_weight * (1 - similarity)",
        "ssim_weight * term + (1 - ssim_weight) * (1 - similarity)",
        (SSIM,),
    ),
    Mutation(
        "SSIM of the prediction instead of the composite",
        "losses",
        "ssim(compose(occluded, pred, mask), original)",
        "ssim(pred, original)",
        (SSIM,),
    ),
    Mutation(
        "gradients not cleared between steps",
        "learner",
        "    optimizer.zero_grad(set_to_none=True)\n",
        "",
        (TRAINING,),
    ),
    Mutation(
        "a resumed run forgets the optimizer",
        "learner",
        '        self.optimizer.load_state_dict(state["optimizer"])\n',
        "",
        (TRAINING,),
    ),
    Mutation(
        "the learning rate stays where it began",
        "learner",
        "        self.schedule.step()\n",
        "",
        (GPU,),
    ),
    Mutation(
        "every step waits for the accelerator",
        "learner",
        "(check_shapes if scaler else check_triple)(*batch)",
        "check_triple(*batch)",
        (GPU,),
    ),
]


def caught(mutation: Mutation, folder: Path) -> str | None:
    """The chapter that noticed, or None. Raises ValueError when there is nothing to mutate."""
    package = folder / "inpaint_lib"
    shutil.copytree(ROOT / "inpaint_lib", package, ignore=shutil.ignore_patterns("__pycache__"))
    for shared in ("pyproject.toml", "dataset", "checkpoints", "notebooks"):
        (folder / shared).symlink_to(ROOT / shared)
    file = package / f"{mutation.module}.py"
    source = file.read_text(encoding="utf-8")
    if mutation.old not in source:
        raise ValueError(f"{mutation.what}: {mutation.old!r} is not in {mutation.module}.py")
    file.write_text(source.replace(mutation.old, mutation.new), encoding="utf-8")
    for chapter in mutation.chapters:
        command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-x", "-q"]
        command += ["-p", "no:cacheprovider", "--rootdir", str(folder)]
        done = subprocess.run(
            [*command, str(ROOT / "notebooks" / f"{chapter}.ipynb")],
            env=os.environ | {"PYTHONPATH": str(folder)},
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode == 1:
            return chapter
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
    return None


def main() -> int:
    chosen = [int(n) for n in sys.argv[1:]] or range(len(MUTATIONS))
    with tempfile.TemporaryDirectory() as folder:
        if chapter := caught(CONTROL, Path(folder)):
            raise RuntimeError(f"{chapter} fails although nothing is broken")
    survived = 0
    for n in chosen:
        with tempfile.TemporaryDirectory() as folder:
            chapter = caught(MUTATIONS[n], Path(folder))
        survived += chapter is None
        print(f"{n:2d}  {MUTATIONS[n].what}: {chapter or 'SURVIVED'}", flush=True)
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
