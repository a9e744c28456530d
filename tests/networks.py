"""Small networks with each option, and a picture to give them: for several test files."""

import pytest
import torch
from torch import nn

from inpaint_lib import PixelRNN

PLAIN = {}
PATCHED = {"patch_size": 4, "norm": "group", "prefill": "thin-plate", "standardize": True}
OPTIONS = [
    pytest.param(PLAIN, id="plain"),
    pytest.param({"patch_size": 4}, id="patches"),
    pytest.param({"norm": "group"}, id="group-norm"),
    pytest.param({"prefill": "push-pull"}, id="prefill"),
    pytest.param({"standardize": True}, id="standardize"),
    pytest.param(PATCHED, id="all"),
]


def network(hidden_channels: int = 4, seed: int = 0, **options) -> PixelRNN:
    """A small network in eval mode whose last layer does something, with prefill too."""
    torch.manual_seed(seed)
    model = PixelRNN(hidden_channels=hidden_channels, **options).eval()
    with torch.no_grad():
        [*_, last] = (m for m in model.output_conv.modules() if isinstance(m, nn.Conv2d))
        last.weight.normal_(0.0, 0.3)
    return model


def picture_and_mask(height: int, width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : height // 2 + 1, width // 3 : 2 * width // 3 + 1] = 1
    return torch.rand(1, 3, height, width, generator=g), mask
