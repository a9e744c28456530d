"""How alike two pictures are: SSIM and PSNR. Taught in notebooks/03_ssim_and_loss.ipynb."""

from functools import cache
from typing import Any

import torch
from torch import Tensor


def gaussian_window(
    window_size: int, sigma: float, channel: int, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """A Gaussian weighting for each channel: (channel, 1, window_size, window_size).

    Each channel sums to 1. `sigma` in pixels.
    """
    x = torch.arange(window_size, dtype=torch.float64) - (window_size - 1) / 2
    g = torch.exp(-(x**2) / (2 * sigma**2))
    g = g / g.sum()
    return torch.outer(g, g).to(dtype).expand(channel, 1, -1, -1).contiguous()


@cache
def _taps(window_size: int, sigma: float) -> tuple[float, ...]:
    """A row of `gaussian_window` before the outer product, from its middle outwards."""
    x = torch.arange(window_size, dtype=torch.float64) - (window_size - 1) / 2
    g = torch.exp(-(x**2) / (2 * sigma**2))
    return tuple((g / g.sum()).tolist()[window_size // 2 :])


class _Blur(torch.autograd.Function):
    """Each channel of (B, C, H, W) weighted by a Gaussian window, with zeros beyond the border.

    A window that is the product of a column and a row is applied as one after the other, as
    sums of shifted pictures: on a CPU this takes half the time of a convolution. The window is
    symmetric, so the gradient is blurred as the picture was.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, window_size: int, sigma: float) -> Tensor:
        ctx.window = window_size, sigma
        for dim in (-1, -2):
            size = image.shape[dim]
            middle, *taps = _taps(window_size, sigma)
            total = image * middle
            for shift, tap in enumerate(taps, start=1):
                before = image.narrow(dim, 0, size - shift)
                after = image.narrow(dim, shift, size - shift)
                total.narrow(dim, shift, size - shift).add_(before, alpha=tap)
                total.narrow(dim, 0, size - shift).add_(after, alpha=tap)
            image = total
        return image

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Blur.apply(grad, *ctx.window), None, None


def _check_pair(name: str, img1: Tensor, img2: Tensor, data_range: float) -> None:
    """Shapes and types only; values are not read."""
    if img1.shape != img2.shape or img1.ndim != 4:
        raise ValueError(
            f"{name} needs two (B, C, H, W) of one shape: {tuple(img1.shape)}, {tuple(img2.shape)}"
        )
    for image in (img1, img2):
        if data_range == 1 and not image.is_floating_point():
            raise TypeError(f"{name}: is {image.dtype}; divide by 255, or give data_range=255")


def ssim_map(
    img1: Tensor,
    img2: Tensor,
    window_size: int = 7,
    sigma: float = 1.5,
    data_range: float = 1.0,
    eps: float = 1e-6,
) -> Tensor:
    """SSIM (Wang et al. 2004) of the window around each pixel: (B, C, H, W).

    img1, img2 (B, C, H, W) with values in [0, data_range]. float16 and bfloat16 are computed
    in float32, whatever autocast says: E[x^2] - E[x]^2 cancels, and with 8 bits of mantissa
    the variances go negative. float64 stays.

    Two departures from the paper. Pictures are padded with zeros, so windows at the border
    see black there. And `eps` is added to the denominator: as C1 x C2 is only 9e-8, it pulls
    identical windows below 1 where they are dark and flat: two black pictures score 0.083,
    two mid-grey ones 0.998. `eps=0` is the paper's formula.

    Raises ValueError when the shapes differ, a side is shorter than the window, or
    `window_size` is even, and TypeError for integers whose `data_range` is not given.
    """
    _check_pair("ssim", img1, img2, data_range)
    if window_size % 2 == 0 or min(img1.shape[-2:]) < window_size:
        raise ValueError(
            f"ssim: window_size {window_size} must be odd and no larger than the picture, "
            f"which is {img1.shape[-2]} x {img1.shape[-1]}"
        )
    dtype = torch.promote_types(torch.promote_types(img1.dtype, img2.dtype), torch.float32)
    with torch.autocast(img1.device.type, enabled=False):
        x, y = img1.to(dtype), img2.to(dtype)
        # Three moments have a gradient where x has one; the mean of y is blurred apart.
        blurred = _Blur.apply(torch.cat([x, x * x + y * y, x * y], dim=1), window_size, sigma)
        mu_x, squares, xy = blurred.chunk(3, dim=1)
        mu_y = _Blur.apply(y, window_size, sigma)
        cov = xy - mu_x * mu_y
        # var_x + var_y >= 2 |cov|; rounding breaks that where windows are bright and flat, and
        # SSIM would leave [-1, 1]. The covariance itself may truly be negative.
        var = torch.maximum(squares - (mu_x**2 + mu_y**2), 2 * cov.abs())
        c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
        # SSIM = (2 mu_x mu_y + C1)(2 cov + C2) / ((mu_x^2 + mu_y^2 + C1)(var_x + var_y + C2))
        numerator = (2 * mu_x * mu_y + c1) * (2 * cov + c2)
        denominator = (mu_x**2 + mu_y**2 + c1) * (var + c2)
        similarity: Tensor = numerator / (denominator + eps)
        return similarity


def ssim(
    img1: Tensor,
    img2: Tensor,
    window_size: int = 7,
    sigma: float = 1.5,
    data_range: float = 1.0,
    eps: float = 1e-6,
) -> Tensor:
    """Mean of `ssim_map` over the batch, a scalar in [-1, 1]; the arguments are the same.

    Below 0 where pictures vary against each other.
    """
    return ssim_map(img1, img2, window_size, sigma, data_range, eps).mean()


def psnr(img1: Tensor, img2: Tensor, mask: Tensor | None = None, data_range: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio in dB of each image, (B,); infinite where they are identical.

    img1, img2 (B, C, H, W) with values in [0, data_range]. With `mask` (B, 1, H, W) only the pixels
    where it is 1 count: the hole's PSNR. NaN for an image whose mask is empty. Computed in float32
    at least. Raises ValueError when the shapes differ, TypeError for integers whose `data_range` is
    not given.
    """
    _check_pair("psnr", img1, img2, data_range)
    dtype = torch.promote_types(torch.promote_types(img1.dtype, img2.dtype), torch.float32)
    squared = (img1.to(dtype) - img2.to(dtype)) ** 2
    weight = torch.ones_like(squared) if mask is None else mask.to(dtype).expand_as(squared)
    mse = (squared * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3))
    return 10 * torch.log10(data_range**2 / mse)
