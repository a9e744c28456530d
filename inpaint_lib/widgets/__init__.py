"""Knobs for the chapters: each widget is at home in one of them."""

from .epoch_browser import EpochBrowser
from .pair_browser import PairBrowser
from .ssim_explorer import SSIMExplorer
from .step_player import StepPlayer
from .studio import CompletionStudio
from .training_panel import TrainingPanel

__all__ = [
    "CompletionStudio",
    "EpochBrowser",
    "PairBrowser",
    "SSIMExplorer",
    "StepPlayer",
    "TrainingPanel",
]
