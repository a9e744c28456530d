"""Boxes, brush strokes, and covering a batch with fresh ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, find_objects, label

from inpaint_lib import holes
from inpaint_lib.crops import crop_and_cover
from inpaint_lib.data import Batch
from inpaint_lib.holes import (
    boxes_mask,
    holes_from,
    numbers_for,
    random_box,
    random_holes,
    strokes_for,
    strokes_mask,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawing(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(count: int, size: tuple[int, int], *options, seed: int = 0) -> np.ndarray:
    """Random holes, (count, height, width) bool."""
    made = random_holes(count, size, drawing(seed), *options)
    assert made.shape == (count, 1, *size)
    assert made.dtype == torch.bool
    return made[:, 0].numpy()


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


def test_strokes_that_can_never_cover_the_wanted_share_come_to_an_end():
    assert strokes_mask((20, 20), rng(), area=(2.0, 3.0)).any()


@pytest.mark.parametrize("longest", [4, 12, 1000])
def test_boxes_alone_are_rectangles_no_longer_than_asked(longest):
    lengths = []
    for hole in draw(60, (64, 64), "boxes", longest):
        labels, count = label(hole)
        if count == 2:  # not one over the other
            for rows, columns in find_objects(labels):
                assert labels[rows, columns].all()
                lengths += [rows.stop - rows.start, columns.stop - columns.start]
    assert 0.7 * min(longest, 48) <= max(lengths) <= min(longest, 48)
    assert min(lengths) >= 0.85 * min(8, longest) - 0.5


def test_every_second_hole_of_boxes_has_two():
    counts = [label(hole)[1] for hole in draw(400, (256, 256), "boxes", 8)]  # rarely one over other
    assert set(counts) == {1, 2}
    assert 0.4 < counts.count(2) / len(counts) < 0.55


def test_boxes_are_as_often_between_8_and_16_as_between_16_and_32_and_lie_anywhere():
    longer, middles = [], []
    for hole in draw(600, (128, 160), "boxes", 32):
        labels, count = label(hole)
        for rows, columns in find_objects(labels) if count == 2 else []:
            longer.append(max(rows.stop - rows.start, columns.stop - columns.start))
            middles.append(((rows.start + rows.stop) / 256, (columns.start + columns.stop) / 320))
    assert len(longer) > 200
    assert 0.4 < np.mean(np.array(longer) < 16) < 0.6
    np.testing.assert_allclose(np.mean(middles, axis=0), 0.5, atol=0.05)
    assert np.min(middles) < 0.1
    assert np.max(middles) > 0.9


def test_strokes_alone_are_never_a_box():
    assert not any(
        hole[rows, columns].all()
        for hole in draw(30, (64, 64), "strokes")
        for rows, columns in find_objects(hole * 1)
    )


def test_one_hole_in_three_is_of_strokes_where_the_picture_is_large_enough():
    numbers = torch.rand(900, numbers_for((32, 40)), generator=drawing())
    both, boxes, strokes = (
        holes_from(numbers, (32, 40), kind).flatten(1) for kind in ("both", "boxes", "strokes")
    )
    stroked = (both == strokes).all(dim=1)
    assert (stroked | (both == boxes).all(dim=1)).all()
    assert 0.28 < stroked.float().mean() < 0.39
    numbers = torch.rand(100, numbers_for((31, 40)), generator=drawing())
    assert torch.equal(holes_from(numbers, (31, 40)), holes_from(numbers, (31, 40), "boxes"))


def stroke_numbers(count: int, size: tuple[int, int], **chosen: float) -> torch.Tensor:
    """The numbers of holes of strokes, with some chosen: x, y, direction, width, pieces."""
    numbers = torch.rand(count, numbers_for(size), generator=drawing())
    strokes = numbers[:, -strokes_for(size) * holes.STROKE :].unflatten(1, (-1, holes.STROKE))
    for name, value in chosen.items():
        strokes[..., ["x", "y", "direction", "width", "pieces"].index(name)] = value
    return numbers


@pytest.mark.parametrize(("number", "width"), [(0.0, 3), (0.5, 7.5), (0.999, 12)])
def test_fresh_strokes_are_from_3_to_12_pixels_wide(number, width):
    numbers = stroke_numbers(21, (64, 64), x=0.5, y=0.5, width=number)
    drawn = holes_from(numbers, (64, 64), "strokes")[:, 0].numpy()
    # Framed, as a stroke may leave the picture and go on.
    reach = [distance_transform_edt(np.pad(hole, 1)).max() for hole in drawn]
    assert width / 2 - 1 <= np.median(reach) <= width / 2 + 1.5


def test_fresh_strokes_equal_a_plain_loop_over_pixels_and_pieces():
    size = (40, 52)
    numbers = stroke_numbers(6, size)
    drawn = holes_from(numbers, size, "strokes")[:, 0].numpy()
    strokes = numbers[:, -strokes_for(size) * holes.STROKE :].double()
    for hole, several in zip(drawn, strokes.unflatten(1, (-1, holes.STROKE)), strict=True):
        beyond = np.full(size, np.inf)  # how far from the nearest stroke's rim
        for x, y, direction, width, pieces, *turns in several.tolist():
            x, y, angle = x * size[1], y * size[0], 2 * np.pi * direction
            reach = (min(3, 10) + (min(12, 10) - 3) * width) / 2
            rows, columns = np.indices(size) + 0.5
            for turn in turns[: 4 + int(5 * pieces)]:
                angle += 0.6 * torch.special.ndtri(torch.tensor(turn)).item()
                for t in np.linspace(0, 1, 200):
                    to_x, to_y = x + t * 10 * np.cos(angle), y + t * 10 * np.sin(angle)
                    away = np.hypot(columns - to_x, rows - to_y)
                    beyond = np.minimum(beyond, away - reach)
                x, y = to_x, to_y
        assert hole[beyond < -0.01].all()
        assert not hole[beyond > 0.01].any()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    kind=st.sampled_from(["both", "boxes", "strokes"]),
)
def test_a_random_hole_is_never_empty(seed, height, width, kind):
    assert draw(5, (height, width), kind, seed=seed).any(axis=(1, 2)).all()


@pytest.mark.parametrize("kind", ["both", "boxes", "strokes"])
@pytest.mark.parametrize("size", [(5, 7), (7, 7), (64, 64), (128, 96)])
def test_a_random_hole_leaves_something_to_go_by(size, kind):
    assert not draw(60, size, kind).all(axis=(1, 2)).any()


@pytest.mark.parametrize("size", [(5, 7), (64, 64), (128, 128)])
def test_a_random_hole_follows_from_its_generator(size):
    def series(seed):
        return draw(8, size, seed=seed)

    assert np.array_equal(series(3), series(3))
    assert not np.array_equal(series(3), series(4))
    assert len({hole.tobytes() for hole in series(3)}) > 1


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (200, 150), (256, 256), (512, 512)])
def test_strokes_are_drawn_whatever_the_size(size):
    shares = draw(8, size, "strokes").mean(axis=(1, 2))
    assert 0.01 < shares.mean() < 0.3


def test_an_unknown_kind_of_hole_is_refused():
    with pytest.raises(ValueError, match="choose one of 'both', 'boxes', 'strokes'"):
        random_holes(1, (8, 8), drawing(), "circles")


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
    occluded, original, mask = crop_and_cover(triples(), crop_size, fresh, drawing())
    assert occluded.shape == original.shape == (6, 3, *size)
    assert mask.shape == (6, 1, *size)
    assert set(mask.unique().tolist()) == {0, 1}
    assert torch.equal(occluded, original * (1 - mask))
    assert (occluded[(mask == 1).expand_as(occluded)] == 0).all()


def test_stored_holes_move_with_their_crop_and_stay_in_it():
    batch = triples()
    places = set()
    for seed in range(12):
        _, original, mask = crop_and_cover(batch, 10, False, drawing(seed))
        for i in range(6):
            top, left = place_of(original[i], batch[1][i])
            assert torch.equal(mask[i], batch[2][i, :, top : top + 10, left : left + 10])
            assert mask[i].sum() > 0
            places.add((top, left))
    assert len(places) > 20


def test_a_stored_pair_without_a_hole_can_be_cropped_too():
    _, original, mask = triples()
    nothing = torch.zeros_like(mask)
    cropped = crop_and_cover((original, original, nothing), 10, False, drawing())
    assert torch.equal(cropped[0], cropped[1])
    assert cropped[2].sum() == 0


def test_fresh_holes_replace_the_stored_ones_and_crops_are_mirrored_at_random():
    batch = triples()
    mirrored, drawn = [], set()
    for seed in range(8):
        _, original, mask = crop_and_cover(batch, 20, True, drawing(seed))
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
        return crop_and_cover(triples(), 16, True, drawing(seed))

    for a, b in zip(made(1), made(1), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(made(1)[1], made(2)[1])


def test_the_batch_given_is_not_changed():
    batch = triples()
    before = [t.clone() for t in batch]
    for fresh in (False, True):
        for crop_size in (None, 16):
            crop_and_cover(batch, crop_size, fresh, drawing())
    assert all(torch.equal(a, b) for a, b in zip(batch, before, strict=True))


def orientations(square: torch.Tensor) -> list[torch.Tensor]:
    """A picture (..., side, side) turned by quarter turns, and each of these mirrored."""
    turned = [square.rot90(k, (-2, -1)) for k in range(4)]
    return turned + [t.flip(-1) for t in turned]


def orientation_of(crop: torch.Tensor, picture: torch.Tensor) -> int:
    """Which of the orientations of a crop is found in the picture."""
    [which] = [k for k, o in enumerate(orientations(crop)) if place_of(o, picture) is not None]
    return which


@pytest.mark.parametrize(("turns", "expected"), [(False, {0, 4}), (True, set(range(8)))])
def test_asked_for_turns_all_eight_orientations_occur_and_are_as_frequent(turns, expected):
    batch = triples()
    seen = []
    for seed in range(16):
        _, original, _ = crop_and_cover(batch, 20, True, drawing(seed), turns=turns)
        seen += [orientation_of(original[i], batch[1][i]) for i in range(6)]
    assert set(seen) == expected
    assert max(np.bincount(seen)) < 3 * len(seen) / len(expected)


def test_pictures_that_are_not_square_are_mirrored_but_keep_their_sides():
    batch = triples()
    seen = set()
    for seed in range(8):
        _, original, _ = crop_and_cover(batch, None, True, drawing(seed), turns=True)
        assert original.shape == (6, 3, 24, 30)
        for crop, picture in zip(original, batch[1], strict=True):
            mirrors = [crop, crop.flip(-1), crop.flip(-2), crop.flip(-2, -1)]
            seen |= {k for k, mirror in enumerate(mirrors) if torch.equal(mirror, picture)}
    assert seen == {0, 1, 2, 3}


def test_stored_holes_are_never_turned_or_mirrored():
    batch = triples()
    cropped = crop_and_cover(batch, None, False, drawing(), turns=True)
    assert all(torch.equal(a, b) for a, b in zip(cropped, batch, strict=True))


@pytest.mark.parametrize("fresh", [False, True])
def test_bytes_are_cropped_and_covered_as_floats_are(fresh):
    stored = Batch(*((255 * t).round().byte() for t in triples()))
    floats = Batch(*(t.float() / 255 for t in stored))
    crops = [crop_and_cover(b, 16, fresh, drawing(), turns=fresh) for b in (stored, floats)]
    for a, b in zip(*crops, strict=True):
        assert a.dtype == torch.uint8
        assert torch.equal(a.float() / 255, b)


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize(("crop_size", "fresh"), [(16, True), (16, False), (None, True)])
def test_a_pair_is_treated_alike_in_the_whole_batch_and_in_a_part_of_it(parts, crop_size, fresh):
    def made(i: int, n: int, generator: torch.Generator) -> Batch:
        batch = Batch(*(t[i::n] for t in triples()))
        return crop_and_cover(batch, crop_size, fresh, generator, turns=True, part=(i, n))

    one = drawing(5)
    whole = [made(0, 1, one) for _ in range(2)]
    for i in range(parts):
        generator = drawing(5)
        for batch in whole:  # the second one, too: generators stay in step
            for a, b in zip(made(i, parts, generator), batch, strict=True):
                assert torch.equal(a, b[i::parts])


def test_boxes_of_a_batch_are_no_longer_than_asked_and_of_the_kind_asked():
    batch = triples()
    _, _, mask = crop_and_cover(batch, None, True, drawing(), "boxes", 3)
    assert all(1 <= hole.sum() <= 18 for hole in mask)
    _, _, strokes = crop_and_cover(batch, None, True, drawing(), "strokes")
    assert not torch.equal(strokes, mask)
