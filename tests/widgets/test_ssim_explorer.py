"""The SSIM explorer: what it computes, and what its knobs do."""

import numpy as np
import pytest
import torch

from inpaint_lib.figures import Figure
from inpaint_lib.pictures import to_tensor
from inpaint_lib.widgets import SSIMExplorer, ssim_explorer
from inpaint_lib.widgets.ssim_explorer import (
    DISTORTIONS,
    compressed,
    distorted,
    measure,
    shifted,
    strength_for,
)


def waves(period: float = 16.0) -> np.ndarray:
    """A picture (32, 32, 3) of upright waves and a little noise, away from black and white."""
    wave = 128 + 60 * np.sin(2 * np.pi * np.arange(32) / period)
    noise = np.random.default_rng(0).normal(0, 8, (32, 32, 3))
    return (wave[:, None] + noise).round().astype(np.uint8)


@pytest.fixture
def explorer(monkeypatch) -> SSIMExplorer:
    """Without its pictures, which take most of the time."""
    monkeypatch.setattr(
        ssim_explorer, "draw_distortion", lambda *_: Figure("a point", figsize=(0.1, 0.1))
    )
    return SSIMExplorer({"waves": waves(), "grey": np.full((32, 32, 3), 128, dtype=np.uint8)})


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_a_distortion_begins_with_nothing_and_is_the_same_each_time(kind):
    x = to_tensor(waves())
    torch.testing.assert_close(distorted(x, kind, 0), x)
    torch.testing.assert_close(distorted(x, kind, 0.7), distorted(x, kind, 0.7))
    strongest = distorted(x, kind, 1)
    assert (strongest - x).abs().mean() > 0.02
    assert strongest.min() >= 0
    assert strongest.max() <= 1


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_each_kind_is_brought_to_the_same_l1(kind):
    x = to_tensor(waves())
    strength = strength_for(x, kind, 0.02)
    assert measure(x, distorted(x, kind, strength)).l1 == pytest.approx(0.02, abs=1e-5)
    assert strength_for(x, kind, 0) == 0


def test_of_several_shifts_with_one_l1_the_least_is_found():
    x = to_tensor(waves(period=3.0))  # after three pixels the waves lie on themselves again
    strength = strength_for(x, "shift", 0.1)
    assert 0 < 4 * strength < 1.5
    assert measure(x, distorted(x, "shift", strength)).l1 == pytest.approx(0.1, abs=1e-5)


def test_an_l1_out_of_reach_gives_the_nearest():
    x = to_tensor(waves())
    assert strength_for(x, "blur", 0.9) == 1
    y = to_tensor(waves(period=3.0))
    reached = [(shifted(y, p) - y).abs().mean() for p in np.linspace(0, 4, 9)]
    assert strength_for(y, "shift", 0.9) == pytest.approx(np.argmax(reached) / 8)


def test_a_shift_by_whole_pixels_moves_them_and_repeats_the_border():
    x = to_tensor(waves())
    torch.testing.assert_close(shifted(x, 2)[..., 2:], x[..., :-2], atol=1e-5, rtol=0)
    torch.testing.assert_close(shifted(x, 2)[..., 0], x[..., 0], atol=1e-5, rtol=0)


def test_between_two_jpeg_qualities_lies_their_mean():
    x = to_tensor(waves())
    torch.testing.assert_close(compressed(x, 90.5), (compressed(x, 90) + compressed(x, 91)) / 2)


def test_l1_of_an_even_error_is_worth_the_most_psnr():
    x = torch.full((1, 3, 16, 16), 0.5)
    same, even = measure(x, x), measure(x, x + 0.1)
    assert (same.l1, same.psnr) == (0, float("inf"))
    assert same.ssim == pytest.approx(1, abs=1e-4)
    assert even.l1 == pytest.approx(0.1)
    assert even.psnr == pytest.approx(20)


def test_unlocked_strength_leads_and_l1_follows(explorer):
    explorer.strength.value = 0.8
    weak = explorer.l1.value
    explorer.strength.value = 1.0
    assert explorer.l1.value > weak
    assert explorer.l1.disabled
    assert f"L1 {explorer.l1.value:.4f}" in explorer.numbers.value
    explorer.kind.value = "noise"
    assert list(explorer.tried) == ["noise"]
    explorer.strength.value = 0
    assert "PSNR infinite, SSIM 1.000" in explorer.numbers.value


def test_the_picture_follows():
    explorer = SSIMExplorer({"waves": waves()})
    before = explorer.picture.value
    explorer.kind.value = "noise"
    assert explorer.picture.value != before
    assert "waves, noise, deviation 0.080" in explorer.picture.figure.alt


def test_locked_l1_stays_and_ssim_changes(explorer):
    explorer.strength.value = 0.7
    held = explorer.l1.value
    explorer.hold.value = True
    for kind in ("noise", "brighter", "shift"):
        explorer.kind.value = kind
    assert explorer.l1.value == held
    assert explorer.strength.disabled
    assert [one.l1 for one in explorer.tried.values()] == pytest.approx([held] * 4, abs=1e-5)
    assert explorer.tried["brighter"].ssim > explorer.tried["noise"].ssim + 0.01
    assert all(f">{name}</th>" in explorer.rows.value for name in explorer.tried)
    explorer.hold.value = False
    assert explorer.l1.value == pytest.approx(held, abs=1e-5)  # nothing jumps
    assert list(explorer.tried) == ["shift"]


def test_locked_the_l1_slider_leads(explorer):
    explorer.hold.value = True
    explorer.kind.value = "noise"
    explorer.l1.value = 0.05
    assert list(explorer.tried) == ["noise"]  # the others had another L1
    assert explorer.tried["noise"].l1 == pytest.approx(0.05, abs=1e-5)
    assert explorer.strength.value == pytest.approx(0.31, abs=0.02)


def test_an_l1_out_of_reach_is_said_and_kept(explorer):
    explorer.hold.value = True
    explorer.l1.value = 0.08
    assert "does not reach" not in explorer.notice.value
    explorer.photograph.value = "grey"  # no blur changes a plain grey
    assert "blur does not reach L1 0.0800" in explorer.notice.value
    assert "shown is the nearest, 0.0000" in explorer.notice.value
    explorer.kind.value = "brighter"
    assert "does not reach" not in explorer.notice.value
    assert explorer.tried["brighter"].l1 == pytest.approx(0.08, abs=1e-5)


def test_a_page_without_a_kernel_has_the_picture_and_its_numbers():
    explorer = SSIMExplorer({"waves": waves()})
    shown = explorer._repr_mimebundle_()["text/html"]
    assert f"L1 {explorer.l1.value:.4f}, PSNR" in shown


def test_pictures_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        SSIMExplorer({"floats": np.zeros((32, 32, 3))})
    with pytest.raises(ValueError, match="no larger than the picture"):
        SSIMExplorer({"small": np.zeros((8, 8, 3), dtype=np.uint8)})
