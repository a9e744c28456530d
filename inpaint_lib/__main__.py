"""The command line: `python -m inpaint_lib COMMAND --help`."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import tyro

from .demo import demo
from .photographs import prepare
from .training import TrainConfig, Trainer, run


def train(config: Annotated[TrainConfig, tyro.conf.arg(name="")]) -> None:
    """Train a network on pairs of pictures. Several processes: start it with `torchrun`."""
    trainer = Trainer(config)
    try:
        run(trainer)
    except KeyboardInterrupt:
        if trainer.epoch:
            print(f"\nEpoch {trainer.epoch} is kept in {trainer.state_path}: --resume goes on.")
        raise


def main() -> int:
    """Run a command. Exit code 0: done; 1: an error, told in one line; 130: interrupted."""
    commands: dict[str, Callable[..., Any]] = {"prepare": prepare, "train": train, "demo": demo}
    try:
        made: Any = tyro.extras.subcommand_cli_from_dict(commands, prog="python -m inpaint_lib")
        for folder, pairs in (made or {}).items():  # what `prepare` returns
            print(f"{pairs:5d} pairs in {folder}")
    except KeyboardInterrupt:
        return 130
    except (OSError, ValueError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
