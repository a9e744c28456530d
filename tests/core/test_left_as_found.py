"""Called from code: networks as they come, and all that is the caller's stays as it was."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from factories import a_batch, config_for, random_network
from torch import nn

from inpaint_lib import PixelRNN, complete, fit, load_model, psnr, push_pull, ssim, thin_plate
from inpaint_lib.checkpoints import save_model
from inpaint_lib.data import difference_mask
from inpaint_lib.photographs.baselines import network as method
from inpaint_lib.training import Trainer, run

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 56, 3), dtype=np.uint8)
HOLE = np.zeros((48, 56), dtype=bool)
HOLE[4:10, 6:14] = True
PATCHED = {"patch_size": 4, "norm": "group", "prefill": "thin-plate", "standardize": True}


@pytest.fixture
def model() -> PixelRNN:
    return random_network(**PATCHED)


def compiled(model: PixelRNN) -> nn.Module:
    return torch.compile(model, backend="eager")  # what a file or a completion meets is the same


WRAPPERS = {
    "compiled": compiled,
    "DataParallel": nn.DataParallel,
    "averaged": torch.optim.swa_utils.AveragedModel,
    "both": lambda model: nn.DataParallel(compiled(model)),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_compiled_or_wrapped_network_is_saved_completed_with_and_fitted(model, tmp_path, wrap):
    wrapped = wrap(model)
    save_model(wrapped, tmp_path / "wrapped.pth")
    loaded = load_model(tmp_path / "wrapped.pth", "cpu")
    expected = np.asarray(complete(model, PICTURE, HOLE))
    for network in (loaded, wrapped):
        assert np.array_equal(complete(network, PICTURE, HOLE), expected)
    assert np.array_equal(method(wrapped)(PICTURE, HOLE), expected)
    assert isinstance(fit(wrapped, PICTURE, HOLE, 0.01), PixelRNN)


@pytest.mark.parametrize("what", [nn.Identity(), nn.DataParallel(nn.Conv2d(3, 3, 1))])
def test_what_holds_no_network_is_told_and_nothing_is_written(tmp_path, what):
    with pytest.raises(TypeError, match="PixelRNN is needed"):
        save_model(what, tmp_path / "x.pth")
    with pytest.raises(TypeError, match="PixelRNN is needed"):
        complete(what, PICTURE, HOLE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_in_any_precision_completes_as_its_weights_say(model, tmp_path, dtype):
    model.to(dtype)
    save_model(model, tmp_path / "x.pth")
    expected = np.asarray(complete(load_model(tmp_path / "x.pth", "cpu"), PICTURE, HOLE))
    done = np.asarray(complete(model, PICTURE, HOLE)).astype(int)
    assert abs(done - expected).max() <= (1 if dtype == torch.float64 else 0)
    assert next(model.parameters()).dtype == dtype
    assert fit(model, PICTURE, HOLE, 0.01).state_dict().keys() == model.state_dict().keys()


def test_parts_of_a_network_that_are_not_trained_stay_so(model):
    model.train()
    model.res_blocks.eval()
    before = [module.training for module in model.modules()]
    complete(model, PICTURE, HOLE)
    assert [module.training for module in model.modules()] == before


SURROUNDINGS = {
    "plain": nullcontext,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.parametrize("around", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_what_is_around_a_call_changes_nothing(model, around):
    expected = np.asarray(complete(model, PICTURE, HOLE))
    with around():
        assert np.array_equal(complete(model, PICTURE, HOLE), expected)
        fitted = np.asarray(complete(fit(model, PICTURE, HOLE, 0.01), PICTURE, HOLE))
    assert np.array_equal(fitted[~HOLE], PICTURE[~HOLE])


def settings() -> list:
    """What is the caller's and global."""
    return [
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
        torch.are_deterministic_algorithms_enabled(),
    ]


def train(pairs, tmp_path, **options) -> None:
    validation = {
        "val_occluded_dir": pairs / "occluded_images",
        "val_original_dir": pairs / "original_images",
    }
    run(Trainer(config_for(pairs, tmp_path / "run", **validation, **options)))


CALLS = {
    "complete": lambda model, *_: complete(model, PICTURE, HOLE),
    "fit": lambda model, *_: fit(model, PICTURE, HOLE, 0.01),
    "load": lambda *_: load_model(device="cpu"),
    "train": lambda _, *where: train(*where),
    "train on fresh holes": lambda _, *where: train(*where, fresh_holes=True, in_memory=True),
    "train with workers": lambda _, *where: train(*where, num_workers=1, epochs=1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_random_numbers_threads_and_types_are_the_callers(model, pairs, tmp_path, call):
    torch.set_num_threads(2)
    try:
        before = settings()
        call(model, pairs, tmp_path)
        assert settings() == before
    finally:
        torch.set_num_threads(1)


def test_a_run_that_is_left_half_way_leaves_all_as_it_was_too(pairs, tmp_path):
    before = settings()
    steps = Trainer(config_for(pairs, tmp_path / "run")).steps()
    for _ in range(4):
        next(steps)
        assert settings() == before
    steps.close()
    assert settings() == before


def test_a_run_does_not_depend_on_the_callers_random_numbers(pairs, tmp_path):
    torch.manual_seed(1)
    one = run(Trainer(config_for(pairs, tmp_path / "one"))).state_dict()
    torch.manual_seed(2)
    two = run(Trainer(config_for(pairs, tmp_path / "two"))).state_dict()
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_integer_pictures_are_refused_where_their_range_is_not_said():
    batch = a_batch()
    x, y = ((255 * t).round().byte() for t in (batch.occluded, batch.original))
    mask = batch.mask
    for call in (
        lambda: ssim(x, y),
        lambda: psnr(x, y),
        lambda: psnr(x, batch.original),
        lambda: push_pull(x, mask),
        lambda: thin_plate(x, mask),
        lambda: thin_plate(batch.occluded, mask.long()),
        lambda: difference_mask(x, y),  # their difference would wrap around
    ):
        with pytest.raises(TypeError, match=r"torch.*(255|float)"):
            call()
    for measure in (ssim, psnr):
        stated = measure(x, y, data_range=255)
        torch.testing.assert_close(stated, measure(x / 255, y / 255), atol=1e-3, rtol=1e-3)


def test_psnr_does_not_spread_one_picture_over_others():
    x = torch.rand(2, 3, 8, 8)
    with pytest.raises(ValueError, match="one shape"):
        psnr(x, x[:1])
    with pytest.raises(ValueError, match="one shape"):
        psnr(x, x[:, :1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_measures_compute_in_float32_at_least(dtype):
    batch = a_batch()
    x, y = batch.occluded.to(dtype), batch.original.to(dtype)
    for measure in (ssim, psnr):
        value = measure(x, y)
        assert value.dtype == torch.promote_types(dtype, torch.float32)
        torch.testing.assert_close(
            value.double(), measure(x.double(), y.double()), atol=1e-4, rtol=1e-5
        )
