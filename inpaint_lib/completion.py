"""Completing a photograph of any size."""

import os

import numpy as np
import torch
from PIL import Image

from .filling import compose
from .model import PixelRNN
from .pictures import read_picture, upright_rgb

Picture = Image.Image | np.ndarray | str | os.PathLike


def as_picture(image: Picture) -> Image.Image:
    """A PIL image, an (H, W, 3) uint8 array or a path, as upright 8-bit RGB.

    Raises ValueError for an array of another shape or type, and what `read_picture` raises.
    """
    if isinstance(image, str | os.PathLike):
        return read_picture(image)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"image: needs an (H, W, 3) uint8 array, got {image.shape} {image.dtype}"
            )
        return Image.fromarray(image)
    return upright_rgb(image)


def to_tensor(picture: Image.Image | np.ndarray) -> torch.Tensor:
    """(H, W, 3) in [0, 255] -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1)[None] / 255


def complete(model: PixelRNN, image: Picture, mask: np.ndarray) -> Image.Image:
    """Fill the hole of a photograph; all other pixels come out as they went in.

    image: PIL image, (H, W, 3) uint8 array, or path; read as upright 8-bit RGB. mask: (H, W),
    non-zero is hole. What lies under the hole never reaches the network. Returns an RGB image
    of the same size. Raises ValueError when the mask is not of the image's size.
    """
    picture = np.asarray(as_picture(image))
    hole = np.asarray(mask) != 0
    if hole.shape != picture.shape[:2]:
        raise ValueError(
            f"the mask is {hole.shape}, the picture {picture.shape[:2]} (height, width); "
            "they must be of one size"
        )
    if not hole.any():
        return Image.fromarray(picture)
    device = next(model.parameters()).device
    m = torch.from_numpy(hole)[None, None].float().to(device)
    occluded = to_tensor(picture).to(device) * (1 - m)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        comp = compose(occluded, model(occluded, m), m)
    model.train(was_training)
    pixels = (comp[0].permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()
    return Image.fromarray(np.where(hole[..., None], pixels, picture))
