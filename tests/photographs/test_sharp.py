"""Completing a photograph with copies of its known part."""

import numpy as np
import pytest
import torch
from factories import random_network
from PIL import Image

from inpaint_lib import complete
from inpaint_lib.photographs import completion, exemplar, seams
from inpaint_lib.photographs.exemplar import sharpen
from inpaint_lib.pictures import cover, to_mask, to_pixels, to_tensor


def texture(height: int = 64, width: int = 80, period: int = 8, seed: int = 0) -> np.ndarray:
    """A random tile, repeated."""
    tile = np.random.default_rng(seed).integers(0, 256, (period, period, 3), dtype=np.uint8)
    repeats = height // period + 1, width // period + 1, 1
    return np.tile(tile, repeats)[:height, :width].copy()


def box(height: int, width: int, side: int) -> np.ndarray:
    hole = np.zeros((height, width), dtype=bool)
    top, left = (height - side) // 2, (width - side) // 2
    hole[top : top + side, left : left + side] = True
    return hole


def strokes(height: int, width: int) -> np.ndarray:
    hole = np.zeros((height, width), dtype=bool)
    for i in range(min(height, width) - 6):
        hole[i + 2 : i + 5, i + 1 : i + 4] = True
    return hole


def sharpened(picture: np.ndarray, hole: np.ndarray, blur: int = 128, seed: int = 0) -> np.ndarray:
    """As if a network had predicted one grey."""
    return to_pixels(sharpen(to_tensor(cover(picture, hole, blur)), to_mask(hole), seed))


@pytest.mark.parametrize(
    "hole",
    [
        box(64, 80, 24),
        np.roll(box(64, 80, 24), 30, axis=1),
        strokes(64, 80),
        box(64, 80, 9) | np.roll(box(64, 80, 7), 25, axis=(0, 1)),
    ],
    ids=["box", "box at the edge", "strokes", "two boxes"],
)
def test_a_texture_that_repeats_itself_goes_on_exactly(hole):
    original = texture()
    done = sharpened(original, hole)
    assert np.array_equal(done[~hole], original[~hole])
    wrong = (np.abs(done.astype(int) - original) > 2).any(axis=2)
    assert wrong[hole].mean() < 0.02


def test_copies_are_as_sharp_as_what_is_known():
    """Noise has no continuation; a mean of patches of it would be grey, copies are noise."""
    noise = np.random.default_rng(0).integers(0, 256, (72, 72, 3), dtype=np.uint8)
    hole = box(72, 72, 24)
    done = sharpened(noise, hole)
    assert done[hole].std() > 0.7 * noise[hole].std()


def test_copies_follow_the_completion_where_much_would_fit():
    """Spots of all brightnesses go on in any way; a bright completion takes bright ones."""
    rng = np.random.default_rng(1)
    spots = rng.integers(0, 256, (16, 16, 1)).repeat(8, axis=0).repeat(8, axis=1)
    picture = spots.repeat(3, axis=2).astype(np.uint8)
    hole = box(128, 128, 40)
    dark, bright = (sharpened(picture, hole, blur=colour) for colour in (40, 215))
    assert bright[hole].mean() - dark[hole].mean() > 20


@pytest.mark.parametrize("size", [(1, 2), (3, 3), (9, 9), (10, 31), (23, 31), (65, 130)])
@pytest.mark.parametrize("shape", [box, strokes])
def test_size_and_known_pixels_are_those_of_the_photograph(size, shape):
    picture = texture(*size)
    hole = strokes(*size) if shape is strokes else box(*size, max(1, min(size) // 3))
    if hole.all() or not hole.any():
        pytest.skip("no such hole in so small a picture")
    done = complete(random_network(), picture, hole, sharp=True)
    assert isinstance(done, Image.Image)
    assert done.size == (size[1], size[0])
    assert np.array_equal(np.asarray(done)[~hole], picture[~hole])


def test_where_no_patch_is_known_the_networks_completion_stays():
    picture = texture(20, 20)
    hole = np.zeros((20, 20), dtype=bool)
    hole[1:-1, 1:-1] = True
    network = random_network()
    plain = np.asarray(complete(network, picture, hole))
    assert np.array_equal(np.asarray(complete(network, picture, hole, sharp=True)), plain)


def test_an_empty_hole_changes_nothing():
    picture = texture()
    empty = np.zeros(picture.shape[:2], dtype=bool)
    assert np.array_equal(complete(random_network(), picture, empty, sharp=True), picture)


def test_the_same_every_time_and_by_the_seed():
    noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    hole = box(150, 150, 20)
    first = sharpened(noise, hole)
    torch.manual_seed(99)
    assert np.array_equal(sharpened(noise, hole), first)
    assert not np.array_equal(sharpened(noise, hole, seed=1), first)


def test_nothing_under_the_hole_is_copied():
    picture = texture()
    hole = box(64, 80, 24)
    network = random_network()
    hidden = picture.copy()
    hidden[hole] = 255 - hidden[hole]
    assert np.array_equal(
        complete(network, picture, hole, sharp=True), complete(network, hidden, hole, sharp=True)
    )


def test_a_wide_window_is_made_sharp_in_pieces(monkeypatch):
    monkeypatch.setattr(completion, "SHARP_SIDE", 130)
    picture = texture(160, 200)
    hole = np.zeros((160, 200), dtype=bool)
    hole[40:60, 20:180] = True
    told = []
    done = complete(
        random_network(), picture, hole, sharp=True, progress=lambda *step: told.append(step)
    )
    wrong = (np.abs(np.asarray(done).astype(int) - picture) > 2).any(axis=2)
    assert wrong[hole].mean() < 0.05
    assert len(told) > 1
    assert told == [(i + 1, len(told)) for i in range(len(told))]


def test_a_wide_hole_is_cut_in_steps_to_nearly_the_same(monkeypatch):
    original = texture(96, 96, period=12)
    hole = box(96, 96, 40)
    monkeypatch.setattr(seams, "WIDE", 100)
    done = sharpened(original, hole)
    wrong = (np.abs(done.astype(int) - original) > 2).any(axis=2)
    assert wrong[hole].mean() < 0.05


def test_a_copy_of_another_brightness_is_blended_without_a_seam():
    """Under slowly changing light copies are too bright or too dark; their texture is kept."""
    rng = np.random.default_rng(0)
    fine = rng.integers(-12, 13, (96, 96, 1))
    light = np.linspace(60, 180, 96).round().astype(int)[None, :, None]
    picture = (fine + light).repeat(3, axis=2).astype(np.uint8)
    hole = box(96, 96, 30)
    smooth = np.where(hole[..., None], light, picture).astype(np.uint8)
    done = to_pixels(sharpen(to_tensor(smooth), to_mask(hole))).astype(int)
    inside = (done - light)[hole]
    assert abs(inside.mean()) < 4
    assert inside.std() == pytest.approx(fine[hole].std(), rel=0.35)


def test_scales_go_on_until_the_hole_is_small(monkeypatch):
    counted = []
    vote = exemplar._Search.vote

    def count(self, *arguments):
        counted.append(self.width)
        return vote(self, *arguments)

    monkeypatch.setattr(exemplar._Search, "vote", count)
    sharpened(texture(128, 128), box(128, 128, 28))
    assert sorted(set(counted)) == [32, 64, 128]
