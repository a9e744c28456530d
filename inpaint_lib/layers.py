"""The three building blocks of the network: gated layer, ConvLSTM cell, residual block.

Taught in notebooks/02_components.ipynb.
"""

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["batch", "group"]


def make_norm(kind: Norm, channels: int) -> nn.Module:
    """`"batch"`: BatchNorm (Ioffe & Szegedy 2015). `"group"`: GroupNorm (Wu & He 2018).

    GroupNorm has no memory of other pictures: it behaves the same in training and in use,
    for a batch of any size. Raises ValueError for any other name.
    """
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(math.gcd(8, channels), channels)
    raise ValueError(f"norm {kind!r}: choose one of {', '.join(map(repr, get_args(Norm)))}")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to their input (He et al. 2016).

    (B, channels, H, W) -> (B, channels, H, W).
    """

    def __init__(self, channels: int, *, norm: Norm = "batch"):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            make_norm(norm, channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            make_norm(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class GatedPixelRNNLayer(nn.Module):
    """A feature and, for each of its values, a gate that says how much of it passes.

    tanh(norm(W_f * x)) . sigmoid(norm(W_g * x)); the gated activation of van den Oord et al.
    (2016, "Conditional Image Generation with PixelCNN Decoders"), without their masked
    convolutions: all pixels are computed at once. (B, channels, H, W) -> the same shape.
    """

    def __init__(self, channels: int, *, norm: Norm = "batch"):
        super().__init__()
        self.feature = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), make_norm(norm, channels)
        )
        self.gate = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), make_norm(norm, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.feature(x)) * torch.sigmoid(self.gate(x))


class ConvLSTMCell(nn.Module):
    """One step of a convolutional LSTM (Shi et al. 2015), without their peepholes.

    Shi et al. also let the gates look at the cell state (W_ci, W_cf, W_co); here, as in most
    later work, one convolution over [x, h_prev] gives all four gates.
    """

    def __init__(self, input_channels: int, hidden_channels: int, kernel_size: int = 3):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.conv = nn.Conv2d(
            input_channels + hidden_channels,
            4 * hidden_channels,
            kernel_size,
            padding=kernel_size // 2,
        )

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """x (B, input_channels, H, W), state (h_prev, c_prev), each (B, hidden_channels, H, W).

        Returns (h, c), of the same shape as the state. A state of None stands for zeros, and
        costs half: zeros are not convolved.
        """
        if state is None:
            weight = self.conv.weight[:, : x.shape[1]]
            gates = F.conv2d(x, weight, self.conv.bias, padding=self.conv.padding[0])
            c_prev = torch.zeros_like(gates[:, : self.hidden_channels])
        else:
            h_prev, c_prev = state
            gates = self.conv(torch.cat([x, h_prev], dim=1))
        i, f, o, g = gates.chunk(4, dim=1)
        # c = f . c_prev + i . g
        c = torch.sigmoid(f) * c_prev + torch.sigmoid(i) * torch.tanh(g)
        # h = o . tanh(c)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c

    def init_hidden(
        self, batch_size: int, spatial_size: tuple[int, int], device: torch.device | str | None
    ) -> tuple[Tensor, Tensor]:
        """(h, c) before the first step: zeros, (batch_size, hidden_channels, *spatial_size)."""
        zeros = torch.zeros(
            batch_size,
            self.hidden_channels,
            *spatial_size,
            device=device,
            dtype=self.conv.weight.dtype,
        )
        return zeros, zeros.clone()
