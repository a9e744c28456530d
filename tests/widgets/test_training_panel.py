"""The training panel: what it says a run will take, and what its buttons do to one."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import filelock
import pytest
import torch

from inpaint_lib import PixelRNN
from inpaint_lib.checks import choices
from inpaint_lib.photographs.recipes import PRESET
from inpaint_lib.training import TrainConfig, Trainer, run
from inpaint_lib.widgets import TrainingPanel
from inpaint_lib.widgets.training_panel import forecast as probing
from inpaint_lib.widgets.training_panel.forecast import forecast, part_of
from inpaint_lib.widgets.training_panel.knobs import value_of
from inpaint_lib.widgets.training_panel.run import Run

TINY = {"hidden_channels": 8, "num_layers": 1, "patch_size": 8, "crop_size": 32}
ENDLESS = 100_000  # epochs


@pytest.fixture
def config(pairs: Path, tmp_path: Path) -> TrainConfig:
    """Two epochs of two steps of a tiny network on two pictures."""
    for path in pairs.glob("*/*"):
        if path.stem[-1] not in "01":
            path.unlink()
    folders = (pairs / "occluded_images", pairs / "original_images", tmp_path / "run")
    return TrainConfig(*folders, epochs=2, batch_size=1, device="cpu", in_memory=True, **TINY)


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if isinstance(thread, Run):
            thread.ask("stop")
            thread.join(60)


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited for a minute"
        time.sleep(0.005)


def enabled(panel: TrainingPanel) -> set[str]:
    names = ("start", "pause", "resume", "stop")
    return {name for name in names if not getattr(panel, name).disabled}


def finish(panel: TrainingPanel) -> None:
    panel.live.join(60)
    assert not panel.live.is_alive()


def test_parameters_and_steps_are_those_of_the_run(config):
    cost, model = forecast(config), PixelRNN(**config.model_options())
    assert cost.parameters == sum(p.numel() for p in model.parameters())
    assert cost.steps == Trainer(config).total_steps == 4
    assert cost.seconds > 0


def test_the_forecast_follows_the_knobs_and_leaves_random_numbers_alone(config):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    panel = TrainingPanel(config)
    before = panel.forecast.value
    panel.knobs["hidden_channels"].value = 24
    assert panel.forecast.value != before
    assert "4 steps; about" in panel.forecast.value
    panel.knobs["epochs"].value = 50
    assert "100 steps" in panel.forecast.value
    assert torch.equal(torch.rand(1), expected)


def test_every_knob_sets_its_field_even_beyond_what_it_offers(config):
    panel = TrainingPanel(config)
    panel.preset.click()
    assert {name: getattr(panel.config, name) for name in panel.knobs}.items() >= {
        name: value for name, value in PRESET.items() if name != "in_memory"
    }.items()
    panel.plain.click()
    assert all(getattr(panel.config, n) == getattr(TrainConfig(), n) for n in panel.knobs)
    wild = {"lr": 3.0, "epochs": 500, "grad_clip": 0.7, "crop_size": 40, "seed": 7, "num_layers": 9}
    panel.turn(replace(config, **wild))
    assert panel.config == replace(config, **wild)
    panel.plain.click()  # a choice of nothing is shown by its name, too
    labels = [panel.knobs[name].label for name in ("crop_size", "longest_hole", "prefill")]
    assert labels == ["whole picture", "3/4 of the crop", "none"]


def test_a_knob_offers_every_choice_of_its_field(config):
    knobs = TrainingPanel(config).knobs
    hints = get_type_hints(TrainConfig)
    fields = {name for name in knobs if choices(hints[name])}
    assert fields == {"hole_kind", "hole_term", "norm", "precision", "prefill", "schedule"}
    for name in fields:
        knob = knobs[name]
        offered = [value_of(knob) for knob.value in dict(knob.options).values()]
        assert sorted(offered, key=str) == sorted(choices(hints[name]), key=str)


def test_a_knob_without_effect_cannot_be_turned(config):
    panel = TrainingPanel(config)
    kind, longest = panel.knobs["hole_kind"], panel.knobs["longest_hole"]
    assert (kind.disabled, longest.disabled) == (True, True)
    panel.knobs["fresh_holes"].value = True
    assert (kind.disabled, longest.disabled) == (False, False)
    kind.value = "strokes"
    assert (kind.disabled, longest.disabled) == (False, True)


def test_a_folder_of_pictures_is_trained_on_and_validated_on_a_part_of_it(config):
    pictures = config.original_dir
    panel = TrainingPanel(replace(config, val_occluded_dir=config.occluded_dir))
    panel.knobs["data_dir"].value = f" {pictures} "
    assert (panel.config.data_dir, panel.config.held_out) == (pictures, 1)
    assert panel.config.val_occluded_dir is None
    assert panel.knobs["fresh_holes"].disabled
    assert not panel.knobs["hole_kind"].disabled
    assert (
        f"{Trainer(replace(panel.config, save_dir=pictures.parent / 'one')).total_steps} steps"
        in (panel.forecast.value)
    )
    assert "noise" in panel.picture.figure.alt
    panel.start.click()
    finish(panel)
    assert panel.state == "finished"
    assert "val hole PSNR [dB]" in panel.live.history[-1]
    assert "epoch 2: PSNR in the hole" in panel.picture.figure.alt
    again = TrainingPanel(config)
    assert again.knobs["data_dir"].value == str(pictures)


def test_a_folder_that_cannot_be_trained_on_is_said_and_nothing_starts(config, tmp_path):
    panel = TrainingPanel(config)
    panel.knobs["data_dir"].value = str(tmp_path / "nowhere")
    for words in ("nowhere", "crop_size"):
        assert 'role="alert"' in panel.forecast.value
        assert words in panel.forecast.value
        panel.start.click()
        assert panel.live is None
        panel.knobs["crop_size"].value = "none"
        panel.knobs["data_dir"].value = str(config.original_dir)


def test_device_and_precision_are_those_of_the_run(config):
    panel = TrainingPanel(replace(config, device=None))
    assert panel.knobs["device"].label == "the best there is"
    assert "cpu" in dict(panel.knobs["device"].options)
    panel.knobs["device"].value = "cpu"
    assert "on this machine (cpu)" in panel.forecast.value
    panel.knobs["precision"].value = "bfloat16"
    panel.start.click()
    finish(panel)
    assert panel.state == "finished"
    assert (panel.kept.config.precision, panel.kept.config.device) == ("bfloat16", "cpu")


def test_the_forecast_times_whole_steps_after_a_warm_up(config, monkeypatch):
    """On a pretended accelerator, whose first steps are slow and which is behind Python."""
    clock, pending = [0.0], [0.0]
    seconds = iter([9.0, 5.0, *[0.5] * 20])
    shapes = []

    def step(learner, batch, start=None) -> None:
        shapes.append(tuple(batch.mask.shape))
        pending[0] += next(seconds)

    def synchronize(device) -> None:
        clock[0] += pending[0]
        pending[0] = 0.0

    monkeypatch.setattr(probing, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(probing, "synchronize", synchronize)
    monkeypatch.setattr(probing, "part_of", lambda batch, work: batch)
    monkeypatch.setitem(probing.STEPS, "cpu", probing.STEPS["accelerator"])
    monkeypatch.setattr(probing.Learner, "step", step)
    cost = forecast(replace(config, batch_size=2, crop_size=40, hidden_channels=16))
    assert set(shapes) == {(2, 1, 40, 40)}
    assert len(shapes) >= 5
    assert cost.seconds == pytest.approx(2 * 0.5)  # two epochs of one step


def test_on_a_cpu_as_much_of_a_batch_is_timed_as_takes_a_moment():
    assert part_of((8, 64), 2e3) == (8, 64)
    assert part_of((4, 128), 2e5) == (1, 24)
    assert part_of((4, 128), 1e9) == (1, 16)


def test_a_run_from_start_to_end(config):
    panel = TrainingPanel(config)
    assert enabled(panel) == {"start"}
    assert "Nothing is kept" in panel.status.value
    assert panel.picture.figure is None or "noise" in panel.picture.figure.alt
    panel.start.click()
    assert enabled(panel) == {"pause", "stop"}
    assert all(knob.disabled for knob in panel.knobs.values())
    panel.start.click()  # a double click
    assert sum(isinstance(thread, Run) for thread in threading.enumerate()) == 1
    finish(panel)
    assert panel.state == "finished"
    assert enabled(panel) == {"start"}
    assert "Finished: epoch 2" in panel.status.value
    assert len(panel.live.losses) == 4
    assert "Curves up to epoch 2: training loss" in panel.curves.figure.alt
    assert "epoch 2: PSNR in the hole" in panel.picture.figure.alt
    assert not panel.knobs["lr"].disabled
    assert panel.bar.value == 1


def test_pause_resume_and_stop(config):
    panel = TrainingPanel(replace(config, epochs=ENDLESS))
    panel.start.click()
    wait_for(lambda: panel.live.step > 2)
    panel.pause.click()
    assert enabled(panel) == {"resume", "stop"}
    assert "Paused" in panel.status.value
    time.sleep(0.1)  # the step under way
    wait_for(lambda: panel.live.seconds_left is not None)
    at = panel.live.step
    time.sleep(0.2)
    assert panel.live.step <= at + 1
    panel.resume.click()
    panel.resume.click()
    wait_for(lambda: panel.live.step > at + 2)
    panel.stop.click()
    panel.stop.click()
    finish(panel)
    assert panel.state == "stopped"
    assert enabled(panel) == {"start", "resume"}
    assert f"is kept in {config.save_dir}. Resume goes on" in panel.status.value


def test_a_new_panel_resumes_what_a_dead_kernel_left_and_ends_as_if_undisturbed(config, tmp_path):
    whole = replace(config, epochs=3, fresh_holes=True, schedule="cosine")
    straight = run(Trainer(replace(whole, save_dir=tmp_path / "straight")))
    steps = Trainer(whole).steps()
    for _ in range(3):
        next(steps)
    steps.close()

    panel = TrainingPanel(config)
    assert panel.state == "stopped"
    assert "epoch 1 of 3 is kept" in panel.status.value
    assert "epoch 1: PSNR" in panel.picture.figure.alt
    assert panel.knobs["schedule"].value == "cosine"
    panel.knobs["schedule"].value = "constant"
    panel.resume.click()
    assert panel.knobs["schedule"].value == "cosine"  # what goes on is the run as it was
    finish(panel)
    assert panel.state == "finished"
    resumed = torch.load(whole.save_dir / "state.pth", weights_only=True)["model"]
    assert all(torch.equal(value, resumed[name]) for name, value in straight.state_dict().items())


def test_stop_and_resume_in_one_panel_keep_the_curve(config):
    panel = TrainingPanel(replace(config, epochs=ENDLESS))
    panel.start.click()
    wait_for(lambda: len(panel.live.history) >= 2)
    panel.stop.click()
    finish(panel)
    kept = panel.kept.epoch
    panel.resume.click()
    wait_for(lambda: panel.live.step > 2 * kept)
    steps = [round(2 * epochs) for epochs, _ in panel.live.losses]
    assert steps == list(range(1, len(steps) + 1))


def test_a_second_panel_takes_a_running_run_over(config):
    first = TrainingPanel(replace(config, epochs=ENDLESS))
    first.start.click()
    wait_for(lambda: first.live.step > 2)
    second = TrainingPanel(replace(config, epochs=7))
    assert second.live is first.live
    assert second.knobs["epochs"].value == ENDLESS
    assert enabled(first) == set()
    assert "Another panel" in first.status.value
    second.stop.click()
    finish(second)
    assert "Resume goes on" in second.status.value


def test_a_run_that_came_since_is_shown_before_it_is_replaced(config):
    panel = TrainingPanel(config)
    run(Trainer(config))
    panel.start.click()
    assert panel.live is None
    assert "Finished: epoch 2" in panel.status.value
    panel.start.click()
    finish(panel)
    assert panel.state == "finished"


def test_another_process_in_the_folder_is_an_error_in_words_and_nothing_is_lost(config):
    run(Trainer(config))
    before = (config.save_dir / "state.pth").read_bytes()
    panel = TrainingPanel(config)
    with filelock.FileLock(config.save_dir / ".lock"):
        panel.start.click()
        finish(panel)
    assert panel.state == "failed"
    assert 'role="alert"' in panel.status.value
    assert "another process is training in this folder" in panel.status.value
    assert (config.save_dir / "state.pth").read_bytes() == before
    assert enabled(panel) == {"start"}


def test_a_learning_rate_that_is_too_high_is_an_error_in_words(config):
    panel = TrainingPanel(replace(config, lr=1e30))
    panel.start.click()
    finish(panel)
    assert panel.state == "failed"
    assert "try a lower lr" in panel.status.value
    assert enabled(panel) == {"start"}
    panel.knobs["lr"].value = 1e-3
    panel.start.click()
    finish(panel)
    assert panel.state == "finished"


def test_an_unwritable_folder_is_an_error_in_words(config, tmp_path):
    (tmp_path / "file").write_text("in the way")
    panel = TrainingPanel(replace(config, save_dir=tmp_path / "file" / "run"))
    panel.start.click()
    finish(panel)
    assert "cannot be written to" in panel.status.value


def test_a_damaged_state_and_missing_pictures_are_said(config, tmp_path):
    config.save_dir.mkdir()
    (config.save_dir / "state.pth").write_bytes(b"not a checkpoint")
    panel = TrainingPanel(config)
    assert "damaged" in panel.status.value
    assert enabled(panel) == {"start"}
    nowhere = TrainingPanel(replace(config, occluded_dir=tmp_path / "nowhere"))
    assert 'role="alert"' in nowhere.forecast.value
    assert "nowhere" in nowhere.forecast.value


def test_the_text_of_the_still_does_not_depend_on_the_run(config):
    text = TrainingPanel(config)._repr_mimebundle_()["text/plain"]
    run(Trainer(config))
    assert TrainingPanel(config)._repr_mimebundle_()["text/plain"] == text
