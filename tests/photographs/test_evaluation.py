"""Measuring, the baselines, and the table."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio

from inpaint_lib import PixelRNN, complete, push_pull, ssim_map
from inpaint_lib.photographs import evaluation
from inpaint_lib.photographs.baselines import (
    biharmonic,
    installed_peers,
    mean_colour,
    navier_stokes,
    network,
    smooth,
    telea,
)
from inpaint_lib.photographs.evaluation import (
    METRICS,
    RADII,
    HeldOut,
    Score,
    best_radius,
    difference,
    edge_jump,
    evaluate,
    examples,
    held_out_from,
    mean,
    methods,
    read_held_out,
    score,
    seam,
    table,
    write_csv,
)

BUCKETS = ["small", "medium", "large", "strokes"]


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


def hole_psnrs(method, pairs: list[HeldOut]) -> np.ndarray:
    return np.array([score(method(p.occluded, p.hole), p).hole_psnr for p in pairs])


BASELINES = {
    "mean colour": mean_colour,
    "push-pull": smooth(push_pull),
    "telea": telea(3),
    "navier-stokes": navier_stokes(3),
    "biharmonic": biharmonic,
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
    flat = hole_psnrs(mean_colour, pairs).mean()
    for method in (smooth(push_pull), telea(3), navier_stokes(3), biharmonic):
        assert hole_psnrs(method, pairs).mean() > flat + 2


def test_the_push_pull_baseline_is_the_librarys_push_pull():
    pair = held_out(seed=1)
    image = torch.from_numpy(pair.original / np.float32(255)).permute(2, 0, 1)[None]
    filled = push_pull(image, torch.from_numpy(pair.hole)[None, None].float())
    expected = (filled[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8)
    assert np.array_equal(smooth(push_pull)(pair.occluded, pair.hole), expected)


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


def test_psnr_and_l1_are_those_of_the_definitions():
    for seed in range(3):
        pair = held_out(seed=seed)
        filled = mean_colour(pair.occluded, pair.hole)
        scored = score(filled, pair)
        a, b = filled[pair.hole] / 255, pair.original[pair.hole] / 255
        expected = peak_signal_noise_ratio(b, a, data_range=1)
        assert scored.hole_psnr == pytest.approx(expected, abs=1e-3)
        assert scored.hole_l1 == pytest.approx(np.abs(a - b).mean(), abs=1e-6)
        expected = peak_signal_noise_ratio(pair.original, filled)
        assert scored.psnr == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("lightest", [0, 200])
def test_ssim_is_measured_over_windows_that_touch_the_hole(lightest):
    for seed in range(3):
        pair = held_out(seed=seed)
        light = pair.original // 2 + 128 if lightest else pair.original
        pair = pair._replace(original=light)
        filled = mean_colour(pair.occluded, pair.hole)
        x, y = (
            torch.from_numpy(picture / 255).permute(2, 0, 1)[None]
            for picture in (filled, pair.original)
        )
        exact = ssim_map(x, y, window_size=11, eps=0)[0].mean(dim=0).numpy()
        touching = [
            exact[row, column]
            for row in range(40)
            for column in range(36)
            if pair.hole[max(0, row - 5) : row + 6, max(0, column - 5) : column + 6].any()
        ]
        assert 0 < len(touching) < exact.size
        scored = score(filled, pair)
        assert scored.hole_ssim == pytest.approx(np.mean(touching), abs=5e-5)
        assert scored.ssim == pytest.approx(exact.mean(), abs=5e-5)
        assert scored.hole_ssim < scored.ssim


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


def test_errors_outside_the_hole_do_not_count_in_the_hole():
    pair = held_out(seed=3)
    careless = painted(90)(np.zeros_like(pair.original), pair.hole)
    good = painted(90)(pair.occluded, pair.hole)
    assert score(careless, pair).hole_psnr == pytest.approx(score(good, pair).hole_psnr)
    assert score(careless, pair).hole_l1 == pytest.approx(score(good, pair).hole_l1)
    assert score(careless, pair).psnr < score(good, pair).psnr


def test_each_bucket_gets_the_scores_of_its_own_pictures():
    pairs = some_of_each()
    scores = evaluate({"mean colour": dict.fromkeys(BUCKETS, mean_colour)}, pairs)
    for bucket in BUCKETS:
        own = [pair for pair in pairs if pair.bucket == bucket]
        expected = hole_psnrs(mean_colour, own)
        found = scores["mean colour"][bucket]
        assert [s.hole_psnr for s in found] == pytest.approx(expected.tolist())
        assert mean(found) == pytest.approx(expected.mean())


def oracle(pairs: list[HeldOut]):
    """A method that knows the originals of some pairs, and fills all others with their mean."""
    known = {pair.occluded.tobytes(): pair.original for pair in pairs}
    return lambda picture, hole: known.get(picture.tobytes(), mean_colour(picture, hole))


def test_identical_pictures_do_not_make_infinities():
    pairs = some_of_each()
    guessed = evaluate({"ours": dict.fromkeys(BUCKETS, oracle(pairs[:1]))}, pairs)
    expected = hole_psnrs(mean_colour, pairs[1:2])[0]
    assert mean(guessed["ours"]["small"]) == pytest.approx(expected)
    assert mean(guessed["ours"]["small"], "psnr") < 100

    perfect = evaluate({"ours": dict.fromkeys(BUCKETS, oracle(pairs))}, pairs)
    for metric in METRICS:
        assert not np.isinf(mean(perfect["ours"]["small"], metric))
    assert mean(perfect["ours"]["small"], "hole_l1") == 0
    assert mean(perfect["ours"]["small"], "hole_ssim") == pytest.approx(1, abs=1e-6)


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
    evaluate(chosen, test)
    assert asked == [5] * len(test)


def test_the_network_stands_beside_what_a_user_would_pick_instead():
    chosen = methods(small_network(), some_of_each(count=1))
    assert next(iter(chosen)) == "ours"
    assert set(chosen) == {
        "ours",
        "our start",
        "mean colour",
        "push-pull",
        "biharmonic",
        "Telea",
        "Navier-Stokes",
    }
    assert all(list(by_bucket) == BUCKETS for by_bucket in chosen.values())


# The difference


def scored(*psnrs: float) -> list[Score]:
    """Scores of that hole PSNR; the other numbers follow from it."""
    return [Score(p, 1 / p, p / 100, p + 5, 0.9, 0.2, 0.1) for p in psnrs]


def pairs_of(*photographs: str, bucket: str = "small") -> list[HeldOut]:
    return [held_out(bucket, i)._replace(photograph=name) for i, name in enumerate(photographs)]


def in_small(**by_method: list[Score]) -> dict[str, dict[str, list[Score]]]:
    none: dict[str, list[Score]] = {bucket: [] for bucket in BUCKETS}
    return {name: none | {"small": scores} for name, scores in by_method.items()}


def test_the_difference_is_paired_and_to_the_best_of_the_others():
    pairs = pairs_of("a", "a", "a", "b", "c", "c")
    scores = in_small(
        bad=scored(1, 1, 1, 1, 1, 1),
        ours=scored(22, 23, 24, 31, 20, 23),
        good=scored(20, 20, 20, 30, 20, 21),
    )
    found = difference(scores, pairs, "small")
    each = [3, 1, 1]  # the means over a, b and c
    interval = stats.ttest_1samp(each, 0).confidence_interval(0.95)
    assert found.other == "good"
    assert found.mean == pytest.approx(np.mean(each))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_one_photograph_gives_no_interval():
    scores = in_small(ours=scored(22, 24), other=scored(20, 21))
    found = difference(scores, pairs_of("wall", "wall"), "small")
    assert found.mean == pytest.approx(2.5)
    assert found.low is None
    assert found.high is None


def test_identical_pictures_are_left_out_of_the_difference():
    scores = in_small(ours=scored(22, float("inf"), 25), other=scored(20, 21, 21))
    found = difference(scores, pairs_of("a", "b", "c"), "small")
    assert found.mean == pytest.approx(3)


# The table

PAIRS = pairs_of("a", "b")
SCORES = in_small(
    ours=scored(31.12, 31.14),
    plain=scored(23.1, 23.3),
)


def lines_of(text: str, start: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.startswith(start)]


def test_the_table_has_a_line_for_each_method_and_marks_the_best():
    text = table(SCORES, PAIRS, ["hole_psnr"])
    assert METRICS["hole_psnr"] in text
    assert lines_of(text, " ")[0] == BUCKETS
    assert lines_of(text, "ours ")[0][:2] == ["ours", "31.13*"]
    assert lines_of(text, "plain")[0][:2] == ["plain", "23.20"]
    assert lines_of(text, "pictures") == [["pictures", "2", "0", "0", "0"]]
    assert lines_of(text, "photographs") == [["photographs", "2", "0", "0", "0"]]
    [line] = [line for line in text.splitlines() if line.startswith("ours minus")]
    assert "plain" in line
    assert "+7.93 dB" in line


def test_the_smallest_l1_is_the_best_and_every_metric_has_its_block():
    blocks = table(SCORES, PAIRS).split("\n\n")
    for (_, title), block in zip(METRICS.items(), blocks, strict=False):
        assert block.splitlines()[0] == title
    assert lines_of(blocks[list(METRICS).index("hole_l1")], "ours")[0][1].endswith("*")
    assert lines_of(blocks[list(METRICS).index("hole_ssim")], "ours")[0][1].endswith("*")


@pytest.mark.parametrize("order", [["a", "ours", "b"], ["ours", "b", "a"]])
def test_a_value_that_is_not_a_number_does_not_hide_the_best(order):
    values = {"a": scored(20, 20), "ours": scored(*[float("inf")] * 2), "b": scored(25, 25)}
    text = table(in_small(**{name: values[name] for name in order}), PAIRS, ["hole_psnr"])
    starred = [line.split()[0] for line in text.splitlines() if "*" in line]
    assert starred == ["b"]
    assert "inf" not in text


def test_the_table_says_how_many_identical_pictures_were_left_out():
    scores = in_small(ours=scored(30, float("inf")), plain=scored(20, 21))
    text = table(scores, PAIRS, ["hole_psnr"])
    assert "identical" in text
    assert "1 small" in text


def test_the_csv_holds_the_same_values_for_programs(tmp_path):
    write_csv(SCORES, PAIRS, tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["bucket"]) for row in rows] == [
        (name, bucket) for name in SCORES for bucket in BUCKETS
    ]
    for row in rows:
        scores = SCORES[row["method"]][row["bucket"]]
        assert int(row["pictures"]) == len(scores)
        assert int(row["identical"]) == 0
        for metric in METRICS:
            assert float(row[metric]) == pytest.approx(mean(scores, metric), abs=1e-4, nan_ok=True)
    found = difference(SCORES, PAIRS, "small")
    assert rows[0]["best_other"] == found.other == "plain"
    numbers = [float(rows[0][f"difference{part}_db"]) for part in ("", "_low", "_high")]
    assert numbers == pytest.approx([found.mean, found.low, found.high], abs=1e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


# Any photographs


def test_a_folder_of_photographs_gives_pairs_of_every_hole_size(tmp_path):
    for i in range(3):
        array = np.random.default_rng(i).integers(0, 256, (150, 170, 3), dtype=np.uint8)
        Image.fromarray(array).save(tmp_path / f"photo{i}.png")
    pairs = held_out_from(tmp_path)
    assert {(p.photograph, p.bucket) for p in pairs} == {
        (f"photo{i}.png", bucket) for i in range(3) for bucket in BUCKETS
    }
    for pair in pairs:
        assert pair.original.shape == (128, 128, 3)
        assert pair.hole.shape == (128, 128)
        assert pair.hole.any()
    for one, same, other in zip(
        pairs, held_out_from(tmp_path), held_out_from(tmp_path, seed=1), strict=True
    ):
        assert np.array_equal(one.hole, same.hole)
        assert np.array_equal(one.original, same.original)
        assert not np.array_equal(one.hole, other.hole)


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


# The edge of the hole


def test_the_edge_jump_is_the_mean_over_neighbours_on_either_side_of_the_edge():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    hole = rng.random((9, 7)) < 0.4
    steps = []
    for y in range(9):
        for x in range(7):
            for v, u in ((y + 1, x), (y, x + 1)):
                if v < 9 and u < 7 and hole[y, x] != hole[v, u]:
                    steps.append(np.abs(image[y, x].astype(int) - image[v, u]).mean())
    assert edge_jump(image, hole) == pytest.approx(np.mean(steps) / 255)


def test_a_seam_is_in_units_of_the_originals_jump():
    pairs = some_of_each(count=2)
    perfect = [score(pair.original, pair) for pair in pairs]
    black = [score(pair.occluded, pair) for pair in pairs]
    assert seam(perfect) == 1
    assert seam(black) > 3


def test_the_examples_are_the_least_middle_and_greatest_gains():
    pairs = [held_out("small", seed, f"{seed}.png") for seed in range(5)]
    chosen = {
        "ours": dict.fromkeys(BUCKETS, smooth(push_pull)),
        "mean colour": dict.fromkeys(BUCKETS, mean_colour),
    }
    scores = evaluate(chosen, pairs)
    rows, titles = examples(chosen, scores, pairs)
    assert list(rows) == ["occluded", "best other", "ours", "original"]
    gains = [
        a.hole_psnr - b.hole_psnr
        for a, b in zip(scores["ours"]["small"], scores["mean colour"]["small"], strict=True)
    ]
    order = np.argsort(gains)
    assert titles == [f"small\n{gains[order[i]]:+.1f} dB" for i in (0, 2, 4)]
    for column, i in enumerate(order[[0, 2, 4]]):
        assert np.array_equal(rows["original"][column], pairs[i].original)
        filled = mean_colour(pairs[i].occluded, pairs[i].hole)
        assert np.array_equal(rows["best other"][column], filled)


def test_installed_peers_stand_in_the_table_when_they_are_asked_for():
    pairs = some_of_each(count=1)
    without = methods(small_network(), pairs)
    chosen = methods(small_network(), pairs, peers=True)
    assert chosen.keys() - without.keys() == installed_peers().keys()
    assert all(list(by_bucket) == BUCKETS for by_bucket in chosen.values())
