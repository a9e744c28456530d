"""An unknown option and a number out of range are refused where they enter, by name."""

from pathlib import Path

import pytest
import torch
from factories import a_batch, config_for, elsewhere

from inpaint_lib import PixelRNN, load_model, train
from inpaint_lib.holes import random_holes
from inpaint_lib.training import TrainConfig, Trainer, completion_loss

KNOWN = {
    "schedule": {"constant", "one-cycle", "cosine"},
    "hole_term": {"l1", "l1-per-hole", "psnr"},
    "hole_kind": {"both", "boxes", "strokes"},
    "norm": {"batch", "group"},
    "prefill": {"push-pull", "thin-plate", None},
}
UNKNOWN = [
    (name, value)
    for name, known in KNOWN.items()
    for value in ("fast", "", "L1", "Batch", 0, None)
    if value not in known
]
OUT_OF_RANGE = [
    ("epochs", 0),
    ("epochs", -3),
    ("batch_size", 0),
    ("lr", 0.0),
    ("lr", -1e-4),
    ("lr", float("nan")),
    ("lr", float("inf")),
    ("hidden_channels", 0),
    ("num_layers", 0),
    ("patch_size", 0),
    ("crop_size", 0),
    ("longest_hole", 0),
    ("longest_hole", -3),
    ("num_workers", -1),
    ("held_out", -1),
    ("grad_clip", 0.0),
    ("grad_clip", -1.0),
    ("grad_clip", float("nan")),
    ("ssim_weight", -0.1),
    ("ssim_weight", 2.0),
    ("ssim_weight", float("nan")),
    ("seed", -1),
]


def names_the_known(error: Exception, name: str, unknown: object) -> bool:
    text = str(error)
    return text.startswith(f"{name} {unknown!r}: ") and all(repr(k) in text for k in KNOWN[name])


@pytest.mark.parametrize(("name", "unknown"), UNKNOWN)
def test_an_unknown_option_of_a_run_is_told_with_the_known_ones(name, unknown):
    with pytest.raises(ValueError, match=f"^{name} ") as error:
        TrainConfig(**{name: unknown})
    assert names_the_known(error.value, name, unknown)


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_option_of_a_run_is_taken(name):
    for known in KNOWN[name]:
        assert getattr(TrainConfig(**{name: known}), name) == known


def test_an_unknown_option_of_the_loss_is_told_with_the_known_ones():
    batch = a_batch()
    with pytest.raises(ValueError, match=r"^hole_term ") as error:
        completion_loss(batch.original, batch, hole_term="l2")
    assert names_the_known(error.value, "hole_term", "l2")


def test_an_unknown_kind_of_hole_is_told_with_the_known_ones():
    with pytest.raises(ValueError, match=r"^hole_kind ") as error:
        random_holes(1, (32, 32), torch.Generator(), "circles")
    assert names_the_known(error.value, "hole_kind", "circles")


@pytest.mark.parametrize("name", ["norm", "prefill"])
def test_an_unknown_option_of_the_network_is_told_with_the_known_ones(name):
    with pytest.raises(ValueError, match=f"^{name} ") as error:
        PixelRNN(hidden_channels=4, **{name: "layer"})
    assert names_the_known(error.value, name, "layer")


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_a_number_out_of_range_is_told_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} {value}: ") as error:
        TrainConfig(**{name: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["hidden_channels", "num_layers", "patch_size"])
def test_a_network_of_no_size_is_told_by_name(name):
    with pytest.raises(ValueError, match=f"^{name} 0: "):
        PixelRNN(**{name: 0})


@pytest.mark.parametrize("value", [2.5, 2.0, "2", True])
@pytest.mark.parametrize("name", ["epochs", "batch_size", "hidden_channels", "crop_size", "seed"])
def test_what_is_counted_is_a_whole_number(name, value):
    with pytest.raises(TypeError, match=f"^{name} {value!r}: "):
        TrainConfig(**{name: value})


def test_the_least_and_the_largest_numbers_are_taken(pairs, tmp_path):
    least = {"epochs": 1, "batch_size": 1, "hidden_channels": 1, "num_layers": 1, "seed": 0}
    for weight in (0, 1):
        config = config_for(pairs, tmp_path / "run", **least, ssim_weight=weight, longest_hole=1)
        assert config.ssim_weight == weight


def test_a_wrong_number_is_told_before_a_folder_is_made_or_looked_for(tmp_path):
    nowhere = Path("nowhere")
    with pytest.raises(ValueError, match=r"^epochs 0: "):
        train(nowhere, nowhere, tmp_path / "run", 0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("device", ["quantum", "cpu:x", "cuda:99", elsewhere()])
def test_a_device_that_is_not_there_is_told_and_no_folder_is_made(pairs, tmp_path, device):
    with pytest.raises(ValueError, match=f"^device '{device}': ") as error:
        Trainer(config_for(pairs, tmp_path / "run", device=device))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_network_is_not_loaded_to_a_device_that_is_not_there(network):
    with pytest.raises(ValueError, match=f"^device '{elsewhere()}': is not there; torch finds "):
        load_model(network, elsewhere())


def test_the_device_that_torch_finds_is_the_default(network):
    best = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    assert next(load_model(network).parameters()).device.type == best.type
