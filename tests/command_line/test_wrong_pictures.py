"""Pictures that are damaged, too small or of another size: one line with the file; nothing lost.

Training meets them in its second epoch; the first must survive that. What the readers themselves
refuse is in test_data.py and, by the thousand, in test_fuzz.py.
"""

import time
import zlib

import pytest
from factories import BOX, completing, contents, save_picture, training


def bomb() -> bytes:
    """A PNG of 60 KB that says, and would become, 400 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = (20_000).to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes(20_000 * 2_501), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.fixture
def spoilt_while_training(refused, command, pairs, tmp_path):
    """Train an epoch, let something be done to a pair, go on; returns the line of the error."""

    def run_it(spoil, **changes) -> str:
        save_dir = tmp_path / "run"
        assert command(*training(pairs, save_dir, **changes)) == (0, [])
        before, whole = contents(save_dir), contents(pairs)
        spoil()
        line = refused(*training(pairs, save_dir, "--resume", **(changes | {"epochs": 2})))
        assert contents(save_dir) == before
        for name, data in whole.items():
            (pairs / name).write_bytes(data)
        assert command(*training(pairs, save_dir, "--resume", **(changes | {"epochs": 2}))) == (
            0,
            [],
        )
        return line

    return run_it


@pytest.mark.parametrize("kind", ["occluded_images/occluded_2.png", "original_images/2.png"])
def test_a_pair_of_two_sizes_stops_training_and_the_epochs_before_are_kept(
    spoilt_while_training, pairs, kind
):
    line = spoilt_while_training(lambda: save_picture(pairs / kind, (41, 40)))
    assert str(pairs / "occluded_images" / "occluded_2.png") in line
    assert "(41, 40)" in line
    assert "(40, 40)" in line
    assert "one size" in line


DAMAGE = {
    "truncated": lambda whole: whole[: len(whole) // 2],
    "zero-byte": lambda whole: b"",
    "text": lambda whole: b"This is no picture.\n" * 50,
    "bomb": lambda whole: bomb(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_picture_stops_training_and_the_epochs_before_are_kept(
    spoilt_while_training, pairs, damage
):
    path = pairs / "original_images" / "2.png"
    line = spoilt_while_training(lambda: path.write_bytes(DAMAGE[damage](path.read_bytes())))
    assert f"{path}: cannot be read as a picture" in line
    assert "replace or remove it" in line


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("which", ["photograph", "mask"])
def test_a_damaged_picture_is_not_completed_and_stays_as_it_is(
    refused, photo, network, damage, which
):
    mask = save_picture(photo.parent / "mask.png")
    path = photo if which == "photograph" else mask
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    before = contents(photo.parent)
    line = refused(*completing(photo, network, *BOX, "--mask", mask))
    assert f"{path}: cannot be read as a picture" in line
    assert "replace or remove it" in line
    assert contents(photo.parent) == before


def test_a_missing_photograph_is_named(refused, photo, network):
    line = refused(*completing(photo.with_name("other.png"), network))
    assert str(photo.with_name("other.png")) in line


def test_a_decompression_bomb_takes_neither_time_nor_memory(refused, photo, network):
    photo.write_bytes(bomb())
    start = time.perf_counter()
    line = refused(*completing(photo, network))
    assert time.perf_counter() - start < 2  # to unpack it would take longer, and 400 MB
    assert str(photo) in line


def test_a_crop_smaller_than_the_ssim_window_is_told_with_both(refused, pairs, tmp_path):
    line = refused(*training(pairs, tmp_path / "run", crop_size=5))
    assert "7" in line
    assert "5 x 5" in line
    assert contents(tmp_path / "run") == {}
