"""The step player: what happens inside a network, how far it looks, and what the knobs do."""

import factories
import numpy as np
import pytest
import torch

from inpaint_lib import PixelRNN, load_model
from inpaint_lib.widgets import StepPlayer
from inpaint_lib.widgets.step_player.player import limits
from inpaint_lib.widgets.step_player.trace import (
    blind_pixels,
    looks_everywhere,
    receptive_fields,
    square_hole,
    trace_hole,
    watch,
)


def noise(seed: int, side: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("options", factories.OPTIONS)
def test_each_step_follows_from_the_one_before(options):
    model = factories.random_network(**options)
    picture, mask = factories.picture_and_mask(32, 24)
    with torch.no_grad():
        steps, prediction = watch(model, picture, mask)
        assert torch.equal(prediction, model(picture, mask))
        assert len(steps) == len(model.layers) == 3
        skips = []
        for layer, before, after in zip(model.layers[1:], steps[:-1], steps[1:], strict=True):
            torch.testing.assert_close(after.gate, torch.sigmoid(layer.gate(before.running)))
            x = layer(before.running)
            torch.testing.assert_close((after.h, after.c), model.convlstm(x, before[1:3]))
            skips.append(after.running - x - after.h)
        torch.testing.assert_close(*skips, atol=1e-5, rtol=1e-5)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(("options", "patch"), [({}, 1), (factories.PATCHED, 4)])
def test_receptive_fields_are_those_of_chapter_2(options, patch):
    fields = receptive_fields(PixelRNN(hidden_channels=8, **options).config)
    assert fields == [11 * patch, 15 * patch, 19 * patch, 29 * patch]
    assert receptive_fields(PixelRNN(hidden_channels=8, num_layers=5).config)[-1] == 37


def test_measuring_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    receptive_fields(PixelRNN(hidden_channels=4).config | {})
    StepPlayer({"small": factories.random_network}, {"noise": noise(0)})
    torch.manual_seed(0)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("side", [28, 29, 48, 64])
def test_blind_share_is_that_of_the_formula(side):
    hole = square_hole((128, 128), side)
    share = blind_pixels(hole, 29)[hole].mean()
    assert share == pytest.approx(max(side - 28, 0) ** 2 / side**2)
    assert blind_pixels(hole, 29)[64, 64] == (side > 28)


@pytest.mark.parametrize(("patch", "shape"), [(1, (48, 52)), (2, (68, 75))])
def test_blind_pixels_do_not_notice_another_photograph_and_all_others_do(patch, shape):
    model = factories.random_network(hidden_channels=8, patch_size=patch)
    field = receptive_fields(model.config)[-1]
    hole = square_hole(shape, 35 * patch - 9 * (patch - 1))
    mask = torch.from_numpy(hole)[None, None].float()
    with torch.no_grad():
        one, other = (model(torch.rand(1, 3, *shape) * (1 - mask), mask)[0] for _ in range(2))
    blind = blind_pixels(hole, field, patch)
    assert 0 < blind.sum() < hole.sum()
    changed = (one != other).any(dim=0).numpy()
    assert not changed[blind].any()
    # Far corners of a field have weights so small that rounding hides some of them.
    assert changed[hole & ~blind].mean() > 0.9


@pytest.fixture
def player() -> StepPlayer:
    return StepPlayer(
        {
            "plain": lambda: factories.random_network(hidden_channels=4),
            "patched": lambda: factories.random_network(hidden_channels=8, **factories.PATCHED),
            "short": lambda: factories.random_network(hidden_channels=4, num_layers=2),
            "missing": lambda: load_model("nowhere.pth"),
        },
        {"one": noise(1), "two": noise(2), "small": noise(3, side=32)},
    )


def test_words_tell_when_the_middle_goes_blind(player):
    player.side.value = 28
    assert "middle of the hole sees a known pixel, 0.0% of the hole is blind" in said(player)
    player.side.value = 29
    assert "middle of the hole sees no known pixel, 0.1% of the hole is blind" in said(player)
    assert "After step 1 it has looked 11 px wide: 42.9% is blind" in said(player)
    player.step.value = 3
    assert "After step 3 it has looked 19 px wide: 14.4% is blind" in said(player)
    assert "whole picture" not in player.legend.value


def test_words_name_what_looks_further_than_convolutions_do(player):
    player.network.value = "patched"
    assert "looks 116 px wide: the middle of the hole sees a known pixel" in said(player)
    assert "the thin-plate fill, the standardisation, the group norm" in player.legend.value
    assert looks_everywhere(factories.random_network().config) == []


def test_the_network_runs_for_a_new_hole_and_not_for_a_new_step(player):
    model, _ = player._loaded("plain")
    runs = []
    model.register_forward_hook(lambda *_: runs.append(1))
    pictures = [player.picture.value]
    for knob, value in (("step", 2), ("channel", (player.channel.value + 1) % 4)):
        getattr(player, knob).value = value
        pictures.append(player.picture.value)
    player.stretched.value = False
    pictures.append(player.picture.value)
    assert runs == []
    player.side.value = 20
    player.photograph.value = "two"
    assert runs == [1, 1]
    assert len({*pictures, player.picture.value}) == 5


def test_knobs_follow_the_network_and_the_photograph(player):
    player.step.value, player.channel.value = 3, 3
    player.network.value = "short"
    assert (player.step.value, player.step.max, player.player.max) == (2, 2, 2)
    player.network.value = "patched"
    assert player.channel.max == 7
    player.side.value = 40
    player.photograph.value = "small"
    assert player.side.value == player.side.max == 28
    assert "Hole 28 px wide" in said(player)


def test_a_missing_network_is_told_and_its_place_taken_by_the_next(player):
    player.network.value = "missing"
    assert 'role="alert"' in player.numbers.value
    assert "nowhere.pth: no such checkpoint" in player.numbers.value
    assert player.picture.layout.display == "none"
    player.step.value = 2  # nothing to draw, and no error
    player.network.value = "plain"
    assert 'role="status"' in player.numbers.value
    assert player.picture.layout.display is None
    assert "After step 2" in said(player)


def test_colours_have_the_same_ends_in_all_steps():
    model = factories.random_network(hidden_channels=4)
    trace = trace_hole(model, receptive_fields(model.config), noise(0), 20)
    bounds = limits(trace, 1)
    assert bounds[:3] == [(0.0, 1.0), (-1.0, 1.0), (-3.0, 3.0)]
    for stretched in (bounds, limits(trace, 1, stretched=True)):
        for (low, high), kind in zip(stretched, zip(*trace.steps, strict=True), strict=True):
            values = np.stack([maps[1] for maps in kind])
            assert low <= values.min() < values.max() <= high
    assert (
        np.abs([step.c[1] for step in trace.steps]).max() == limits(trace, 1, stretched=True)[2][1]
    )


def test_the_alternative_text_has_the_numbers_of_the_maps(player):
    player.channel.value, player.step.value = 2, 3
    c = player.result.steps[2].c[2]
    assert f"cell state c from {c.min():.2g} to {c.max():.2g}" in player.picture.figure.alt
    assert "maps of channel 2" in player.picture.figure.alt
    assert said(player) in player.picture.figure.alt


def said(player: StepPlayer) -> str:
    return player.numbers.value.split(">")[1].split("<")[0]
