"""Masks of another size, of colours, or all hole: one line with what to paint; nothing lost."""

import pytest
from factories import completing, contents, save_picture, training
from PIL import Image


def test_a_mask_of_another_size_is_told_with_both_sizes(refused, photo, network):
    mask = photo.with_name("mask.png")
    Image.new("L", (20, 30)).save(mask)  # that of the photograph, turned
    before = contents(photo.parent)
    line = refused(*completing(photo, network, "--mask", mask))
    assert str(mask) in line
    assert str(photo) in line
    assert "20 x 30" in line
    assert "30 x 20" in line
    assert contents(photo.parent) == before


def test_a_mask_that_is_all_hole_is_told_with_what_to_paint(refused, photo, network):
    mask = photo.with_name("mask.png")
    Image.new("L", (30, 20), 255).save(mask)
    before = contents(photo.parent)
    line = refused(*completing(photo, network, "--mask", mask))
    assert f"{mask}: is all hole" in line
    assert "white only what is to be filled" in line
    assert contents(photo.parent) == before


def test_a_mask_whose_channels_differ_is_told_with_what_to_paint(refused, photo, network):
    mask = save_picture(photo.with_name("mask.png"), seed=1)
    before = contents(photo.parent)
    line = refused(*completing(photo, network, "--mask", mask))
    assert f"{mask}: its three channels differ" in line
    assert "white on black" in line
    assert contents(photo.parent) == before


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Image.new("L", (41, 40)), "one size"),
        (Image.new("RGB", (40, 40), (255, 0, 0)), "channels differ"),
        (Image.new("L", (40, 40), 255), "all hole"),
    ],
    ids=["another-size", "channels", "all-hole"],
)
def test_a_wrong_mask_of_a_pair_stops_training_by_name(refused, pairs, tmp_path, mask, words):
    mask.save(pairs / "masks" / "2.png")
    line = refused(*training(pairs, tmp_path / "run", mask_dir=pairs / "masks"))
    assert "2.png" in line
    assert words in line
