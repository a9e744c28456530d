"""The network. Taught in notebooks/02_components.ipynb."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_choice, check_number, check_shape
from .filling import FILLS, Prefill
from .layers import ConvLSTMCell, GatedPixelRNNLayer, Norm, ResidualBlock, make_norm


class PixelRNN(nn.Module):
    """Completes pictures: RGB and mask in, RGB out, in one pass.

    Gated layers follow one another as the time steps of a recurrent network would: one
    ConvLSTM, with one set of weights, is stepped from layer to layer and carries its state
    through the depth of the network. It is not autoregressive as the PixelRNN of van den Oord
    et al. (2016, "Pixel Recurrent Neural Networks") is: no masked convolutions, no likelihood.

    The keyword-only options are remedies, off by default.
    patch_size: compute on patches of that many pixels squared instead of on pixels
        (pixel_unshuffle in front, pixel_shuffle behind; Shi et al. 2016). The receptive field
        grows by that factor, the cost of a pixel falls by nearly its square.
    norm: "batch" or "group", see `make_norm`.
    prefill: start from a fill of the hole and predict what is missing from it: "push-pull", or
        the smoother "thin-plate".
    refine: so many channels more than RGB are predicted for each pixel, and two 3x3 convolutions
        at full resolution make a correction of RGB from all of them, the picture and the mask;
        0: none. Without them neighbouring patches are predicted apart, and faint blocks show.
    standardize: look at the picture with the known pixels' mean taken away and in units of
        their standard deviation, and predict in these units, so that a faint picture is as
        much of a lesson as a contrasty one.
    """

    def __init__(
        self,
        in_channels: int = 4,
        hidden_channels: int = 48,
        num_layers: int = 3,
        *,
        patch_size: int = 1,
        norm: Norm = "batch",
        prefill: Prefill | None = None,
        standardize: bool = False,
        refine: int = 0,
    ):
        super().__init__()
        self.config: dict[str, Any] = {
            "in_channels": in_channels,
            "hidden_channels": hidden_channels,
            "num_layers": num_layers,
            "patch_size": patch_size,
            "norm": norm,
            "prefill": prefill,
            "standardize": standardize,
            "refine": refine,
        }
        for name in ("in_channels", "hidden_channels", "num_layers", "patch_size", "refine"):
            check_number(name, self.config[name], least=int(name != "refine"), whole=True)
        check_choice("prefill", prefill, Prefill | None)
        self.patch_size = patch_size
        self.fill = None if prefill is None else FILLS[prefill]
        self.standardize = standardize
        pixels = patch_size**2
        self.input_conv = nn.Conv2d(in_channels * pixels, hidden_channels, 7, padding=3)
        self.layers = nn.ModuleList(
            GatedPixelRNNLayer(hidden_channels, norm=norm) for _ in range(num_layers)
        )
        self.convlstm = ConvLSTMCell(hidden_channels, hidden_channels)
        self.res_blocks = nn.Sequential(
            ResidualBlock(hidden_channels, norm=norm), ResidualBlock(hidden_channels, norm=norm)
        )
        made = (3 + refine) * pixels
        width = max(32, made)  # narrower than its output, it would be a bottleneck
        last = nn.Conv2d(width, made, 1)
        self.output_conv = nn.Sequential(
            nn.Conv2d(hidden_channels, width, 3, padding=1),
            # With a prefill the output starts at zero. Until the network is better than the
            # fill, its noise only costs; gradient descent removes it by killing these ReLUs.
            # A norm in front keeps them alive.
            *([make_norm(norm, width)] if norm == "group" else []),
            nn.ReLU(),
            last,
            nn.Identity() if self.fill or refine else nn.Sigmoid(),
        )
        self.refine: nn.Sequential | None = None
        if refine:
            correction = nn.Conv2d(16, 3, 3, padding=1)
            self.refine = nn.Sequential(
                nn.Conv2d(3 + refine + in_channels, 16, 3, padding=1),
                make_norm(norm, 16),
                nn.ReLU(),
                correction,
            )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if prefill:
            nn.init.zeros_(last.weight)  # training starts at the fill, not at noise on top of it
        if refine:
            nn.init.zeros_(correction.weight)  # and without a correction

    def begin(self, img_rgb: Tensor, mask: Tensor) -> Tensor:
        """What the network starts from, of img_rgb's shape: its prefill, or the picture itself."""
        return img_rgb if self.fill is None else self.fill(img_rgb, mask)

    def forward(self, img_rgb: Tensor, mask: Tensor, start: Tensor | None = None) -> Tensor:
        """img_rgb (B, 3, H, W) in [0, 1], black in the hole; mask (B, 1, H, W), 1 in the hole;
        start: what `begin` returns for them, where it has been computed already.

        Returns the predicted picture (B, 3, H, W) in [0, 1], known pixels predicted too:
        `compose` puts the true ones back. Any height and width. Raises TypeError for integers,
        ValueError for another number of channels.
        """
        check_shape("img_rgb", img_rgb, 3)
        check_shape("mask", mask, 1)
        start = self.begin(img_rgb, mask) if start is None else start
        height, width = start.shape[-2:]
        mean, deviation = _known(start, mask) if self.standardize else (0.0, 1.0)
        seen = x = torch.cat([(start - mean) / deviation, mask], dim=1)  # (B, 4, H, W)
        if self.patch_size > 1:
            right, bottom = -width % self.patch_size, -height % self.patch_size
            x = F.pad(x, (0, right, 0, bottom), "replicate")
            x = F.pixel_unshuffle(x, self.patch_size)  # (B, 4 p^2, H/p, W/p), p the patch_size

        skip = x = self.input_conv(x)  # (B, hidden_channels, H/p, W/p)
        state = None
        for layer in self.layers:
            x = layer(x)
            state = self.convlstm(x, state)  # (h, c), each of x's shape
            x = x + state[0] + skip
        out: Tensor = self.output_conv(self.res_blocks(x))  # (B, (3 + refine) p^2, H/p, W/p)

        if self.patch_size > 1:
            out = F.pixel_shuffle(out, self.patch_size)[..., :height, :width]
        if self.refine is not None:  # (B, 3 + refine, H, W) -> (B, 3, H, W)
            out = out[:, :3] + self.refine(torch.cat([out, seen], dim=1))
            out = out if self.fill else out.sigmoid()
        return out if self.fill is None else (start + deviation * out).clamp(0, 1)


def _known(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, 3, 1, 1) and standard deviation (B, 1, 1, 1) of the known pixels."""
    known = 1 - mask
    count = known.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = (image * known).sum(dim=(2, 3), keepdim=True) / count
    variance = ((image - mean).square() * known).sum(dim=(2, 3), keepdim=True) / count
    # 1e-4: a flat picture has no deviation to divide by.
    return mean, (variance.mean(dim=1, keepdim=True) + 1e-4).sqrt()


def plain_network(model: nn.Module) -> PixelRNN:
    """The network itself, of a compiled or wrapped one (DataParallel, DistributedDataParallel).

    Raises TypeError where there is no `PixelRNN`.
    """
    inner: Any = model
    while not isinstance(inner, PixelRNN):
        wrapped = getattr(inner, "_orig_mod", None) or getattr(inner, "module", None)
        if wrapped is None:
            raise TypeError(f"a PixelRNN is needed, not a {type(model).__name__}")
        inner = wrapped
    return inner


@contextmanager
def ready(model: nn.Module) -> Iterator[PixelRNN]:
    """The network to complete with: plain, in eval mode, in float32 at least.

    Of one in half precision a copy: the fills it starts from need more digits. Afterwards each of
    its parts is in the mode in which it was.
    """
    network = plain_network(model)
    dtype = next(network.parameters()).dtype
    wide = torch.promote_types(dtype, torch.float32)
    if wide != dtype:
        network = deepcopy(network).to(wide)
    training = [module for module in network.modules() if module.training]
    try:
        yield network.eval()
    finally:
        for module in training:
            module.training = True


def choose_device(name: torch.device | str | None = None) -> torch.device:
    """The device of that name; None: the accelerator that torch finds, else the CPU.

    Raises ValueError when torch knows no device of that name, or finds none here.
    """
    here = torch.accelerator.current_accelerator(check_available=True)
    if name is None:
        return here or torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {str(name)!r}: {error}") from None
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "meta":
        raise ValueError("device 'meta': holds no values, so nothing can be computed there")
    found = "only the CPU" if here is None else f"{torch.accelerator.device_count()} x {here.type}"
    missing = here is None or device.type != here.type
    if missing or (device.index or 0) >= torch.accelerator.device_count():
        raise ValueError(f"device {str(name)!r}: is not there; torch finds {found}")
    return device


# Multiply-adds of one pass: below it, further threads of a CPU gain less than they risk.
SMALL = 5e9


@contextmanager
def threads_for(model: PixelRNN, pixels: int) -> Iterator[None]:
    """Compute `pixels` with a network on as many threads as pay; the caller's number comes back.

    Threads wait for each other after every operation, and where another program keeps a core
    busy, they wait for that: a small network is then slower on two threads than on one. So it
    gets one; a large one gets the threads that torch has been given.
    """
    before = torch.get_num_threads()
    weights = sum(p.numel() for p in model.parameters())
    if weights * pixels / model.patch_size**2 < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
