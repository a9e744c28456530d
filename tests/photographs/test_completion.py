"""Completing one photograph."""

import numpy as np
import pytest
import torch
from factories import random_network
from PIL import Image

from inpaint_lib import PixelRNN, complete
from inpaint_lib.filling import push_pull
from inpaint_lib.photographs import completion
from inpaint_lib.photographs.baselines import smooth


def picture(height: int = 23, width: int = 31, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


PATCHED = {"patch_size": 4, "prefill": "push-pull", "norm": "group"}


def box(height: int = 23, width: int = 31) -> np.ndarray:
    hole = np.zeros((height, width), dtype=bool)
    hole[height // 4 : height // 2 + 1, width // 4 : width // 2 + 1] = True
    return hole


class Painter(PixelRNN):
    """Predicts one colour everywhere, and keeps what it was shown."""

    def __init__(self, colour: float = 1.0):
        super().__init__(hidden_channels=4)
        self.colour, self.seen = colour, []

    def forward(self, img_rgb, mask):
        self.seen.append((img_rgb.clone(), mask.clone(), self.training, torch.is_grad_enabled()))
        return torch.full_like(img_rgb, self.colour)


@pytest.mark.parametrize("size", [(3, 3), (5, 7), (23, 31), (64, 64), (65, 130)])
@pytest.mark.parametrize("options", [{}, {"patch_size": 4, "prefill": "push-pull"}])
def test_size_and_known_pixels_are_those_of_the_photograph(size, options):
    image, hole = picture(*size), box(*size)
    done = complete(random_network(**options), image, hole)
    assert isinstance(done, Image.Image)
    assert done.mode == "RGB"
    assert done.size == (size[1], size[0])
    assert np.array_equal(np.asarray(done)[~hole], image[~hole])


def test_the_hole_and_nothing_else_gets_the_networks_prediction():
    image, hole = picture(), box()
    for colour, value in ((0.0, 0), (1.0, 255), (0.5, 128), (100.4 / 255, 100)):
        done = np.asarray(complete(Painter(colour), image, hole))
        assert (done[hole] == value).all()
        assert np.array_equal(done[~hole], image[~hole])


def test_what_lies_under_the_hole_never_reaches_the_network():
    image, hole = picture(), box()
    model = Painter()
    complete(model, image, hole)
    [(shown, mask, training, grad)] = model.seen
    assert np.array_equal(mask[0, 0].numpy(), hole.astype(np.float32))
    expected = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)
    assert torch.equal(shown[0], expected * ~torch.from_numpy(hole))
    assert not training
    assert not grad


def test_an_array_a_pil_image_and_a_path_give_the_same(tmp_path):
    image, hole, model = picture(), box(), random_network()
    Image.fromarray(image).save(tmp_path / "photo.png")
    forms = [image, Image.fromarray(image), tmp_path / "photo.png", str(tmp_path / "photo.png")]
    first, *others = (np.asarray(complete(model, form, hole)) for form in forms)
    assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize("form", [np.uint8, np.int64, np.float32, "255", "list", "pil"])
def test_whatever_is_not_zero_in_the_mask_is_hole(form):
    image, hole, model = picture(), box(), random_network()
    mask = {
        "255": lambda: hole.astype(np.uint8) * 255,
        "list": hole.tolist,
        "pil": lambda: Image.fromarray(hole),
    }.get(form, lambda: hole.astype(form))()
    assert np.array_equal(complete(model, image, mask), complete(model, image, hole))


def test_the_caller_keeps_image_and_mask_as_they_were():
    image, hole = picture(), box()
    pil = Image.fromarray(image)
    complete(Painter(), image, hole)
    complete(Painter(), pil, hole)
    assert np.array_equal(image, picture())
    assert np.array_equal(pil, picture())
    assert np.array_equal(hole, box())


def test_a_turned_photograph_is_completed_upright(tmp_path):
    image = picture(20, 30)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    Image.fromarray(image).save(tmp_path / "turned.png", exif=exif)
    upright, hole = np.rot90(image, -1), box(30, 20)
    for form in (tmp_path / "turned.png", Image.open(tmp_path / "turned.png")):
        done = np.asarray(complete(random_network(), form, hole))
        assert np.array_equal(done[~hole], upright[~hole])


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_photographs_of_any_mode_come_back_as_rgb(mode):
    hole = box()
    grey = Image.fromarray(picture()).convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    done = complete(random_network(), deep if mode == "I;16" else grey.convert(mode), hole)
    assert done.mode == "RGB"
    assert done.size == (31, 23)


@pytest.mark.parametrize("shape", [(31, 23), (23, 30), (1, 1), (23, 31, 1), (23, 31, 3)])
def test_a_mask_of_another_size_is_refused_with_both_sizes(shape):
    with pytest.raises(ValueError, match=rf"mask.*{shape[0]}, {shape[1]}.*\(23, 31\)"):
        complete(random_network(), picture(), np.ones(shape, dtype=bool))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((23, 31), dtype=np.uint8),
        np.zeros((23, 31, 4), dtype=np.uint8),
        np.zeros((23, 31, 3), dtype=np.float32),
        np.zeros((1, 23, 31, 3), dtype=np.uint8),
    ],
    ids=["grey", "four-channels", "float", "batch"],
)
def test_an_array_that_is_no_picture_is_refused(array):
    with pytest.raises(ValueError, match="uint8"):
        complete(random_network(), array, box())


def test_a_path_without_a_picture_is_named(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.png"):
        complete(random_network(), tmp_path / "text.png", box())
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        complete(random_network(), tmp_path / "none.png", box())


def test_an_empty_mask_gives_the_picture_back():
    model = Painter()
    done = complete(model, picture(), np.zeros((23, 31)))
    assert np.array_equal(done, picture())
    assert model.seen == []


def test_a_hole_as_large_as_the_picture_is_refused():
    with pytest.raises(ValueError, match="nothing is known"):
        complete(random_network(), picture(), np.ones((23, 31)))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_in_training_goes_on_training_with_its_statistics_untouched(training):
    model = random_network().train(training)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    expected = np.asarray(complete(random_network(), picture(), box()))
    assert np.array_equal(complete(model, picture(), box()), expected)
    assert all(m.training == training for m in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_network_in_training_goes_on_training_even_after_a_failure():
    class Failing(PixelRNN):
        def forward(self, img_rgb, mask):
            raise RuntimeError("out of memory")

    model = Failing(hidden_channels=4).train()
    with pytest.raises(RuntimeError, match="out of memory"):
        complete(model, picture(), box())
    assert model.training


# Windows: the cost follows the hole


def test_of_a_large_photograph_only_the_surroundings_of_the_hole_are_computed():
    image, hole, model = picture(400, 500), np.zeros((400, 500), dtype=bool), Painter()
    hole[200:220, 300:310] = True
    hole[10:15, 20:26] = True
    done = np.asarray(complete(model, image, hole))
    assert (done[hole] == 255).all()
    assert np.array_equal(done[~hole], image[~hole])
    computed = sum(shown.shape[-2] * shown.shape[-1] for shown, *_ in model.seen)
    assert computed <= 0.1 * hole.size


def test_a_window_shows_what_surrounds_the_hole():
    image, hole, model = picture(300, 300), np.zeros((300, 300), dtype=bool), Painter()
    hole[150:160, 140:165] = True
    complete(model, image, hole)
    [(shown, mask, *_)] = model.seen
    margin = completion.MARGIN
    rows, columns = slice(150 - margin, 160 + margin), slice(140 - margin, 165 + margin)
    assert np.array_equal(mask[0, 0].numpy(), hole[rows, columns].astype(np.float32))
    expected = np.where(hole[..., None], 0, image)[rows, columns]
    assert np.array_equal((shown[0] * 255).round().permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("options", [{}, PATCHED])
def test_a_crop_around_the_hole_is_completed_as_the_whole_photograph_is(options):
    image, hole = picture(240, 260), np.zeros((240, 260), dtype=bool)
    hole[100:121, 90:107] = True
    crop = np.s_[50:180, 30:190]
    whole = np.asarray(complete(random_network(**options), image, hole))
    assert np.array_equal(complete(random_network(**options), image[crop], hole[crop]), whole[crop])


def scattered(height: int, width: int, seed: int) -> np.ndarray:
    """Boxes and thin lines at random: near each other, apart, and at the edge."""
    rng, hole = np.random.default_rng(seed), np.zeros((height, width), dtype=bool)
    for _ in range(rng.integers(1, 7)):
        top, left = rng.integers(0, height), rng.integers(0, width)
        h, w = rng.integers(1, 40, 2)
        hole[top : top + h, left : left + w] = True
    return hole


@pytest.mark.parametrize("seed", range(12))
def test_all_holes_are_filled_wherever_they_are(seed):
    image, hole = picture(210, 190), scattered(210, 190, seed)
    done = np.asarray(complete(Painter(), image, hole))
    assert (done[hole] == 255).all()
    assert np.array_equal(done[~hole], image[~hole])


def big_hole(shape: tuple[int, int] = (230, 250)) -> np.ndarray:
    """A hole deeper than any the network is shown at full size."""
    hole = np.zeros(shape, dtype=bool)
    hole[40:190, 50:200] = True
    hole[180:200, 30:80] = True
    return hole


@pytest.mark.parametrize("largest", [80, 128, 512])
@pytest.mark.parametrize("hole", [big_hole(), scattered(230, 250, 3)], ids=["deep", "scattered"])
@pytest.mark.parametrize("options", [{}, PATCHED])
def test_large_holes_too_keep_known_pixels_and_hide_hidden_ones(
    options, hole, largest, monkeypatch
):
    monkeypatch.setattr(completion, "MAX_SIDE", largest)
    image, other = picture(230, 250), picture(230, 250, seed=1)
    done = np.asarray(complete(random_network(**options), image, hole))
    assert np.array_equal(done[~hole], image[~hole])
    assert not np.array_equal(done[hole], image[hole])
    painted = np.where(hole[..., None], other, image)
    assert np.array_equal(complete(random_network(**options), painted, hole), done)


@pytest.mark.parametrize("largest", [80, 512])
def test_a_deep_hole_is_completed_on_a_reduced_picture(largest, monkeypatch):
    monkeypatch.setattr(completion, "MAX_SIDE", largest)
    image, model = np.full((230, 250, 3), 90, dtype=np.uint8), Painter(90 / 255)
    done = np.asarray(complete(model, image, big_hole()))
    assert np.abs(done.astype(int) - 90).max() <= 1
    assert max(shown.shape[-1] for shown, *_ in model.seen) <= 250 / 2


def test_a_deep_hole_joins_its_surroundings_without_a_step():
    ramp = np.linspace(40, 200, 250)[None, :, None] + np.zeros((230, 1, 3))
    hole = big_hole()
    torch.manual_seed(0)
    smooth = PixelRNN(hidden_channels=4, prefill="push-pull")  # untrained: the push-pull fill
    done = np.asarray(complete(smooth, ramp.round().astype(np.uint8), hole)).astype(int)
    for axis in (0, 1):
        steps = np.abs(np.diff(done, axis=axis)).max(axis=-1)
        edge = np.diff(hole.astype(int), axis=axis) != 0
        assert edge.any()
        assert steps[edge].max() <= 4


def test_a_piece_of_a_large_window_sees_those_before_it(monkeypatch):
    monkeypatch.setattr(completion, "MAX_SIDE", 96)
    image, hole, model = picture(60, 300), np.zeros((60, 300), dtype=bool), Painter(1.0)
    hole[20:40, 20:280] = True
    done = np.asarray(complete(model, image, hole))
    assert (done[hole] == 255).all()
    assert np.array_equal(done[~hole], image[~hole])
    assert len(model.seen) > 1
    for shown, mask, *_ in model.seen[1:]:
        assert max(shown.shape[-2:]) <= 96
        assert (shown == 1).all(dim=1).sum() > 100, "the piece before is filled by now"
        assert 0 < mask.mean() < 1


def test_a_hole_done_at_a_reduced_size_comes_back_up_without_a_step():
    """With the network at its start, the push-pull fill: all that is added is the way down and up.

    Mean absolute jump across the hole's edge, against the same jump of the fill at full size.
    """
    model = random_network(untrained=True, **PATCHED)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((300, 300), Image.Resampling.BICUBIC))
    hole = np.zeros((300, 300), dtype=bool)
    hole[60:240, 60:240] = True

    def jump(done: np.ndarray) -> float:
        d = done.astype(float)
        edges = [
            d[60, 60:240] - d[59, 60:240],
            d[239, 60:240] - d[240, 60:240],
            d[60:240, 60] - d[60:240, 59],
            d[60:240, 239] - d[60:240, 240],
        ]
        return float(np.abs(edges).mean())

    done = np.asarray(complete(model, image, hole))
    assert completion.MAX_DEPTH < 90  # the hole's middle is deeper: it is done at a reduced size
    assert jump(done) < 0.5 * jump(smooth(push_pull)(image, hole))
    assert jump(done) < 1.1 * jump(image)
