"""SSIM and PSNR against scikit-image, torchmetrics and plain loops."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from inpaint_lib import gaussian_window, psnr, ssim, ssim_map


def noise(seed: int = 0, shape=(2, 3, 24, 31), dtype=torch.float32) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=g, dtype=torch.float64).to(dtype)


def photograph() -> torch.Tensor:
    """(1, 3, 90, 120) in [0, 1], float64, with bright flat and dark areas."""
    picture = data.astronaut()[20:110, 150:270].astype(np.float64) / 255
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def of_skimage(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """The map of Wang et al. (2004) in float64, (B, C, H, W)."""
    return np.stack(
        [
            structural_similarity(
                a.double().numpy(),
                b.double().numpy(),
                full=True,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1,
                channel_axis=0,
            )[1]
            for a, b in zip(x, y, strict=True)
        ]
    )


def interior(array):
    return array[..., 5:-5, 5:-5]


# The window


@pytest.mark.parametrize(
    ("size", "sigma", "channel"), [(7, 1.5, 3), (11, 1.5, 1), (1, 0.5, 2), (5, 9.0, 4)]
)
def test_the_window_sums_to_one_in_each_channel(size, sigma, channel):
    window = gaussian_window(size, sigma, channel)
    assert window.shape == (channel, 1, size, size)
    assert window.sum(dim=(1, 2, 3)).tolist() == pytest.approx([1.0] * channel, abs=1e-6)


def test_the_window_is_a_gaussian_of_the_distance():
    window = gaussian_window(7, 1.5, 2)
    centre = window[0, 0, 3, 3].item()
    for row in range(7):
        for column in range(7):
            distance2 = (row - 3) ** 2 + (column - 3) ** 2
            expected = centre * math.exp(-distance2 / (2 * 1.5**2))
            assert window[1, 0, row, column].item() == pytest.approx(expected, rel=1e-5)


# SSIM


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_map_equals_that_of_scikit_image(dtype):
    x, y = noise(0, dtype=dtype), noise(1, dtype=dtype)
    ours = ssim_map(x, y, window_size=11, eps=0).numpy()
    atol = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(interior(ours), interior(of_skimage(x, y)), rtol=0, atol=atol)


@pytest.mark.parametrize("change", ["noise", "darker", "brighter", "mirrored"])
def test_the_map_equals_that_of_scikit_image_on_a_photograph(change):
    x = photograph()
    y = {
        "noise": (x + 0.05 * (noise(2, x.shape, torch.float64) - 0.5)).clamp(0, 1),
        "darker": 0.8 * x,
        "brighter": (x + 0.1).clamp(0, 1),
        "mirrored": x.flip(-1),
    }[change]
    ours = ssim_map(x, y, window_size=11, eps=0).numpy()
    np.testing.assert_allclose(interior(ours), interior(of_skimage(x, y)), rtol=0, atol=1e-5)


def test_the_map_equals_that_of_torchmetrics():
    for x, y in (
        (noise(0, dtype=torch.float64), noise(1, dtype=torch.float64)),
        (photograph(), photograph().flip(-1)),
    ):
        _, theirs = structural_similarity_index_measure(
            x, y, sigma=1.5, data_range=1.0, return_full_image=True
        )
        ours = ssim_map(x, y, window_size=11, eps=0)
        torch.testing.assert_close(interior(ours), interior(theirs), rtol=0, atol=1e-5)


def test_the_map_equals_a_plain_loop_with_black_around_the_picture():
    height, width, size, sigma, eps = 8, 9, 7, 1.5, 1e-6
    x, y = noise(3, (1, 1, height, width)), noise(4, (1, 1, height, width))
    taps = [math.exp(-((i - size // 2) ** 2) / (2 * sigma**2)) for i in range(size)]
    total = sum(taps) ** 2
    ours = ssim_map(x, y)
    assert ours.shape == x.shape
    for row in range(height):
        for column in range(width):
            sums = dict.fromkeys(("x", "y", "xx", "yy", "xy"), 0.0)
            for i in range(size):
                for j in range(size):
                    r, c = row + i - size // 2, column + j - size // 2
                    if 0 <= r < height and 0 <= c < width:
                        w, a, b = taps[i] * taps[j] / total, x[0, 0, r, c].item(), y[0, 0, r, c]
                        b = b.item()
                        for key, value in zip(sums, (a, b, a * a, b * b, a * b), strict=True):
                            sums[key] += w * value
            mx, my = sums["x"], sums["y"]
            vx, vy, cov = sums["xx"] - mx * mx, sums["yy"] - my * my, sums["xy"] - mx * my
            c1, c2 = 0.01**2, 0.03**2
            above = (2 * mx * my + c1) * (2 * cov + c2)
            below = (mx * mx + my * my + c1) * (vx + vy + c2)
            assert ours[0, 0, row, column].item() == pytest.approx(above / (below + eps), abs=1e-5)


def test_ssim_is_the_mean_of_its_map():
    x, y = noise(0), noise(1)
    for options in ({}, {"window_size": 11, "sigma": 2.0, "data_range": 2.0, "eps": 0.0}):
        assert ssim(x, y, **options).shape == ()
        torch.testing.assert_close(ssim(x, y, **options), ssim_map(x, y, **options).mean())


def test_data_range_scales_with_the_pictures():
    x, y = noise(0, dtype=torch.float64), noise(1, dtype=torch.float64)
    torch.testing.assert_close(
        ssim_map(255 * x, 255 * y, data_range=255.0, eps=0), ssim_map(x, y, eps=0)
    )


def test_ssim_has_the_right_gradients():
    x, y = (noise(s, (1, 2, 4, 3), torch.float64).requires_grad_() for s in (0, 1))
    assert torch.autograd.gradcheck(lambda x, y: ssim(x, y, window_size=3), (x, y))
    x, y = (noise(s, (2, 2, 7, 8), torch.float64).requires_grad_() for s in (0, 1))
    assert torch.autograd.gradcheck(ssim_map, (x, y), fast_mode=True)


def by_convolution(
    x: torch.Tensor, y: torch.Tensor, window_size: int = 7, sigma: float = 1.5, eps: float = 1e-6
) -> torch.Tensor:
    """The map written down with one convolution for each moment."""
    channels = x.shape[1]
    window = gaussian_window(window_size, sigma, channels, dtype=x.dtype)

    def mean(z: torch.Tensor) -> torch.Tensor:
        return F.conv2d(z, window, padding=window_size // 2, groups=channels)

    mu_x, mu_y = mean(x), mean(y)
    cov = mean(x * y) - mu_x * mu_y
    var = mean(x * x) - mu_x**2 + mean(y * y) - mu_y**2
    c1, c2 = 0.01**2, 0.03**2
    return (2 * mu_x * mu_y + c1) * (2 * cov + c2) / ((mu_x**2 + mu_y**2 + c1) * (var + c2) + eps)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 3, 24, 31), {}),
        ((1, 1, 7, 7), {}),
        ((2, 2, 11, 20), {"window_size": 11, "sigma": 3.0}),
        ((1, 3, 5, 6), {"window_size": 1}),
        ((1, 3, 9, 8), {"window_size": 3, "eps": 0.0}),
    ],
)
def test_map_and_gradients_equal_those_of_a_convolution(shape, options):
    x, y = (noise(s, shape, torch.float64).requires_grad_() for s in (0, 1))
    weights = noise(2, shape, torch.float64)
    ours, plain = ssim_map(x, y, **options), by_convolution(x, y, **options)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    ours = torch.autograd.grad((ours * weights).sum(), (x, y))
    plain = torch.autograd.grad((plain * weights).sum(), (x, y))
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-11)


def test_ssim_has_the_right_second_derivatives():
    x, y = (noise(s, (1, 2, 4, 3), torch.float64).requires_grad_() for s in (0, 1))
    assert torch.autograd.gradgradcheck(lambda x, y: ssim_map(x, y, window_size=3), (x, y))


def test_a_picture_laid_out_channels_last_scores_the_same():
    x, y = noise(0), noise(1)
    turned = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(ssim_map(turned, y), ssim_map(x, y), rtol=0, atol=1e-6)


def test_ssim_is_symmetric():
    x, y = noise(0), noise(1)
    torch.testing.assert_close(ssim_map(x, y), ssim_map(y, x), rtol=0, atol=1e-6)


def test_with_eps_zero_a_picture_is_entirely_like_itself():
    for x in (noise(0), photograph(), photograph().float(), torch.zeros(1, 3, 9, 9)):
        same = ssim_map(x, x.clone(), eps=0)
        torch.testing.assert_close(same, torch.ones_like(x), rtol=0, atol=1e-6)


def test_eps_pulls_identical_dark_pictures_far_below_one():
    black, grey = torch.zeros(1, 3, 32, 32), torch.full((1, 3, 32, 32), 0.5)
    assert ssim(black, black).item() == pytest.approx(0.083, abs=5e-4)
    assert interior(ssim_map(grey, grey)).mean().item() == pytest.approx(0.998, abs=5e-4)


def test_pictures_that_vary_against_each_other_score_below_zero():
    x = noise(0)
    assert ssim(x, 1 - x).item() < -0.5


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(7, 12),
    width=st.integers(7, 12),
    level=st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]),
    contrast=st.sampled_from([0.0, 1e-4, 1e-3, 1e-2, 1.0]),
    relation=st.sampled_from(["other", "negative", "same", "brighter"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_every_window_scores_between_minus_one_and_one(
    seed, height, width, level, contrast, relation, dtype
):
    def picture(seed):
        varied = level + contrast * (noise(seed, (1, 2, height, width), torch.float64) - 0.5)
        return varied.clamp(0, 1).to(dtype)

    x = picture(seed)
    y = {
        "other": picture(seed + 1),
        "negative": 1 - x,
        "same": x.clone(),
        "brighter": (x + 0.01).clamp(0, 1),
    }[relation]
    assert ssim_map(x, y).abs().max().item() <= 1 + 1e-6


@pytest.mark.parametrize("options", [{}, {"eps": 0.0}, {"data_range": 255.0}])
def test_no_bright_and_nearly_flat_window_scores_above_one(options):
    scale = options.get("data_range", 1.0)
    for seed in range(40):
        for contrast in (1e-4, 1e-3, 1e-2):
            pair = 0.95 + contrast * (noise(seed, (2, 2, 3, 12, 12)) - 0.5)
            assert ssim_map(*(scale * pair), **options).max().item() <= 1 + 1e-6


def test_no_window_of_a_photograph_scores_above_one():
    x = photograph().float()
    y = (x + 0.01).clamp(0, 1)
    assert ssim_map(x, y).max().item() <= 1 + 1e-6
    assert ssim_map(x, y, eps=0).max().item() <= 1 + 1e-6


# Precision


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_pictures_are_compared_in_float32(dtype, autocast):
    x, y = noise(0, dtype=dtype), noise(1, dtype=dtype)
    expected = ssim_map(x.float(), y.float())
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        ours, mean = ssim_map(x, y), ssim(x, y)
    assert ours.dtype == torch.float32
    assert mean.dtype == torch.float32
    torch.testing.assert_close(ours, expected, rtol=0, atol=0)


def test_autocast_does_not_touch_float32_pictures():
    x, y = noise(0), noise(1)
    with torch.autocast("cpu", torch.bfloat16):
        inside = ssim_map(x, y)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, ssim_map(x, y), rtol=0, atol=0)


@pytest.mark.parametrize("autocast", [False, True])
def test_float64_stays_float64(autocast):
    x, y = noise(0, dtype=torch.float64), noise(1, dtype=torch.float64)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        assert ssim(x, y).dtype == torch.float64
        assert ssim_map(x, y.float()).dtype == torch.float64
        torch.testing.assert_close(ssim(x, y).float(), ssim(x.float(), y.float()))


# Refusals


def test_pictures_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        ssim(torch.zeros(1, 3, 9, 9), torch.zeros(1, 3, 9, 8))
    with pytest.raises(ValueError, match="shape"):
        ssim(torch.zeros(3, 9, 9), torch.zeros(3, 9, 9))


@pytest.mark.parametrize(("size", "window"), [((9, 6), 7), ((6, 9), 7), ((20, 20), 8)])
def test_a_window_that_is_even_or_too_large_is_refused(size, window):
    with pytest.raises(ValueError, match=f"window_size {window}"):
        ssim(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size), window_size=window)


# PSNR


def test_psnr_equals_that_of_scikit_image():
    x, y = noise(0), noise(1)
    expected = [
        peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=1)
        for a, b in zip(x, y, strict=True)
    ]
    assert psnr(x, y).tolist() == pytest.approx(expected, abs=1e-4)


def test_psnr_of_bytes_with_their_data_range():
    x, y = ((255 * noise(s)).round() for s in (0, 1))
    expected = peak_signal_noise_ratio(x[0].numpy(), y[0].numpy(), data_range=255)
    assert psnr(x, y, data_range=255)[0].item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_masked_psnr_equals_a_plain_loop_over_the_hole(dtype):
    x, y = noise(0, (2, 3, 5, 6)), noise(1, (2, 3, 5, 6))
    mask = (noise(2, (2, 1, 5, 6)) > 0.6).to(dtype)
    expected = []
    for b in range(2):
        errors = [
            (x[b, c, row, column].item() - y[b, c, row, column].item()) ** 2
            for c in range(3)
            for row in range(5)
            for column in range(6)
            if mask[b, 0, row, column]
        ]
        expected.append(10 * math.log10(len(errors) / sum(errors)))
    assert psnr(x, y, mask).tolist() == pytest.approx(expected, abs=1e-4)


def test_psnr_is_infinite_where_pictures_are_identical():
    x, y = noise(0), noise(1)
    assert psnr(x, torch.stack([x[0], y[1]])).isinf().tolist() == [True, False]
    assert psnr(x, x)[0] > 0


def test_errors_outside_the_mask_do_not_count():
    x, mask = noise(0), torch.zeros(2, 1, 24, 31)
    mask[..., 3:9, 4:12] = 1
    y = torch.where(mask == 0, noise(1), x)
    assert psnr(x, y, mask).isinf().all()
    assert psnr(x, y).isfinite().all()


def test_psnr_in_an_empty_hole_is_nan():
    assert psnr(noise(0), noise(1), torch.zeros(2, 1, 24, 31)).isnan().all()
