"""Pictures as arrays and tensors."""

import numpy as np
import pytest
import torch

from inpaint_lib.pictures import cover, to_mask, to_pixels, to_tensor


def picture(height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (height, width, 3), dtype=np.uint8)


def hole(height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(1).random((height, width)) < 0.4


def test_a_picture_comes_back_from_a_tensor_bit_for_bit():
    tensor = to_tensor(picture())
    assert tensor.shape == (1, 3, 5, 7)
    assert tensor[0, 2, 3, 4] == torch.tensor(picture()[3, 4, 2] / 255, dtype=torch.float32)
    assert np.array_equal(to_pixels(tensor), picture())


def test_values_beyond_the_range_are_cut_off():
    beyond = torch.tensor([-0.5, 0.4999, 1.5]).reshape(1, 3, 1, 1)
    assert to_pixels(beyond).tolist() == [[[0, 127, 255]]]


def test_a_mask_is_1_in_the_hole():
    mask = to_mask(hole())
    assert mask.shape == (1, 1, 5, 7)
    assert mask.is_floating_point()
    for (y, x), hidden in np.ndenumerate(hole()):
        assert mask[0, 0, y, x] == float(hidden)


@pytest.mark.parametrize("value", [0, 255])
def test_a_covered_picture_has_one_value_in_the_hole_and_all_else_as_it_was(value):
    before = picture()
    covered = cover(before, hole(), value)
    assert covered.dtype == np.uint8
    assert (covered[hole()] == value).all()
    assert np.array_equal(covered[~hole()], before[~hole()])
    assert np.array_equal(before, picture())  # a copy was covered
