"""What a user would pick instead of a network, and the network, behind one signature."""

from collections.abc import Callable

import numpy as np
import torch

from ..model import PixelRNN
from ..pictures import to_pixels, to_tensor
from .completion import complete

# (H, W, 3) uint8, (H, W) bool -> (H, W, 3) uint8
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mean_colour(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The hole in the mean colour of the known pixels."""
    result = picture.copy()
    result[hole] = picture[~hole].mean(axis=0).round()
    return result


def telea(radius: int) -> Method:
    """OpenCV's fast marching method (Telea 2004)."""
    return _opencv("INPAINT_TELEA", radius)


def navier_stokes(radius: int) -> Method:
    """OpenCV's method after Bertalmio, Bertozzi & Sapiro (2001)."""
    return _opencv("INPAINT_NS", radius)


def _opencv(flag: str, radius: int) -> Method:
    import cv2

    return lambda picture, hole: cv2.inpaint(
        picture, hole.astype(np.uint8), radius, getattr(cv2, flag)
    )


def biharmonic(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """scikit-image's biharmonic equation (Damelin & Hoang 2018)."""
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(picture / 255, hole, channel_axis=-1)
    return (filled.clip(0, 1) * 255).round().astype(np.uint8)


def smooth(fill: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Method:
    """`push_pull` or `thin_plate` on a picture of 8 bits."""
    return lambda picture, hole: to_pixels(
        fill(to_tensor(picture), torch.from_numpy(hole)[None, None].float())
    )


def network(model: PixelRNN) -> Method:
    """A trained network as it is used: through `complete`."""
    return lambda picture, hole: np.asarray(complete(model, picture, hole))
