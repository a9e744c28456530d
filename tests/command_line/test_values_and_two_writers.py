"""Options, numbers, a loss that becomes NaN, two trainings in a folder: told; nothing is lost."""

from contextlib import suppress

import pytest
import torch
from factories import config_for, contents, elsewhere, training

from inpaint_lib import PixelRNN, load_model
from inpaint_lib.training import Trainer, run

# Options and numbers. What is refused in Python is in test_options.py.


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("schedule", "constant one-cycle cosine"),
        ("hole_term", "l1 l1-per-hole psnr"),
        ("hole_kind", "both boxes strokes"),
        ("norm", "batch group"),
        ("prefill", "push-pull thin-plate"),
    ],
)
def test_an_unknown_option_is_told_with_the_known_ones(
    command, capsys, pairs, tmp_path, option, known
):
    with pytest.raises(SystemExit) as stop:
        command(*training(pairs, tmp_path / "run", **{option: "fast"}))
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    for word in ("fast", f"--{option.replace('_', '-')}", *known.split()):
        assert word in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("lr", 0),
        ("lr", "nan"),
        ("hidden_channels", 0),
        ("patch_size", 0),
        ("crop_size", 0),
        ("longest_hole", -3),
        ("grad_clip", -1),
        ("seed", -1),
        ("ssim_weight", 2),
        ("num_workers", -1),
    ],
)
def test_a_number_out_of_range_is_told_by_name(refused, pairs, tmp_path, option, value):
    line = refused(*training(pairs, tmp_path / "run", **{option: value}))
    assert line.startswith(f"error: {option} {value}")
    assert not (tmp_path / "run").exists()


def test_a_number_out_of_range_leaves_the_run_that_was_to_be_replaced(
    refused, command, pairs, tmp_path
):
    save_dir = tmp_path / "run"
    assert command(*training(pairs, save_dir))[0] == 0
    before = contents(save_dir)
    refused(*training(pairs, save_dir, "--overwrite", epochs=0))
    assert contents(save_dir) == before


def test_a_device_that_is_not_there_is_told_by_name(refused, pairs, tmp_path):
    line = refused(*training(pairs, tmp_path / "run", device=elsewhere()))
    assert line.startswith(f"error: device '{elsewhere()}': is not there; torch finds ")
    assert not (tmp_path / "run").exists()


# A loss that becomes NaN


def test_a_loss_that_is_not_a_number_is_told_with_its_step_and_a_remedy(
    refused, command, pairs, tmp_path, monkeypatch
):
    save_dir, calls = tmp_path / "run", []
    assert command(*training(pairs, save_dir))[0] == 0
    before = contents(save_dir)
    sound = PixelRNN.forward

    def breaks_down(self, *pictures):
        calls.append(1)
        return sound(self, *pictures) * (float("nan") if len(calls) == 2 else 1)

    monkeypatch.setattr(PixelRNN, "forward", breaks_down)
    line = refused(*training(pairs, save_dir, "--resume", epochs=3))
    assert "step 4 (epoch 2)" in line  # two steps an epoch
    assert "lower lr" in line
    assert contents(save_dir) == before
    assert command(*training(pairs, save_dir, "--resume", epochs=3)) == (0, [])


def test_a_gradient_that_is_not_a_number_never_reaches_the_state_on_disk(
    command, pairs, tmp_path, monkeypatch
):
    """The loss is still finite at the step that spoils the weights, an epoch's last one."""
    save_dir, calls = tmp_path / "run", []
    sound = torch.optim.Adam.step

    def spoils(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 4:  # the last step of the second epoch
            self.param_groups[0]["params"][0].grad[:] = float("nan")
        return sound(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", spoils)
    code, lines = command(*training(pairs, save_dir, epochs=3))
    assert code == 1
    assert "epoch 2" in lines[-1] or "epoch 3" in lines[-1]
    weights = load_model(save_dir / "state.pth", "cpu").state_dict()
    assert all(torch.isfinite(value).all() for value in weights.values())


# Two trainings in one folder


@pytest.mark.parametrize("how", ["--resume", "--overwrite"])
def test_a_second_training_in_one_folder_is_refused_and_disturbs_nothing(
    refused, pairs, tmp_path, how
):
    save_dir = tmp_path / "run"
    steps = Trainer(config_for(pairs, save_dir, batch_size=3)).steps()
    for _ in range(3):  # into its second epoch
        next(steps)
    before = contents(save_dir)
    line = refused(*training(pairs, save_dir, how, epochs=2))
    assert f"{save_dir}: another process is training in this folder" in line
    assert "wait" in line
    assert "another save_dir" in line
    assert contents(save_dir) == before
    assert [step.step for step in steps] == [4]


def test_a_second_training_without_resume_is_refused_too(refused, pairs, tmp_path):
    save_dir = tmp_path / "run"
    steps = Trainer(config_for(pairs, save_dir, batch_size=3, epochs=1)).steps()
    next(steps)
    line = refused(*training(pairs, save_dir))
    assert str(save_dir) in line
    assert [step.step for step in steps] == [2]


def test_of_two_trainers_made_before_either_ran_the_second_does_not_replace_the_first(
    pairs, tmp_path
):
    save_dir = tmp_path / "run"
    configs = [config_for(pairs, save_dir, batch_size=3, seed=seed) for seed in range(2)]
    first, second = map(Trainer, configs)
    run(first)
    before = contents(save_dir)
    with pytest.raises((FileExistsError, BlockingIOError), match="run"):
        run(second)
    assert contents(save_dir) == before


def test_a_trainer_made_before_another_went_on_does_not_undo_what_that_did(pairs, tmp_path):
    save_dir = tmp_path / "run"
    run(Trainer(config_for(pairs, save_dir, batch_size=3, epochs=1)))
    early = Trainer(config_for(pairs, save_dir, batch_size=3, epochs=3, resume=True))
    run(Trainer(config_for(pairs, save_dir, batch_size=3, epochs=5, resume=True)))
    before = contents(save_dir)
    with suppress(FileExistsError, BlockingIOError, ValueError):
        run(early)
    assert contents(save_dir) == before
