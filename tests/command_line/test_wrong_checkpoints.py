"""Checkpoints that cannot be used: one line with a remedy; no code is run, no run is lost."""

from pathlib import Path

import pytest
import torch
from factories import Code, completing, contents, training

from inpaint_lib import PixelRNN


def other_format(path: Path, version: object) -> None:
    torch.save(torch.load(path, weights_only=True) | {"format": version}, path)


def other_architecture(path: Path) -> None:
    wider = PixelRNN(hidden_channels=8)
    torch.save(torch.load(path, weights_only=True) | {"model": wider.state_dict()}, path)


def nonsense(path: Path, **changes) -> None:
    content = torch.load(path, weights_only=True)
    for name, value in changes.items():
        content[name] = content[name] | value if isinstance(content[name], dict) else value
    torch.save(content, path)


def foreign(path: Path) -> None:
    torch.save(torch.nn.Linear(3, 4).state_dict(), path)


def with_code(path: Path) -> None:
    torch.save(torch.load(path, weights_only=True) | {"notes": Code(path.with_name("trace"))}, path)


SPOILT = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-3000]),
    "text": lambda path: path.write_text("weights"),
    "another-architecture": other_architecture,
    "foreign": foreign,
    "older-format": lambda path: other_format(path, 0),
    "newer-format": lambda path: other_format(path, 2),
    "no-channels": lambda path: nonsense(path, config={"hidden_channels": 0}),
    "nameless-weights": lambda path: nonsense(path, model={1: torch.zeros(1)}),
    "several-formats": lambda path: nonsense(path, format=torch.ones(3)),
    "code": with_code,
}
REMEDY = r"train|make demo|another checkpoint|choose|replace"


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_checkpoint_that_cannot_be_used_is_told_with_a_remedy(refused, photo, network, spoilt):
    SPOILT[spoilt](network)
    before = contents(photo.parent)
    line = refused(*completing(photo, network))
    assert str(network) in line
    after = line[line.index(str(network)) + len(str(network)) :]
    assert any(word in after for word in REMEDY.split("|")), f"no remedy in: {line}"
    assert contents(photo.parent) == before


def test_code_in_a_checkpoint_is_not_run_nor_is_running_it_advised(refused, photo, network):
    with_code(network)
    torch.load(network, weights_only=False)
    network.with_name("trace").rmdir()  # so it would run
    line = refused(*completing(photo, network))
    assert not network.with_name("trace").exists()
    assert "weights_only" not in line
    assert len(line) < 400, "one clear sentence, not a page"


@pytest.mark.parametrize("spoilt", sorted(SPOILT.keys() - {"missing"}))
def test_a_run_whose_state_cannot_be_used_is_left_as_it_is(
    refused, command, pairs, tmp_path, spoilt
):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir))[0] == 0
    SPOILT[spoilt](save_dir / "state.pth")
    before = contents(save_dir)
    line = refused(*training(pairs, save_dir, "--resume", epochs=2))
    assert str(save_dir / "state.pth") in line
    assert contents(save_dir) == before
    assert not (save_dir / "trace").exists()


def test_weights_alone_are_no_state_to_resume_from(refused, command, pairs, tmp_path):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir))[0] == 0
    (save_dir / "model_epoch1.pth").replace(save_dir / "state.pth")
    before = contents(save_dir)
    assert str(save_dir / "state.pth") in refused(*training(pairs, save_dir, "--resume", epochs=2))
    assert contents(save_dir) == before


def test_to_resume_with_another_network_is_refused_with_what_differs(
    refused, command, pairs, tmp_path
):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir))[0] == 0
    before = contents(save_dir)
    line = refused(*training(pairs, save_dir, "--resume", hidden_channels=8))
    assert str(save_dir) in line
    assert "hidden_channels was 4, is 8" in line
    assert "overwrite" in line
    assert contents(save_dir) == before


def test_to_resume_without_a_state_does_not_throw_the_checkpoints_away(
    refused, command, pairs, tmp_path
):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir, epochs=5))[0] == 0
    (save_dir / "state.pth").unlink()
    before = contents(save_dir)
    line = refused(*training(pairs, save_dir, "--resume", epochs=5, seed=1))
    assert str(save_dir) in line
    assert contents(save_dir) == before
