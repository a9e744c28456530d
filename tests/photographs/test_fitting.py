"""Fitting the network to one photograph."""

import copy

import numpy as np
import pytest
import torch
from factories import PATCHED, random_network
from PIL import Image

from inpaint_lib import PixelRNN, complete, fit
from inpaint_lib import __main__ as command_line
from inpaint_lib.photographs import fitting


def stripes(height: int = 96, width: int = 112) -> np.ndarray:
    """Slanted stripes, sharp and regular: easy to go on with, impossible for a smooth fill."""
    y, x = np.mgrid[:height, :width]
    wave = 255 * (np.sin((x + 0.5 * y) * 2 * np.pi / 12) > 0)
    return np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)


def box(height: int = 96, width: int = 112) -> np.ndarray:
    hole = np.zeros((height, width), dtype=bool)
    hole[4:20, 8:24] = True
    return hole


def network() -> PixelRNN:
    return random_network(16, untrained=True, **PATCHED)


def error(done: object, original: np.ndarray, hole: np.ndarray) -> float:
    return float(np.abs(np.asarray(done)[hole].astype(float) - original[hole]).mean())


def counted_in_steps(monkeypatch, steps: int) -> None:
    """One second of the clock for each step: the same work on any machine."""
    ticks = iter(range(10**9))
    monkeypatch.setattr(fitting.time, "monotonic", lambda: float(next(ticks)))


def test_fitting_continues_what_repeats_itself(monkeypatch):
    model, original, hole = network(), stripes(), box()
    before = copy.deepcopy(model.state_dict())
    occluded = np.where(hole[..., None], 0, original).astype(np.uint8)
    plain = complete(model, occluded, hole)
    counted_in_steps(monkeypatch, 60)
    fitted = complete(fit(model, occluded, hole, seconds=60), occluded, hole)
    assert error(fitted, original, hole) < 0.9 * error(plain, original, hole)
    assert np.array_equal(np.asarray(fitted)[~hole], original[~hole])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])  # a copy was trained


def test_nothing_of_the_hidden_pixels_is_learned(monkeypatch):
    model, original, hole = network(), stripes(), box()
    results = []
    for hidden in (0, 255):
        counted_in_steps(monkeypatch, 3)
        picture = np.where(hole[..., None], hidden, original).astype(np.uint8)
        fitted = fit(model, picture, hole, seconds=3)
        results.append(np.asarray(complete(fitted, picture, hole)))
    assert np.array_equal(results[0][hole], results[1][hole])


def test_a_small_photograph_is_learned_from_in_smaller_squares(monkeypatch):
    counted_in_steps(monkeypatch, 2)
    hole = np.zeros((40, 48), dtype=bool)
    hole[:6, :6] = True
    fitted = fit(network(), stripes(40, 48), hole, seconds=2)
    assert not fitted.training
    assert all(p.isfinite().all() for p in fitted.parameters())


def test_free_squares_are_all_those_without_a_hidden_pixel():
    rng = np.random.default_rng(0)
    hole = np.zeros((70, 75), dtype=bool)
    hole[rng.integers(40, 70, 3), rng.integers(40, 75, 3)] = True
    side, corners = fitting._free_squares(hole)
    expected = [
        (y, x)
        for y in range(70 - side + 1)
        for x in range(75 - side + 1)
        if not hole[y : y + side, x : x + side].any()
    ]
    assert [tuple(corner) for corner in corners] == expected


def test_a_photograph_with_too_little_known_is_refused_with_a_remedy():
    hole = np.zeros((96, 112), dtype=bool)
    hole[::20, ::20] = True
    with pytest.raises(ValueError, match="without fitting"):
        fit(network(), stripes(), hole, seconds=1)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_to_fit_in_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds"):
        fit(network(), stripes(), box(), seconds=seconds)


def test_a_mask_of_another_size_is_refused_as_in_completing():
    with pytest.raises(ValueError, match="one size"):
        fit(network(), stripes(), box()[:-1], seconds=1)


def test_the_command_fits_first_and_completes_with_the_fitted_network(tmp_path, monkeypatch):
    asked = []

    def fit_at_once(model, picture, hole, seconds):
        asked.append((np.asarray(hole), seconds))
        return network()

    monkeypatch.setattr(fitting, "fit", fit_at_once)
    photo = tmp_path / "stripes.png"
    Image.fromarray(stripes()).save(photo)
    box_given = ((8, 4, 16, 16),)  # left, top, width, height
    assert command_line.complete((photo,), box=box_given, fit=2.5) == 0
    [(hole, seconds)] = asked
    assert seconds == 2.5
    assert np.array_equal(hole, box())
    done = np.asarray(Image.open(tmp_path / "stripes_completed.png"))
    assert np.array_equal(done, complete(network(), stripes(), box()))
    with pytest.raises(ValueError, match="fit -1"):
        command_line.complete((photo,), box=box_given, fit=-1)
