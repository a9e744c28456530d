"""The step player of chapter 2: what the network holds after each of its steps."""

from .player import StepPlayer

__all__ = ["StepPlayer"]
