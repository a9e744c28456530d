"""Boxes, brush strokes, and covering a batch with fresh ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, find_objects, label

from inpaint_lib import holes
from inpaint_lib.data import crop_and_cover
from inpaint_lib.holes import boxes_mask, random_box, random_hole, strokes_mask


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def limited_drawing(monkeypatch):
    """Strokes are drawn anew until they fit: give up after three hundred times."""
    draw, times = holes.ImageDraw.Draw, []

    def counted(*args):
        times.append(1)
        assert len(times) < 300, "the strokes never cover the wanted share of the picture"
        return draw(*args)

    monkeypatch.setattr(holes.ImageDraw, "Draw", counted)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(40, 90), st.integers(40, 90)),
    sides=st.tuples(st.integers(1, 40), st.integers(1, 40)).map(sorted),
)
def test_a_box_lies_in_the_picture_with_sides_in_range(seed, size, sides):
    left, top, width, height = random_box(size, tuple(sides), rng(seed))
    assert left >= 0
    assert top >= 0
    assert left + width <= size[1]
    assert top + height <= size[0]
    assert sides[0] <= width <= sides[1]
    assert sides[0] <= height <= sides[1]


def test_both_ends_of_the_range_of_sides_and_all_places_occur():
    boxes = [random_box((10, 12), (4, 6), rng(s)) for s in range(300)]
    assert {w for _, _, w, _ in boxes} == {4, 5, 6}
    assert {h for _, _, _, h in boxes} == {4, 5, 6}
    assert min(b[0] for b in boxes) == min(b[1] for b in boxes) == 0
    assert max(b[0] + b[2] for b in boxes) == 12
    assert max(b[1] + b[3] for b in boxes) == 10


def test_a_box_larger_than_the_picture_is_cut_to_it():
    assert random_box((5, 7), (20, 30), rng()) == (0, 0, 7, 5)


def test_the_mask_is_true_inside_any_box():
    boxes = [(1, 2, 3, 4), (2, 3, 5, 1)]
    mask = boxes_mask((8, 9), boxes)
    assert mask.shape == (8, 9)
    assert mask.dtype == bool
    for y in range(8):
        for x in range(9):
            inside = any(a <= x < a + w and b <= y < b + h for a, b, w, h in boxes)
            assert mask[y, x] == inside


def test_strokes_cover_ten_to_twenty_percent():
    shares = [strokes_mask((128, 128), rng(s)).mean() for s in range(30)]
    assert min(shares) >= 0.10
    assert max(shares) <= 0.20
    assert len(set(shares)) > 20


@pytest.mark.parametrize("width", [3, 5, 8])
def test_strokes_are_as_wide_as_asked(width):
    reach = [
        distance_transform_edt(
            strokes_mask((128, 128), rng(s), strokes=1, widths=(width, width), area=(0.0, 1.0))
        ).max()
        for s in range(21)
    ]
    # Half the width, and a little more where a stroke bends or crosses itself.
    assert width / 2 - 1 <= np.median(reach) <= width / 2 + 1.5


def test_strokes_have_the_shape_of_the_picture():
    assert strokes_mask((60, 90), rng(), strokes=2).shape == (60, 90)


@pytest.mark.parametrize("longest", [4, 12, 1000])
def test_boxes_alone_are_rectangles_no_longer_than_asked(longest):
    lengths = []
    for seed in range(60):
        labels, count = label(random_hole((64, 64), rng(seed), "boxes", longest))
        if count == 2:  # not one over the other
            for rows, columns in find_objects(labels):
                assert labels[rows, columns].all()
                lengths += [rows.stop - rows.start, columns.stop - columns.start]
    assert 0.7 * min(longest, 48) <= max(lengths) <= min(longest, 48)


def test_strokes_alone_are_never_a_box():
    holes = [random_hole((64, 64), rng(seed), "strokes") for seed in range(30)]
    assert not any(
        hole[rows, columns].all() for hole in holes for rows, columns in find_objects(hole * 1)
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), height=st.integers(1, 70), width=st.integers(1, 70))
def test_a_random_hole_is_never_empty(seed, height, width):
    hole = random_hole((height, width), rng(seed))
    assert hole.shape == (height, width)
    assert hole.dtype == bool
    assert hole.any()


@pytest.mark.parametrize("size", [(5, 7), (64, 64), (128, 96)])
def test_a_random_hole_leaves_something_to_go_by(size):
    assert all(not random_hole(size, rng(s)).all() for s in range(60))


@pytest.mark.parametrize("size", [(5, 7), (64, 64), (128, 128)])
def test_a_random_hole_follows_from_its_generator(size):
    def series(seed):
        generator = rng(seed)
        return np.stack([random_hole(size, generator) for _ in range(8)])

    assert np.array_equal(series(3), series(3))
    assert not np.array_equal(series(3), series(4))
    assert len({hole.tobytes() for hole in series(3)}) > 1


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (200, 150), (256, 256), (512, 512)])
def test_a_random_hole_is_found_soon_whatever_the_size(size, limited_drawing):
    for seed in range(8):
        assert random_hole(size, rng(seed)).any()


# Crops and fresh holes


def triples(count: int = 6, height: int = 24, width: int = 30):
    """Originals whose pixels tell their place, so that a crop can be found again."""
    g = torch.Generator().manual_seed(0)
    original = 0.1 + 0.9 * torch.rand(count, 3, height, width, generator=g)
    mask = torch.zeros(count, 1, height, width)
    for i in range(count):
        mask[i, :, 3 * i : 3 * i + 4, 4 * i : 4 * i + 5] = 1
    return original * (1 - mask), original, mask


def place_of(crop: torch.Tensor, picture: torch.Tensor) -> tuple[int, int] | None:
    """Where a crop (3, h, w) lies in a picture (3, H, W): top, left."""
    h, w = crop.shape[-2:]
    for top in range(picture.shape[-2] - h + 1):
        for left in range(picture.shape[-1] - w + 1):
            if torch.equal(picture[:, top : top + h, left : left + w], crop):
                return top, left
    return None


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    ("crop_size", "size"), [(None, (24, 30)), (16, (16, 16)), (27, (24, 27)), (64, (24, 30))]
)
def test_crops_have_the_size_asked_for_and_stay_registered(fresh, crop_size, size):
    occluded, original, mask = crop_and_cover(triples(), crop_size, fresh, rng())
    assert occluded.shape == original.shape == (6, 3, *size)
    assert mask.shape == (6, 1, *size)
    assert set(mask.unique().tolist()) == {0, 1}
    assert torch.equal(occluded, original * (1 - mask))
    assert (occluded[(mask == 1).expand_as(occluded)] == 0).all()


def test_stored_holes_move_with_their_crop_and_stay_in_it():
    batch = triples()
    places = set()
    for seed in range(12):
        _, original, mask = crop_and_cover(batch, 10, False, rng(seed))
        for i in range(6):
            top, left = place_of(original[i], batch[1][i])
            assert torch.equal(mask[i], batch[2][i, :, top : top + 10, left : left + 10])
            assert mask[i].sum() > 0
            places.add((top, left))
    assert len(places) > 20


def test_a_stored_pair_without_a_hole_can_be_cropped_too():
    _, original, mask = triples()
    nothing = torch.zeros_like(mask)
    cropped = crop_and_cover((original, original, nothing), 10, False, rng())
    assert torch.equal(cropped[0], cropped[1])
    assert cropped[2].sum() == 0


def test_fresh_holes_replace_the_stored_ones_and_crops_are_mirrored_at_random():
    batch = triples()
    mirrored, drawn = [], set()
    for seed in range(8):
        _, original, mask = crop_and_cover(batch, 20, True, rng(seed))
        for i in range(6):
            straight = place_of(original[i], batch[1][i])
            flipped = place_of(original[i].flip(-1), batch[1][i])
            assert (straight is None) != (flipped is None)
            mirrored.append(straight is None)
            assert mask[i].sum() > 0
            drawn.add(mask[i].numpy().tobytes())
    assert 0.25 < np.mean(mirrored) < 0.75
    assert len(drawn) > 40


def test_crops_and_holes_follow_from_the_generator():
    def made(seed):
        return crop_and_cover(triples(), 16, True, rng(seed))

    for a, b in zip(made(1), made(1), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(made(1)[1], made(2)[1])


def test_the_batch_given_is_not_changed():
    batch = triples()
    before = [t.clone() for t in batch]
    for fresh in (False, True):
        for crop_size in (None, 16):
            crop_and_cover(batch, crop_size, fresh, rng())
    assert all(torch.equal(a, b) for a, b in zip(batch, before, strict=True))
