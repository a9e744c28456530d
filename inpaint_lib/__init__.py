"""Image completion with a PixelRNN-style network: a library to be read whole.

The convention everywhere: `mask` is 1 in the hole and 0 where pixels are known; pictures are
(B, 3, H, W) float in [0, 1].
"""

from .doctor import unless_asked

try:
    from .checkpoints import load_model
    from .data import ImageCompletionDataset
    from .filling import compose, push_pull, thin_plate
    from .layers import ConvLSTMCell, GatedPixelRNNLayer, ResidualBlock
    from .metrics import gaussian_window, psnr, ssim, ssim_map
    from .model import PixelRNN
    from .photographs.completion import complete
    from .photographs.fitting import fit
    from .photographs.prepare import prepare
    from .training import TrainConfig, Trainer, train, train_step
except ImportError as error:
    raise unless_asked(error) from error

__all__ = [
    "ConvLSTMCell",
    "GatedPixelRNNLayer",
    "ImageCompletionDataset",
    "PixelRNN",
    "ResidualBlock",
    "TrainConfig",
    "Trainer",
    "complete",
    "compose",
    "fit",
    "gaussian_window",
    "load_model",
    "prepare",
    "psnr",
    "push_pull",
    "ssim",
    "ssim_map",
    "thin_plate",
    "train",
    "train_step",
]
