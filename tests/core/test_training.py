"""Training: the loss and the step, what a run leaves on disk, interruption and resumption."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from factories import a_batch, config_for, one_thread, program
from PIL import Image
from torch.utils.data import DataLoader

from inpaint_lib import ImageCompletionDataset, PixelRNN, load_model, psnr, ssim, train, train_step
from inpaint_lib.training import TrainConfig, Trainer, completion_loss, run


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same_weights(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


# The loss and one step


def test_the_loss_is_the_weighted_sum_that_the_readme_of_the_network_states():
    occluded, original, mask = a_batch()
    pred = torch.rand(original.shape, generator=torch.Generator().manual_seed(1))
    loss, l1, similarity = completion_loss(pred, (occluded, original, mask))
    expected_l1 = np.abs((pred * mask).numpy() - (original * mask).numpy()).mean()
    expected_ssim = ssim(occluded * (1 - mask) + pred * mask, original)
    assert l1.item() == pytest.approx(expected_l1, rel=1e-5)
    assert similarity.item() == pytest.approx(expected_ssim.item(), rel=1e-5)
    assert loss.item() == pytest.approx(0.8 * expected_l1 + 0.2 * (1 - expected_ssim.item()))


def test_l1_per_hole_averages_over_each_hole_and_then_over_the_batch():
    occluded, original, mask = a_batch()
    pred = torch.rand(original.shape, generator=torch.Generator().manual_seed(1))
    _, l1, _ = completion_loss(pred, (occluded, original, mask), hole_term="l1-per-hole")
    per_picture = [
        (pred - original)[i].abs()[:, mask[i, 0] == 1].mean().item() for i in range(len(pred))
    ]
    assert l1.item() == pytest.approx(np.mean(per_picture), rel=1e-5)


def test_the_psnr_term_is_the_share_of_50_db_that_is_missing():
    occluded, original, mask = a_batch()
    pred = torch.rand(original.shape, generator=torch.Generator().manual_seed(1))
    loss, l1, similarity = completion_loss(pred, (occluded, original, mask), hole_term="psnr")
    missing = 1 - psnr(pred, original, mask).mean() / 50
    assert loss.item() == pytest.approx(
        0.8 * missing.item() + 0.2 * (1 - similarity.item()), abs=1e-4
    )
    _, per_hole, _ = completion_loss(pred, (occluded, original, mask), hole_term="l1-per-hole")
    assert l1 == per_hole
    perfect, _, _ = completion_loss(original, (occluded, original, mask), hole_term="psnr")
    assert perfect.item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("weight", "expected"), [(0.0, "l1"), (1.0, "1 - ssim"), (0.5, "both")])
def test_the_weight_of_ssim_moves_the_loss_from_one_term_to_the_other(weight, expected):
    occluded, original, mask = a_batch()
    pred = torch.rand(original.shape, generator=torch.Generator().manual_seed(1))
    loss, l1, similarity = completion_loss(pred, (occluded, original, mask), ssim_weight=weight)
    values = {"l1": l1, "1 - ssim": 1 - similarity, "both": (l1 + 1 - similarity) / 2}
    assert loss.item() == pytest.approx(values[expected].item())


@pytest.mark.parametrize("hole_term", ["l1", "l1-per-hole", "psnr"])
def test_a_batch_without_any_hole_has_a_finite_loss(hole_term):
    _, original, mask = a_batch()
    loss, l1, _ = completion_loss(original, (original, original, mask * 0), hole_term=hole_term)
    assert l1 == 0
    assert torch.isfinite(loss)


def test_known_pixels_have_no_influence_on_the_gradient():
    occluded, original, mask = a_batch()
    pred = torch.rand(original.shape).requires_grad_()
    completion_loss(pred, (occluded, original, mask))[0].backward()
    assert pred.grad is not None
    assert not (pred.grad * (1 - mask)).any()
    assert (pred.grad * mask).any()


def test_train_step_is_the_plain_step_written_out():
    batch = a_batch()
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=4)
    torch.manual_seed(0)
    reference = PixelRNN(hidden_channels=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = train_step(model, batch, optimizer)

    by_hand = torch.optim.Adam(reference.parameters(), lr=1e-2)
    expected = completion_loss(reference(batch[0], batch[2]), batch)
    expected.loss.backward()
    by_hand.step()
    assert losses == expected
    assert not any(value.requires_grad for value in losses)
    assert same_weights(weights(model), weights(reference))


def test_steps_on_one_batch_bring_the_loss_down():
    batch = a_batch()
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=8)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    first = train_step(model, batch, optimizer).loss
    for _ in range(30):
        last = train_step(model, batch, optimizer).loss
    assert last < 0.7 * first


def test_gradients_are_clipped_to_the_given_norm():
    model = PixelRNN(hidden_channels=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = torch.nn.utils.parameters_to_vector(model.parameters()).clone()
    train_step(model, a_batch(), optimizer, grad_clip=1e-3)
    moved = torch.nn.utils.parameters_to_vector(model.parameters()) - before
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_weights():
    occluded, original, mask = a_batch()
    model = PixelRNN(hidden_channels=4)
    optimizer = torch.optim.Adam(model.parameters())
    model.convlstm.conv.bias.data[0] = float("nan")
    before = torch.nn.utils.parameters_to_vector(model.parameters()).clone()
    with pytest.raises(FloatingPointError, match="lower lr"):
        train_step(model, (occluded, original, mask), optimizer)
    after = torch.nn.utils.parameters_to_vector(model.parameters())
    assert torch.equal(before.nan_to_num(), after.nan_to_num())


def test_bfloat16_computes_the_network_low_and_the_loss_in_float32():
    batch, seen = a_batch(), []
    model = PixelRNN(hidden_channels=4)
    model.output_conv.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    losses = train_step(model, batch, torch.optim.Adam(model.parameters()), bfloat16=True)
    assert seen == [torch.bfloat16]
    assert np.isfinite(losses.loss.item())
    pred = torch.rand(batch[1].shape).bfloat16()
    assert completion_loss(pred, batch)[0].dtype == torch.float32


# A run


def test_a_run_leaves_log_checkpoints_samples_and_state(pairs, tmp_path):
    config = config_for(
        pairs,
        tmp_path / "run",
        epochs=6,
        val_occluded_dir=pairs / "occluded_images",
        val_original_dir=pairs / "original_images",
        val_mask_dir=pairs / "masks",
    )
    steps = list(Trainer(config).steps())
    names = {str(p.relative_to(config.save_dir)) for p in config.save_dir.rglob("*.*")}
    assert names - {".lock"} == {
        "training_log.txt",
        "state.pth",
        "samples",
        *(f"model_epoch{n}.pth" for n in (1, 5, 6)),
        *(f"samples/sample_epoch{n}.png" for n in (1, 5, 6)),
    } - {"samples"}

    header, *lines = (config.save_dir / "training_log.txt").read_text().splitlines()
    assert header.split("\t")[:5] == ["epoch", "LR", "L1", "SSIM", "total loss"]
    assert len(header.split("\t")) == 9
    assert [line.split("\t")[0] for line in lines] == ["1", "2", "3", "4", "5", "6"]
    assert all(len(line.split("\t")) == 9 and "" not in line.split("\t") for line in lines)

    sample = Image.open(config.save_dir / "samples" / "sample_epoch6.png")
    assert sample.size == (6 * 130 + 2, 3 * 130 + 2)  # six pairs, three rows, 128 px and a frame
    assert len(steps) == 6 * 3
    assert [s.step for s in steps] == list(range(1, 19))
    assert [s.log is not None for s in steps] == [False, False, True] * 6


def test_the_log_holds_averages_over_the_epoch(pairs, tmp_path):
    config = config_for(pairs, tmp_path / "run", batch_size=4, epochs=1)
    steps = list(Trainer(config).steps())
    sizes = np.array([4, 2])
    losses = np.array([s.loss for s in steps])
    line = (config.save_dir / "training_log.txt").read_text().splitlines()[1].split("\t")
    assert float(line[4]) == pytest.approx((losses * sizes).sum() / 6, abs=1e-6)
    assert line[5:] == ["", "", "", ""]  # no validation pairs


def test_sample_rows_are_occluded_completed_and_original_without_resampling(pairs, tmp_path):
    config = config_for(pairs, tmp_path / "run", epochs=1)
    model = run(Trainer(config))
    sheet = np.asarray(Image.open(config.save_dir / "samples" / "sample_epoch1.png"))
    occluded, original, mask = ImageCompletionDataset(config.occluded_dir, config.original_dir)[0]
    rows = [sheet[2 + r * 130 : 130 + r * 130, 2:130] / 255 for r in range(3)]
    np.testing.assert_allclose(rows[0], occluded.permute(1, 2, 0), atol=1 / 255)
    np.testing.assert_allclose(rows[2], original.permute(1, 2, 0), atol=1 / 255)
    with torch.no_grad():
        pred = model(occluded[None], mask[None])[0].permute(1, 2, 0).numpy()
    hole = mask[0].numpy() == 1
    np.testing.assert_allclose(rows[1][hole], pred[hole], atol=1.01 / 255)


def test_train_takes_the_original_arguments_in_order(pairs, tmp_path):
    model = train(
        pairs / "occluded_images", pairs / "original_images", tmp_path / "run", 1, 3, 1e-3, 4, "cpu"
    )
    assert model.config["hidden_channels"] == 4
    assert not model.training
    loaded = load_model(tmp_path / "run" / "model_epoch1.pth", "cpu")
    assert same_weights(weights(model), weights(loaded))


def test_validation_is_the_mean_over_pictures_of_the_hole_psnr(pairs, tmp_path):
    config = config_for(
        pairs,
        tmp_path / "run",
        epochs=1,
        val_occluded_dir=pairs / "occluded_images",
        val_original_dir=pairs / "original_images",
        val_mask_dir=pairs / "masks",
    )
    trainer = Trainer(config)
    model = run(trainer)
    values = []
    data = ImageCompletionDataset(
        config.occluded_dir, config.original_dir, mask_dir=pairs / "masks"
    )
    for occluded, original, mask in DataLoader(data):
        with torch.no_grad():
            pred = model(occluded, mask)
        error = (pred - original)[0][:, mask[0, 0] == 1]
        values.append(-10 * np.log10((error**2).mean().item()))
    assert trainer.history[0]["val hole PSNR [dB]"] == pytest.approx(np.mean(values), abs=1e-3)


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 20])
def test_one_cycle_has_a_schedule_for_any_number_of_steps(steps, pairs, tmp_path):
    config = config_for(
        pairs, tmp_path / "run", epochs=steps, batch_size=6, schedule="one-cycle", crop_size=16
    )
    rates = [step.lr for step in Trainer(config).steps()]
    assert len(rates) == steps
    assert 0 < min(rates) <= max(rates) <= config.lr


@pytest.mark.parametrize("schedule", ["constant", "one-cycle", "cosine"])
def test_schedules_step_with_every_step(pairs, tmp_path, schedule):
    config = config_for(pairs, tmp_path / "run", epochs=10, schedule=schedule)
    rates = [step.lr for step in Trainer(config).steps()]
    if schedule == "constant":
        assert set(rates) == {config.lr}
    else:
        assert max(rates) <= config.lr * (1 + 1e-6)
        assert rates[-1] < 0.02 * config.lr
    if schedule == "one-cycle":
        assert rates[0] < 0.1 * config.lr
        assert np.argmax(rates) in (2, 3)


def test_training_reads_the_same_with_worker_processes(pairs, tmp_path):
    one = run(Trainer(config_for(pairs, tmp_path / "one", fresh_holes=True)))
    two = run(Trainer(config_for(pairs, tmp_path / "two", fresh_holes=True, num_workers=1)))
    assert same_weights(weights(one), weights(two))


# Interrupting and resuming


def test_another_runs_files_are_never_overwritten_by_accident(pairs, tmp_path):
    config = config_for(pairs, tmp_path / "run", epochs=1)
    run(Trainer(config))
    before = {p: p.read_bytes() for p in config.save_dir.rglob("*.pth")}
    with pytest.raises(FileExistsError, match=r"resume.*overwrite"):
        Trainer(config)
    assert before == {p: p.read_bytes() for p in config.save_dir.rglob("*.pth")}


def test_overwrite_replaces_the_run_and_nothing_else(pairs, tmp_path):
    run(Trainer(config_for(pairs, tmp_path / "run", epochs=6)))
    (tmp_path / "run" / "photographs.pth").write_text("shipped")
    run(Trainer(config_for(pairs, tmp_path / "run", epochs=1, overwrite=True)))
    assert sorted(p.name for p in (tmp_path / "run").glob("*.pth")) == [
        "model_epoch1.pth",
        "photographs.pth",
        "state.pth",
    ]
    assert len((tmp_path / "run" / "training_log.txt").read_text().splitlines()) == 2


def test_a_generator_closed_mid_epoch_resumes_bit_identically(pairs, tmp_path):
    whole = run(Trainer(config_for(pairs, tmp_path / "whole", epochs=4, schedule="cosine")))
    cut = config_for(pairs, tmp_path / "cut", epochs=4, schedule="cosine", resume=True)
    steps = Trainer(cut).steps()
    for _ in range(8):  # two epochs of three steps, and two steps more
        next(steps)
    steps.close()
    trainer = Trainer(cut)
    assert trainer.epoch == 2
    assert same_weights(weights(whole), weights(run(trainer)))
    logs = [(tmp_path / n / "training_log.txt").read_text() for n in ("whole", "cut")]
    assert logs[0] == logs[1]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("when", ["mid-epoch", "mid-save"])
def test_a_killed_run_resumes_bit_identically(pairs, tmp_path, when):
    settings = config_for(
        pairs, tmp_path / "killed", epochs=4, fresh_holes=True, schedule="one-cycle", resume=True
    )
    killed = subprocess.run(
        program("killed_run", json.dumps(settings.plain()), when),
        check=False,
        env=one_thread(),  # as here: sums depend on the threads
    )
    assert killed.returncode == -signal.SIGKILL
    trainer = Trainer(settings)
    assert trainer.epoch == 2
    resumed = run(trainer)
    settings.save_dir = tmp_path / "whole"
    assert same_weights(weights(run(Trainer(settings))), weights(resumed))
    logs = [(tmp_path / n / "training_log.txt").read_text() for n in ("whole", "killed")]
    assert logs[0] == logs[1]
    assert not list((tmp_path / "killed").rglob("*.partial"))


def test_resuming_with_another_configuration_says_what_differs(pairs, tmp_path):
    run(Trainer(config_for(pairs, tmp_path / "run", schedule="cosine")))
    changed = config_for(pairs, tmp_path / "run", schedule="cosine", lr=5e-4, resume=True)
    with pytest.raises(ValueError, match=r"lr was 0\.001, is 0\.0005"):
        Trainer(changed)
    with pytest.raises(ValueError, match="epochs was 2, is 9"):
        Trainer(config_for(pairs, tmp_path / "run", schedule="cosine", epochs=9, resume=True))


def test_a_run_at_a_constant_rate_may_go_on_for_longer(pairs, tmp_path):
    run(Trainer(config_for(pairs, tmp_path / "run", epochs=1)))
    longer = run(Trainer(config_for(pairs, tmp_path / "run", epochs=3, resume=True)))
    at_once = run(Trainer(config_for(pairs, tmp_path / "at_once", epochs=3)))
    assert same_weights(weights(longer), weights(at_once))


def test_two_trainings_in_one_folder_are_refused(pairs, tmp_path):
    config = config_for(pairs, tmp_path / "run", resume=True)
    steps = Trainer(config).steps()
    next(steps)
    with pytest.raises(BlockingIOError, match="another process is training"):
        next(Trainer(config).steps())
    steps.close()
    assert len(list(Trainer(config).steps())) == 6


def test_a_nan_names_the_step_and_keeps_the_last_good_state(pairs, tmp_path):
    config = config_for(pairs, tmp_path / "run", epochs=3, resume=True)
    trainer = Trainer(config)
    steps = trainer.steps()
    for _ in range(4):
        next(steps)
    trainer.model.input_conv.weight.data[:] = float("nan")
    with pytest.raises(FloatingPointError, match=r"step 5 \(epoch 2\)"):
        next(steps)
    assert Trainer(config).epoch == 1


def test_state_and_checkpoints_load_without_executing_anything(pairs, tmp_path):
    config = config_for(pairs, tmp_path / "run", epochs=1)
    run(Trainer(config))
    state = torch.load(config.save_dir / "state.pth", weights_only=True)
    assert {"format", "config", "model", "optimizer", "schedule", "random"} <= state.keys()
    assert load_model(config.save_dir / "state.pth", "cpu").config == state["config"]


# Several processes


def test_two_processes_give_one_log_one_checkpoint_and_the_single_process_result(pairs, tmp_path):
    settings = {
        "occluded_dir": pairs / "occluded_images",
        "original_dir": pairs / "original_images",
        "epochs": 2,
        "batch_size": 2,
        "hidden_channels": 4,
        "patch_size": 4,
        "norm": "group",
        "device": "cpu",
    }
    options = [f"--{k.replace('_', '-')}={v}" for k, v in settings.items()]
    options.append(f"--save-dir={tmp_path / 'two'}")
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [sys.executable, "-m", *launch, "-m", "inpaint_lib", "train", *options],
        check=True,
        env=one_thread(),
        capture_output=True,
        timeout=120,
    )
    one = run(Trainer(TrainConfig(**settings, save_dir=tmp_path / "one")))
    two = load_model(tmp_path / "two" / "model_epoch2.pth", "cpu")
    lines = [(tmp_path / n / "training_log.txt").read_text().splitlines() for n in ("one", "two")]
    assert len(lines[1]) == 3
    # The same pictures in the same batches, each half computed elsewhere.
    for single, double in zip(lines[0][1:], lines[1][1:], strict=True):
        numbers = [np.array(line.split("\t")[:5], dtype=float) for line in (single, double)]
        np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-3)
    for name, value in weights(one).items():
        torch.testing.assert_close(two.state_dict()[name], value, rtol=0, atol=2e-3)


def test_a_batch_that_the_processes_cannot_share_is_refused(pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    with pytest.raises(ValueError, match="multiple of the 2 processes"):
        Trainer(config_for(pairs, tmp_path / "run", batch_size=3))
