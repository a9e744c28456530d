"""Putting a prediction into the hole, and the push-pull fill."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from inpaint_lib import compose, push_pull, thin_plate
from inpaint_lib.filling import TENSION


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def box_mask(height: int, width: int, batch: int = 1) -> torch.Tensor:
    mask = torch.zeros(batch, 1, height, width)
    mask[..., height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
    return mask


def bits(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous().view(torch.int32)


# compose


def test_known_pixels_come_through_bit_identical():
    occluded, pred, mask = rand(2, 3, 12, 10), rand(2, 3, 12, 10, seed=1), box_mask(12, 10, 2)
    occluded[:, :, 0, 0] = -0.0
    occluded[:, :, 0, 1] = 1e-42
    comp = compose(occluded, pred, mask)
    hole = mask.expand_as(comp) == 1
    assert torch.equal(bits(comp)[~hole], bits(occluded)[~hole])
    assert torch.equal(bits(comp)[hole], bits(pred)[hole])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nothing_of_the_hidden_side_leaks_through_compose(bad):
    occluded, pred, mask = rand(1, 3, 12, 10), rand(1, 3, 12, 10, seed=1), box_mask(12, 10)
    expected = compose(occluded, pred, mask)
    occluded_bad = torch.where(mask == 1, torch.tensor(bad), occluded)
    pred_bad = torch.where(mask == 0, torch.tensor(bad), pred)
    assert torch.equal(compose(occluded_bad, pred_bad, mask), expected)


def test_only_the_hole_passes_a_gradient_to_the_prediction():
    occluded, mask = rand(1, 3, 8, 8), box_mask(8, 8)
    pred = rand(1, 3, 8, 8, seed=1).requires_grad_()
    compose(occluded, pred, mask).sum().backward()
    assert torch.equal(pred.grad, mask.expand_as(pred))


# push_pull

SIZES = st.tuples(st.integers(1, 19), st.integers(1, 19))
SHARES = st.sampled_from([0.05, 0.3, 0.7, 0.97])


def random_case(size: tuple[int, int], share: float, seed: int):
    """A picture in [-2, 3), and a mask with about that share of hole and a known pixel."""
    mask = (rand(2, 1, *size, seed=seed) < share).float()
    mask[:, :, seed % size[0], seed % size[1]] = 0
    return 5 * rand(2, 3, *size, seed=seed + 1) - 2, mask


@settings(max_examples=60, deadline=None, derandomize=True)
@given(size=SIZES, share=SHARES, seed=st.integers(0, 10_000))
def test_the_fill_keeps_what_is_known_and_stays_among_its_values(size, share, seed):
    image, mask = random_case(size, share, seed)
    filled = push_pull(image, mask)
    known = mask.expand_as(image) == 0
    assert filled.shape == image.shape
    assert torch.equal(bits(filled)[known], bits(image)[known])
    infinity = torch.tensor(float("inf"))
    low = torch.where(known, image, infinity).amin(dim=(2, 3), keepdim=True)
    high = torch.where(known, image, -infinity).amax(dim=(2, 3), keepdim=True)
    assert (filled >= low - 1e-5).all()
    assert (filled <= high + 1e-5).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(size=SIZES, share=SHARES, seed=st.integers(0, 10_000))
def test_hidden_pixels_have_no_influence_on_the_fill(size, share, seed):
    image, mask = random_case(size, share, seed)
    expected = push_pull(image, mask)
    nan_below = torch.where(mask == 1, torch.tensor(float("nan")), image)
    assert torch.equal(bits(push_pull(nan_below, mask)), bits(expected))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(size=SIZES, share=SHARES, seed=st.integers(0, 10_000))
def test_a_constant_picture_stays_constant(size, share, seed):
    _, mask = random_case(size, share, seed)
    colour = torch.tensor([0.2, 0.5, 0.9])[None, :, None, None]
    image = colour.expand(2, 3, *size)
    torch.testing.assert_close(push_pull(image * (1 - mask), mask), image.contiguous())


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 7), (16, 16)])
def test_with_nothing_known_the_fill_is_black(size):
    filled = push_pull(rand(1, 3, *size), torch.ones(1, 1, *size))
    assert torch.equal(filled, torch.zeros(1, 3, *size))


def test_pictures_of_a_batch_do_not_mix():
    image, mask = random_case((14, 11), 0.7, 3)
    together = push_pull(image, mask)
    for i in range(2):
        torch.testing.assert_close(push_pull(image[i : i + 1], mask[i : i + 1])[0], together[i])


def test_the_fill_takes_the_colour_of_the_nearer_side():
    image = torch.zeros(1, 1, 16, 16)
    image[..., 8:] = 1
    mask = torch.zeros_like(image)
    mask[..., 6:10, 2:14] = 1
    filled = push_pull(image, mask)[0, 0, 8]
    assert filled[2] < 0.3
    assert filled[13] > 0.7
    assert (filled.diff() >= -1e-6).all()


def test_the_fill_passes_gradients_from_the_hole_to_known_pixels_only():
    image, mask = random_case((9, 8), 0.6, 1)
    image.requires_grad_()
    (push_pull(image, mask) * mask).sum().backward()
    hidden = mask.expand_as(image) == 1
    assert image.grad[hidden].count_nonzero() == 0
    assert image.grad[~hidden].count_nonzero() > 0


# thin_plate


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 7), (16, 16)])
def test_with_nothing_known_the_plate_is_black(size):
    filled = thin_plate(rand(1, 3, *size), torch.ones(1, 1, *size))
    assert torch.equal(filled, torch.zeros(1, 3, *size))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(size=SIZES, share=SHARES, seed=st.integers(0, 10_000))
def test_the_plate_keeps_what_is_known_and_sees_nothing_of_the_hidden(size, share, seed):
    image, mask = random_case(size, share, seed)
    filled = thin_plate(image, mask)
    known = mask.expand_as(image) == 0
    assert torch.equal(bits(filled)[known], bits(image)[known])
    assert filled[~known].isfinite().all()
    nan_below = torch.where(mask == 1, torch.tensor(float("nan")), image)
    assert torch.equal(bits(thin_plate(nan_below, mask)), bits(filled))


def textbook_plate(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The fill as its docstring says, by Hestenes and Stiefel's loop over single channels."""

    def laplacian(u: np.ndarray) -> np.ndarray:
        return ndimage.convolve(u, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], mode="nearest")

    def bend(u: np.ndarray, hole: np.ndarray) -> np.ndarray:
        def a(v: np.ndarray) -> np.ndarray:
            return hole * laplacian(laplacian(v) - TENSION * v)

        u = u.copy()
        r = -a(u)
        p = r.copy()
        rr = (r * r).sum()
        enough = 1e-8 * max(rr, 1e-6)
        for _ in range(10):
            if rr <= enough:
                break
            ap = a(p)
            alpha = rr / max((p * ap).sum(), 1e-12)
            u += alpha * p
            r -= alpha * ap
            rr_next = (r * r).sum()
            p = r + rr_next / max(rr, 1e-12) * p
            rr = rr_next
        return u

    def refine(filled: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        pairs = zip(filled.numpy(), mask.numpy() > 0.5, strict=True)
        return torch.from_numpy(
            np.stack([[bend(channel, hole) for channel in u] for u, [hole] in pairs])
        )

    filled = push_pull(image, mask, refine)
    return compose(image, refine(filled, mask).clamp(0, 1), mask)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 7), (16, 16), (33, 18), (48, 40)])
@pytest.mark.parametrize("share", ["box", 0.3, 0.9])
def test_the_plate_equals_the_textbooks_conjugate_gradients(size, share):
    mask = box_mask(*size, batch=2) if share == "box" else random_case(size, share, 4)[1]
    image = rand(2, 3, *size) * (1 - mask)
    expected = textbook_plate(image.double(), mask.double())
    torch.testing.assert_close(
        thin_plate(image.double(), mask.double()), expected, rtol=0, atol=1e-10
    )
    if size != (5, 7) or share != 0.9:  # three known pixels hold too little for 7 digits
        torch.testing.assert_close(thin_plate(image, mask).double(), expected, rtol=0, atol=1e-5)


def test_the_plate_changes_nothing_that_it_was_given():
    image, mask = random_case((14, 11), 0.7, 3)
    before = image.clone(), mask.clone()
    thin_plate(image, mask)
    assert torch.equal(image, before[0])
    assert torch.equal(mask, before[1])


def test_the_plate_passes_gradients_from_the_hole_to_known_pixels_only():
    image, mask = random_case((9, 8), 0.6, 1)
    image = (0.2 * image + 0.4).requires_grad_()
    (thin_plate(image, mask) * mask).sum().backward()
    hidden = mask.expand_as(image) == 1
    assert image.grad[hidden].count_nonzero() == 0
    assert image.grad[~hidden].count_nonzero() > 0


def a_wave(height: int = 48, width: int = 40) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (0.5 + 0.4 * torch.sin(x / 5 + y / 9)).expand(1, 3, height, width).contiguous()


def test_over_a_thin_hole_the_plate_is_the_biharmonic_solution():
    from skimage.restoration import inpaint_biharmonic

    image, mask = a_wave(), torch.zeros(1, 1, 48, 40)
    mask[..., 10:14, 6:34] = 1
    mask[..., 10:40, 18:22] = 1
    expected = inpaint_biharmonic(
        (image * (1 - mask))[0].permute(1, 2, 0).numpy(), mask[0, 0].numpy() > 0, channel_axis=-1
    )
    filled = thin_plate(image * (1 - mask), mask)[0].permute(1, 2, 0).numpy()
    assert abs(filled - expected).max() < 0.02
    pushed = push_pull(image * (1 - mask), mask)
    error = (thin_plate(image * (1 - mask), mask) - image).abs().max()
    assert error < 0.2 * (pushed - image).abs().max()


def test_over_a_wide_hole_the_plate_overshoots_less_than_the_biharmonic_solution():
    from skimage.restoration import inpaint_biharmonic

    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 64, 64, generator=generator)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 12:52, 12:52] = 1
    hole = mask[0, 0].numpy() > 0
    exact = inpaint_biharmonic((image * (1 - mask))[0, 0].numpy(), hole)[hole]
    filled = thin_plate(image, mask)[0, 0].numpy()[hole]
    assert filled.std() < 0.7 * exact.std()


def test_plates_of_a_batch_do_not_mix():
    image, mask = random_case((14, 11), 0.7, 3)
    together = thin_plate(image, mask)
    for i in range(2):
        alone = thin_plate(image[i : i + 1], mask[i : i + 1])[0]
        torch.testing.assert_close(alone, together[i], rtol=0, atol=1e-3)
