"""Knobs for the chapters: each widget is at home in one of them."""

from .completion_studio import CompletionStudio
from .pair_browser import PairBrowser
from .ssim_explorer import SSIMExplorer
from .step_player import StepPlayer
from .training_panel import TrainingPanel

__all__ = ["CompletionStudio", "PairBrowser", "SSIMExplorer", "StepPlayer", "TrainingPanel"]
