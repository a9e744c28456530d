"""Measuring, the baselines, and the table."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from inpaint_lib import PixelRNN, complete, evaluation, push_pull
from inpaint_lib.evaluation import (
    RADII,
    HeldOut,
    Table,
    best_radius,
    evaluate,
    hole_psnr,
    mean_colour,
    methods,
    navier_stokes,
    network,
    push_pull_fill,
    read_held_out,
    telea,
)

BUCKETS = ["small", "medium", "large", "strokes"]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """On tensors this small, threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def held_out(bucket: str = "small", seed: int = 0, name: str = "x.png") -> HeldOut:
    """A smooth picture of 40 x 36 with a box, whose place depends on the seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    original = np.asarray(small.resize((36, 40), Image.Resampling.BICUBIC))
    hole = np.zeros((40, 36), dtype=bool)
    top, left = rng.integers(2, 20, 2)
    hole[top : top + 12, left : left + 10] = True
    return HeldOut(name, "photograph", bucket, original, hole)


def some_of_each(first_seed: int = 0, count: int = 2) -> list[HeldOut]:
    return [
        held_out(bucket, first_seed + 10 * k + i)
        for k, bucket in enumerate(BUCKETS)
        for i in range(count)
    ]


def small_network(seed: int = 0) -> PixelRNN:
    torch.manual_seed(seed)
    return PixelRNN(hidden_channels=4).eval()


def painted(value: int):
    """A method that fills the hole with one grey."""

    def method(picture, hole):
        filled = picture.copy()
        filled[hole] = value
        return filled

    return method


BASELINES = {
    "mean colour": mean_colour,
    "push-pull": push_pull_fill,
    "telea": telea(3),
    "navier-stokes": navier_stokes(3),
    "network": network(small_network()),
}


@pytest.mark.parametrize("method", BASELINES.values(), ids=BASELINES)
def test_a_method_fills_the_hole_and_only_the_hole(method):
    for seed in range(4):
        pair = held_out(seed=seed)
        shown = pair.occluded
        filled = method(shown, pair.hole)
        assert filled.shape == shown.shape
        assert filled.dtype == np.uint8
        assert np.array_equal(filled[~pair.hole], pair.original[~pair.hole])
        assert (filled[pair.hole] > 0).any()
        assert np.array_equal(shown, pair.occluded), "the input was written to"


@pytest.mark.parametrize("method", BASELINES.values(), ids=BASELINES)
def test_no_method_depends_on_what_lies_under_the_hole(method):
    for seed in range(4):
        pair = held_out(seed=seed)
        grey_below = painted(201)(pair.original, pair.hole)
        assert np.array_equal(method(grey_below, pair.hole), method(pair.occluded, pair.hole))


def test_the_mean_colour_is_that_of_the_known_pixels():
    pair = held_out(seed=5)
    expected = pair.original[~pair.hole].astype(float).mean(axis=0).round()
    assert (mean_colour(pair.occluded, pair.hole)[pair.hole] == expected).all()


def test_smooth_fills_beat_the_mean_colour_on_smooth_pictures():
    pairs = [held_out(seed=seed) for seed in range(8)]
    flat = hole_psnr(mean_colour, pairs).mean()
    for method in (push_pull_fill, telea(3), navier_stokes(3)):
        assert hole_psnr(method, pairs).mean() > flat + 2


def test_the_push_pull_baseline_is_the_librarys_push_pull():
    pair = held_out(seed=1)
    image = torch.from_numpy(pair.original / np.float32(255)).permute(2, 0, 1)[None]
    filled = push_pull(image, torch.from_numpy(pair.hole)[None, None].float())
    expected = (filled[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8)
    assert np.array_equal(push_pull_fill(pair.occluded, pair.hole), expected)


def test_the_network_is_measured_as_it_is_used():
    pair, model = held_out(seed=1), small_network()
    filled = network(model)(pair.occluded, pair.hole)
    assert np.array_equal(filled, complete(model, pair.original, pair.hole))


def test_the_radius_matters_to_opencvs_methods():
    pair = held_out(seed=2)
    for make in (telea, navier_stokes):
        fills = {make(r)(pair.occluded, pair.hole).tobytes() for r in RADII}
        assert len(fills) > 1
    assert not np.array_equal(
        telea(3)(pair.occluded, pair.hole), navier_stokes(3)(pair.occluded, pair.hole)
    )


# Measuring


def test_hole_psnr_equals_that_of_scikit_image_over_the_hole():
    pairs = [held_out(seed=seed) for seed in range(3)]
    expected = [
        peak_signal_noise_ratio(p.original[p.hole], mean_colour(p.occluded, p.hole)[p.hole])
        for p in pairs
    ]
    assert hole_psnr(mean_colour, pairs).tolist() == pytest.approx(expected, abs=1e-3)


def test_methods_are_shown_black_under_the_hole():
    shown = []

    def spy(picture, hole):
        shown.append((picture.copy(), hole.copy()))
        return picture

    pairs = some_of_each()
    evaluate({"spy": dict.fromkeys(BUCKETS, spy)}, pairs)
    best_radius(lambda radius: spy, pairs)
    assert len(shown) == len(pairs) * (1 + len(RADII))
    for picture, hole in shown:
        assert hole.any()
        assert (picture[hole] == 0).all()


def test_errors_outside_the_hole_do_not_count():
    pair = held_out(seed=3)

    def careless(picture, hole):
        return np.where(hole[..., None], 90, 0).astype(np.uint8)

    assert hole_psnr(careless, [pair]) == pytest.approx(hole_psnr(painted(90), [pair]))


def test_each_bucket_gets_the_mean_over_its_own_pictures():
    pairs = some_of_each()
    table = evaluate({"mean colour": dict.fromkeys(BUCKETS, mean_colour)}, pairs)
    assert table.pictures == dict.fromkeys(BUCKETS, 2)
    for bucket in BUCKETS:
        own = [pair for pair in pairs if pair.bucket == bucket]
        expected = hole_psnr(mean_colour, own).mean()
        assert table.psnr["mean colour"][bucket] == pytest.approx(expected)


def oracle(pairs: list[HeldOut]):
    """A method that knows the originals of some pairs, and fills all others with their mean."""
    known = {pair.occluded.tobytes(): pair.original for pair in pairs}
    return lambda picture, hole: known.get(picture.tobytes(), mean_colour(picture, hole))


def test_identical_pictures_do_not_make_infinities():
    pairs = some_of_each()
    guessed = evaluate({"a": dict.fromkeys(BUCKETS, oracle(pairs[:1]))}, pairs)
    expected = hole_psnr(mean_colour, pairs[1:2])[0]
    assert guessed.psnr["a"]["small"] == pytest.approx(expected)

    perfect = evaluate({"a": dict.fromkeys(BUCKETS, oracle(pairs))}, pairs)
    assert not np.isinf(list(perfect.psnr["a"].values())).any()


# The radius


def test_the_best_radius_of_each_bucket_is_found():
    wanted = dict(zip(BUCKETS, (9, 1, 5, 3), strict=True))
    pairs = some_of_each()
    buckets = {pair.occluded.tobytes(): pair.bucket for pair in pairs}
    truth = oracle(pairs)

    def make(radius):
        def method(picture, hole):
            off = abs(RADII.index(radius) - RADII.index(wanted[buckets[picture.tobytes()]]))
            filled = truth(picture, hole).astype(int)
            return np.where(hole[..., None], (filled + 1 + off) % 256, filled).astype(np.uint8)

        return method

    assert best_radius(make, pairs) == wanted


@pytest.mark.parametrize("name", ["telea", "navier_stokes"])
def test_the_radius_is_chosen_on_val_and_never_on_test(name, monkeypatch):
    val, test = some_of_each(), some_of_each(first_seed=500)
    truth, asked = oracle(val + test), []

    def make(radius):
        def method(picture, hole):
            asked.append(radius)
            best = 5 if picture.tobytes() in shown_on_val else 1
            return truth(picture, hole) - (1 + (radius != best)) * hole[..., None].astype(np.uint8)

        return method

    shown_on_val = {pair.occluded.tobytes() for pair in val}
    monkeypatch.setattr(evaluation, name, make)
    chosen = methods(small_network(), val)
    assert set(asked) == set(RADII)
    asked.clear()
    table = evaluate(chosen, test)
    assert asked == [5] * len(test)
    label = {"telea": "Telea", "navier_stokes": "Navier-Stokes"}[name]
    assert all(np.isfinite(value) for value in table.psnr[label].values())


def test_the_network_stands_beside_what_a_user_would_pick_instead():
    chosen = methods(small_network(), some_of_each(count=1))
    assert next(iter(chosen)) == "ours"
    assert set(chosen) == {"ours", "mean colour", "push-pull", "Telea", "Navier-Stokes"}
    assert all(list(by_bucket) == BUCKETS for by_bucket in chosen.values())


# The table

TABLE = Table(
    {
        "ours": {"small": 31.126, "medium": 26.3},
        "mean colour": {"small": 23.2, "medium": 26.5},
    },
    {"small": 24, "medium": 25},
)


def test_the_text_has_a_line_for_each_method_and_marks_the_best():
    header, counts, ours, mean = TABLE.text().splitlines()
    assert header.split() == ["small", "medium"]
    assert counts.split() == ["pictures", "24", "25"]
    assert ours.split() == ["ours", "31.13*", "26.30"]
    assert mean.split() == ["mean", "colour", "23.20", "26.50*"]


@pytest.mark.parametrize("order", [["a", "b", "c"], ["b", "a", "c"]])
def test_a_value_that_is_not_a_number_does_not_hide_the_best(order):
    values = {"a": float("nan"), "b": 20.0, "c": 25.0}
    table = Table({name: {"small": values[name]} for name in order}, {"small": 1})
    starred = [line.split()[0] for line in table.text().splitlines() if "*" in line]
    assert starred == ["c"]


def test_the_csv_holds_the_same_values_for_programs(tmp_path):
    TABLE.write_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["method", "bucket", "pictures", "hole_psnr_db"]
    assert len(rows) == 4
    for row in rows:
        assert float(row["hole_psnr_db"]) == TABLE.psnr[row["method"]][row["bucket"]]
        assert int(row["pictures"]) == TABLE.pictures[row["bucket"]]
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


# Reading what `prepare` made


def test_prepared_pairs_are_read_back(tmp_path):
    pair = held_out(seed=4, name="0000_x.png")
    for kind, array in (
        ("original_images", pair.original),
        ("masks", pair.hole.astype(np.uint8) * 255),
    ):
        (tmp_path / kind).mkdir()
        Image.fromarray(array).save(tmp_path / kind / pair.name)
    (tmp_path / "manifest.csv").write_text(
        "name,photograph,crop,mirrored,hole,bucket,seed\n"
        "0000_x.png,photograph,0 0 36 40,0,1 2 3 4,small,0\n"
    )
    [read] = read_held_out(tmp_path)
    assert (read.name, read.photograph, read.bucket) == (pair.name, "photograph", "small")
    assert np.array_equal(read.original, pair.original)
    assert np.array_equal(read.hole, pair.hole)
    assert read.hole.dtype == bool


def test_a_folder_without_prepared_pairs_is_named_with_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"manifest\.csv.*python -m inpaint_lib prepare"):
        read_held_out(tmp_path)
