"""The file a network is kept in."""

import os

import pytest
import torch
from factories import OPTIONS, picture_and_mask, random_network
from safetensors.torch import load_file, save_file

from inpaint_lib import PixelRNN, load_model, paths
from inpaint_lib.checkpoints import save_model


@pytest.mark.parametrize("options", OPTIONS)
def test_a_saved_network_comes_back_in_eval_mode_with_the_same_output(options, tmp_path):
    model = random_network(8, num_layers=2, **options)
    save_model(model.train(), tmp_path / "m.pth")
    loaded = load_model(tmp_path / "m.pth", device="cpu")
    assert not any(m.training for m in loaded.modules())
    assert loaded.config == model.config
    batch = picture_and_mask(14, 11)
    with torch.no_grad():
        assert torch.equal(loaded(*batch), model.eval()(*batch))


def test_a_refined_network_comes_back_with_the_same_output(tmp_path):
    model = random_network(8, patch_size=4, refine=3)
    save_model(model, tmp_path / "m.pth")
    loaded = load_model(tmp_path / "m.pth", device="cpu")
    assert loaded.config["refine"] == 3
    with torch.no_grad():
        assert torch.equal(loaded(*picture_and_mask(14, 11)), model(*picture_and_mask(14, 11)))


def test_a_checkpoint_that_does_not_know_of_refine_loads(tmp_path):
    model = random_network(8, patch_size=4)
    save_model(model, tmp_path / "m.pth")
    config = {name: value for name, value in model.config.items() if name != "refine"}
    changed(tmp_path / "m.pth", config=config)
    loaded = load_model(tmp_path / "m.pth", device="cpu")
    assert loaded.config["refine"] == 0
    with torch.no_grad():
        assert torch.equal(loaded(*picture_and_mask(14, 11)), model(*picture_and_mask(14, 11)))


def test_saving_leaves_only_the_file_itself(tmp_path):
    save_model(random_network(), tmp_path / "m.pth")
    save_model(random_network(seed=1), tmp_path / "m.pth")
    assert os.listdir(tmp_path) == ["m.pth"]


def test_the_path_may_be_a_string(tmp_path):
    save_model(random_network(), str(tmp_path / "m.pth"))
    assert isinstance(load_model(str(tmp_path / "m.pth"), "cpu"), PixelRNN)


def test_a_missing_file_is_named_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pth.*python -m inpaint_lib train"):
        load_model(tmp_path / "none.pth")


@pytest.mark.parametrize("name", ["photographs", "bricks"])
def test_missing_shipped_weights_are_told_with_the_command_to_run(name, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "default_path", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(FileNotFoundError, match=r"\.pth.*(make|python -m inpaint_lib) \w+"):
        load_model(name)


@pytest.mark.parametrize("name", ["photographs", "bricks"])
def test_shipped_weights_are_found_by_name(name, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "default_path", lambda *parts: tmp_path.joinpath(*parts))
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for seed, file in enumerate(["photographs.pth", "bricks.pth"]):
        save_model(random_network(seed=seed), folder / file)
    expected = random_network(seed=0 if name == "photographs" else 1).state_dict()
    loaded = load_model(name, "cpu").state_dict()
    assert all(torch.equal(loaded[key], expected[key]) for key in expected)


def test_safetensors_hold_the_same_network_and_are_plain_to_others(tmp_path):
    model = random_network()
    save_model(model, tmp_path / "m.safetensors")
    assert os.listdir(tmp_path) == ["m.safetensors"]
    loaded = load_model(tmp_path / "m.safetensors", "cpu")
    assert loaded.config == model.config
    by_others = load_file(tmp_path / "m.safetensors")
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
        assert torch.equal(by_others[name], tensor)


@pytest.mark.parametrize("world", ["photographs", "bricks"])
def test_the_shipped_safetensors_are_the_shipped_weights(world):
    safe = load_model(paths.default_path("checkpoints", f"{world}.safetensors"), "cpu")
    ours = load_model(world, "cpu")
    assert safe.config == ours.config
    for name, tensor in ours.state_dict().items():
        assert torch.equal(safe.state_dict()[name], tensor)


@pytest.mark.parametrize("damage", ["empty", "cut", "other", "another-format"])
def test_safetensors_that_are_not_ours_are_refused_by_name(damage, tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(random_network(), path)
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "other":
        save_file({"weight": torch.zeros(3)}, path)
    else:
        path.write_bytes(path.read_bytes().replace(b'\\"format\\": 1', b'\\"format\\": 9'))
    with pytest.raises(ValueError, match=r"m\.safetensors: not a checkpoint"):
        load_model(path, "cpu")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused_by_name(share, tmp_path):
    save_model(random_network(), tmp_path / "m.pth")
    whole = (tmp_path / "m.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cut\.pth"):
        load_model(tmp_path / "cut.pth", "cpu")


def changed(path, **changes):
    """The checkpoint in a file with some of its entries replaced."""
    torch.save(torch.load(path, weights_only=True) | changes, path)


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_another_format_version_is_refused_by_name(version, tmp_path):
    save_model(random_network(), tmp_path / "m.pth")
    changed(tmp_path / "m.pth", format=version)
    with pytest.raises(ValueError, match=r"m\.pth.*format 1"):
        load_model(tmp_path / "m.pth", "cpu")


def test_bare_weights_without_a_configuration_are_refused(tmp_path):
    torch.save(random_network().state_dict(), tmp_path / "bare.pth")
    with pytest.raises(ValueError, match=r"bare\.pth"):
        load_model(tmp_path / "bare.pth", "cpu")


def test_a_tensor_in_place_of_a_checkpoint_is_refused(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(ValueError, match=r"tensor\.pth"):
        load_model(tmp_path / "tensor.pth", "cpu")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": random_network(8).state_dict()},
        {"model": {}},
        {"model": None},
        {"config": random_network(8).config},
        {"config": {"no_such_option": 1}},
        {"config": {"norm": "layer"}},
        {"config": None},
    ],
    ids=["wider", "none", "not-weights", "other-config", "option", "norm", "no-config"],
)
def test_weights_that_do_not_fit_are_refused_by_name(changes, tmp_path):
    save_model(random_network(4), tmp_path / "m.pth")
    changed(tmp_path / "m.pth", **changes)
    with pytest.raises(ValueError, match=r"m\.pth"):
        load_model(tmp_path / "m.pth", "cpu")


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_checkpoint_is_never_executed(tmp_path):
    trace, file = tmp_path / "executed", tmp_path / "bomb.pth"
    model = random_network()
    torch.save({"format": 1, "config": model.config, "model": Bomb(trace)}, file)
    torch.load(file, weights_only=False)
    assert trace.is_dir(), "this file would do harm if it were unpickled"
    trace.rmdir()

    with pytest.raises(ValueError, match=r"bomb\.pth"):
        load_model(file, "cpu")
    assert not trace.exists()
