"""Measures of what PSNR cannot see."""

import sys

import numpy as np
import pytest
from scipy import ndimage, stats

from inpaint_lib.photographs import perception
from inpaint_lib.photographs.evaluation import HeldOut, score
from inpaint_lib.photographs.perception import (
    detail,
    haar_similarity,
    look,
    patch_distance,
    share_of_detail,
    table,
)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def hole() -> np.ndarray:
    hole = np.zeros((64, 64), dtype=bool)
    hole[12:52, 14:50] = True
    return hole


def blurred(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    smooth = ndimage.gaussian_filter(picture.astype(float), (2, 2, 0)).round().astype(np.uint8)
    return np.where(hole[..., None], smooth, picture)


def test_a_blur_has_little_detail_and_the_original_all_of_it(noise, hole):
    looks = [look(blurred(noise, hole), noise, hole)]
    assert 0 < share_of_detail(looks, "deep") < 0.01
    assert share_of_detail([look(noise, noise, hole)]) == 1


def test_detail_is_the_energy_of_the_laplacian(hole):
    """A checkerboard of 0 and 255: each pixel differs by 1 from its four neighbours."""
    board = (255 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)
    found = detail(board[..., None].repeat(3, axis=2), hole)
    assert found["hole"] == pytest.approx(16 * hole.sum())
    assert found["hole"] == pytest.approx(found["rim"] + found["between"] + found["deep"])
    assert found["deep"] == pytest.approx(16 * (40 - 24) * (36 - 24))


def test_patches_in_another_place_are_near_and_a_blur_is_far(noise, hole):
    shifted = noise.copy()
    shifted[hole] = np.roll(noise, (17, 23), axis=(0, 1))[hole]
    assert patch_distance(noise, noise, hole) == 0
    near, far = (patch_distance(x, noise, hole) for x in (shifted, blurred(noise, hole)))
    assert near < far / 3


def test_of_one_pixel_patches_it_is_the_wasserstein_distance(noise, hole, monkeypatch):
    monkeypatch.setattr(perception, "PATCH", 1)
    monkeypatch.setattr(perception, "SCALES", 1)
    grey = noise.mean(axis=2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
    darker = grey // 2
    found = patch_distance(darker, grey, hole)
    along = stats.wasserstein_distance(darker[hole][:, 0] / 255, grey[hole][:, 0] / 255)
    # A direction of unit length, times (1, 1, 1): sqrt(3) times a mean absolute cosine of 1/2.
    assert found == pytest.approx(along * 3**0.5 / 2, rel=0.15)


def test_haar_similarity_is_one_for_the_same_and_falls_with_blur(noise, hole):
    pytest.importorskip("piq")
    assert haar_similarity(noise, noise) == pytest.approx(1, abs=1e-4)
    assert haar_similarity(blurred(noise, hole), noise) < 0.9


def test_without_piq_or_in_a_tiny_picture_it_is_unknown(noise, hole, monkeypatch):
    assert np.isnan(haar_similarity(noise[:9, :9], noise[:9, :9]))
    monkeypatch.setitem(sys.modules, "piq", None)
    assert np.isnan(look(noise, noise, hole).haar_similarity)


def test_a_score_has_a_look_where_it_is_asked_for(noise, hole):
    pair = HeldOut("x.png", "photograph", "large", noise, hole)
    assert score(noise, pair).look is None
    assert score(noise, pair, looks=True).look == look(noise, noise, hole)


def test_the_table_names_methods_buckets_and_measures(noise, hole):
    same, blur = (look(x, noise, hole) for x in (noise, blurred(noise, hole)))
    text = table(
        {"ours": {"large": [blur], "small": []}, "the truth": {"large": [same], "small": []}}
    )
    for part in (*perception.MEASURES, "ours", "the truth", "large", "small", "nan"):
        assert part in text
    assert "the truth       1.0000" in text
