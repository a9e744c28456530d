"""The training panel of chapter 4: turn knobs, train, pause, resume."""

from .panel import TrainingPanel

__all__ = ["TrainingPanel"]
