"""Training: the loss and the step, what a run leaves on disk, interruption and resumption."""

import json
import os
import signal
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import a_batch, config_for, learned, one_thread, program
from PIL import Image
from torch.utils.data import DataLoader

from inpaint_lib import (
    ImageCompletionDataset,
    PixelRNN,
    load_model,
    psnr,
    ssim,
    train,
    train_step,
    training,
)
from inpaint_lib.learner import autocast_dtype
from inpaint_lib.training import (
    TrainConfig,
    Trainer,
    completion_loss,
    run,
    validate,
)


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


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)],
)
def test_precision_computes_the_network_low_and_the_loss_in_float32(precision, dtype):
    batch, seen = a_batch(), []
    model = PixelRNN(hidden_channels=4)
    model.output_conv.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    optimizer = torch.optim.Adam(model.parameters())
    losses = train_step(model, batch, optimizer, precision=precision)
    assert seen == [dtype]
    assert {value.dtype for value in losses} == {torch.float32}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert np.isfinite(losses.loss.item())
    pred = torch.rand(batch[1].shape).to(dtype)
    assert completion_loss(pred, batch).loss.dtype == torch.float32


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_step_in_low_precision_is_nearly_that_in_float32(precision):
    batch = a_batch()

    def gradient_of(precision: str) -> torch.Tensor:
        torch.manual_seed(0)
        model = PixelRNN(hidden_channels=4, norm="group")
        train_step(model, batch, torch.optim.SGD(model.parameters(), lr=0), precision=precision)
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    low, full = gradient_of(precision), gradient_of("float32")
    assert torch.cosine_similarity(low, full, dim=0) > 0.9
    assert not torch.equal(low, full)


@pytest.mark.parametrize(
    ("device", "has_it", "expected"),
    [
        ("cpu", True, torch.bfloat16),
        ("cpu", False, torch.float32),
        ("cpu", None, torch.float32),
        ("cuda", True, torch.bfloat16),
        ("cuda", False, torch.float32),
        ("mps", True, torch.float32),
    ],
)
def test_auto_is_bfloat16_only_where_the_hardware_has_it(monkeypatch, device, has_it, expected):
    capabilities = {} if has_it is None else {"avx512_bf16": has_it}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(
        # A T4 emulates it, and is slower than in float32 with it.
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: including_emulation or has_it,
    )
    assert autocast_dtype("auto", torch.device(device)) == expected
    assert autocast_dtype("float16", torch.device(device)) == torch.float16


def test_auto_on_this_machine_computes_in_what_it_says():
    batch, seen = a_batch(), []
    model = PixelRNN(hidden_channels=4)
    model.output_conv.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    train_step(model, batch, torch.optim.Adam(model.parameters()), precision="auto")
    assert seen == [autocast_dtype("auto", torch.device("cpu"))]


# A step that does not wait


def fused(model: torch.nn.Module, lr: float = 1e-2) -> torch.optim.Adam:
    return torch.optim.Adam(model.parameters(), lr=lr, fused=True)


def test_a_step_that_does_not_wait_equals_one_that_does():
    torch.manual_seed(0)
    one, other = PixelRNN(hidden_channels=4), PixelRNN(hidden_channels=4)
    other.load_state_dict(one.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    optimizers = fused(one), fused(other)
    for seed in range(3):
        batch = a_batch(seed)
        waited = train_step(one, batch, optimizers[0], grad_clip=0.1)
        assert train_step(other, batch, optimizers[1], grad_clip=0.1, scaler=scaler) == waited
    assert same_weights(weights(one), weights(other))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("grad_clip", [None, 1.0])
@pytest.mark.parametrize("where", ["picture", "gradient", "one gradient", "norm"])
def test_a_step_that_does_not_wait_keeps_the_weights_of_a_gradient_not_finite(
    bad, grad_clip, where
):
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=4, norm="group")
    optimizer = fused(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0, growth_interval=2**31 - 1)
    train_step(model, a_batch(), optimizer, grad_clip=grad_clip, scaler=scaler)
    before, moments = weights(model), deepcopy(optimizer.state_dict()["state"])
    batch = a_batch()
    if where == "picture":
        batch[0][0, 0, 0, 0] = bad
    elif where == "gradient":
        model.output_conv[0].weight.register_hook(lambda g: g * bad)
    elif where == "one gradient":
        model.convlstm.conv.bias.register_hook(
            lambda g: g.masked_fill(torch.arange(len(g)) == 2, bad)
        )
    else:  # each gradient is finite, and their norm is not
        model.convlstm.conv.bias.register_hook(lambda g: torch.full_like(g, 1e25))
    losses = train_step(model, batch, optimizer, grad_clip=grad_clip, scaler=scaler)
    assert losses.loss.isnan()
    assert same_weights(weights(model), before)
    for kept, now in zip(moments.values(), optimizer.state_dict()["state"].values(), strict=True):
        assert all(torch.equal(kept[name], now[name]) for name in kept)


def test_in_float16_the_loss_is_scaled_down_until_its_gradient_is_finite():
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=4, norm="group")
    optimizer = fused(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before, scales = weights(model), []
    for _ in range(40):
        losses = train_step(model, a_batch(), optimizer, precision="float16", scaler=scaler)
        assert losses.loss.isfinite()
        scales.append(scaler.get_scale())
        if len(scales) > 1 and scales[-1] == scales[-2]:
            break
        assert same_weights(weights(model), before)
    assert 1 < scales[-1] < 2.0**40
    assert not same_weights(weights(model), before)
    assert all(p.isfinite().all() for p in model.parameters())


def test_in_float16_a_gradient_that_no_scale_makes_finite_is_noticed():
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=4, norm="group")
    optimizer = fused(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    model.convlstm.conv.bias.register_hook(lambda g: g * float("nan"))
    before = weights(model)
    options = {"precision": "float16", "scaler": scaler}
    losses = [train_step(model, a_batch(), optimizer, **options).loss for _ in range(20)]
    assert [loss.isfinite().item() for loss in losses] == [True] * 15 + [False] * 5
    assert same_weights(weights(model), before)


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
        "best.pth",
        "samples",
        *(f"model_epoch{n}.pth" for n in (1, 5, 6)),
        *(f"samples/sample_epoch{n}.png" for n in (1, 5, 6)),
    } - {"samples"}

    header, *lines = (config.save_dir / "training_log.txt").read_text().splitlines()
    assert header.split("\t")[:5] == ["epoch", "LR", "L1", "SSIM", "total loss"]
    assert header.split("\t")[5:9] == ["val L1", "val SSIM", "val total loss", "val hole PSNR [dB]"]
    assert header.split("\t")[9:] == ["pictures/s", "memory [MB]"]
    assert [line.split("\t")[0] for line in lines] == ["1", "2", "3", "4", "5", "6"]
    assert all(len(line.split("\t")) == 11 and "" not in line.split("\t") for line in lines)
    for line in lines:
        speed, memory = (float(cell) for cell in line.split("\t")[9:])
        assert 0 < speed < 1e5
        assert 50 < memory < 1e6

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
    assert line[5:9] == ["", "", "", ""]  # no validation pairs


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
    changes = {"fresh_holes": True, "in_memory": False}
    one = run(Trainer(config_for(pairs, tmp_path / "one", **changes, num_workers=0)))
    two = run(Trainer(config_for(pairs, tmp_path / "two", **changes, num_workers=2)))
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
    assert learned(tmp_path / "whole") == learned(tmp_path / "cut")


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
    assert learned(tmp_path / "whole") == learned(tmp_path / "killed")
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
    before = [p.clone() for p in trainer.model.parameters()]
    with pytest.raises(FloatingPointError, match=r"step 5 \(epoch 2\).*weights before this step"):
        list(steps)
    for parameter, kept in zip(trainer.model.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.data, kept, rtol=0, atol=0, equal_nan=True)
    assert Trainer(config).epoch == 1


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_bad_gradient_is_noticed_at_the_end_of_the_epoch_and_never_written(
    pairs, tmp_path, precision
):
    config = config_for(
        pairs, tmp_path / "run", batch_size=1, epochs=3, resume=True, precision=precision
    )
    trainer = Trainer(config)
    steps = trainer.steps()
    for _ in range(8):  # an epoch of six steps, and two more
        next(steps)
    before = [p.clone() for p in trainer.model.parameters()]
    trainer.model.output_conv.register_forward_hook(lambda m, args, out: out * float("nan"))
    for step in (9, 10, 11):
        assert next(steps).step == step
    with pytest.raises(FloatingPointError, match=r"step 9 \(epoch 2\)"):
        next(steps)
    assert all(
        torch.equal(p, kept) for p, kept in zip(trainer.model.parameters(), before, strict=True)
    )
    state = torch.load(config.save_dir / "state.pth", weights_only=True)
    assert state["epoch"] == 1
    for name in ("state.pth", "model_epoch1.pth"):
        model = load_model(config.save_dir / name, "cpu")
        assert all(p.isfinite().all() for p in model.parameters())
    assert not (config.save_dir / "model_epoch2.pth").exists()
    assert "nan" not in (config.save_dir / "training_log.txt").read_text()


def test_in_a_long_epoch_a_bad_gradient_is_noticed_after_so_many_steps(
    pairs, tmp_path, monkeypatch
):
    monkeypatch.setattr(training, "WATCH", 4)
    trainer = Trainer(config_for(pairs, tmp_path / "run", batch_size=1, resume=True))
    steps = trainer.steps()
    next(steps)
    trainer.model.output_conv.register_forward_hook(lambda m, args, out: out * float("nan"))
    assert [next(steps).step for _ in range(2)] == [2, 3]
    with pytest.raises(FloatingPointError, match=r"step 2 \(epoch 1\)"):
        next(steps)
    assert not (tmp_path / "run" / "state.pth").exists()
    assert training.WATCH <= 50


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_run_in_low_precision_resumes_bit_identically(pairs, tmp_path, precision):
    changes = {"epochs": 3, "precision": precision, "fresh_holes": True, "norm": "group"}
    whole = run(Trainer(config_for(pairs, tmp_path / "whole", **changes)))
    cut = config_for(pairs, tmp_path / "cut", **changes, resume=True)
    steps = Trainer(cut).steps()
    for _ in range(4):
        next(steps)
    steps.close()
    assert same_weights(weights(whole), weights(run(Trainer(cut))))


def with_validation(pairs: Path, save_dir: Path, **changes) -> TrainConfig:
    folders = {
        "val_occluded_dir": pairs / "occluded_images",
        "val_original_dir": pairs / "original_images",
    }
    return config_for(pairs, save_dir, **folders | changes)


def test_best_is_the_network_of_the_epoch_that_fills_the_holes_best(pairs, tmp_path, monkeypatch):
    decibels = iter([20.0, 22.0, 21.0, 22.0, 19.0])
    monkeypatch.setattr(training, "validate", lambda *_: {"val hole PSNR [dB]": next(decibels)})
    of_epoch = {}
    for step in Trainer(with_validation(pairs, tmp_path / "run", epochs=5)).steps():
        if step.log:
            of_epoch[step.epoch] = weights(load_model(tmp_path / "run" / "state.pth", "cpu"))
            best = weights(load_model(tmp_path / "run" / "best.pth", "cpu"))
            assert same_weights(best, of_epoch[1 if step.epoch == 1 else 2])
    assert not same_weights(of_epoch[4], of_epoch[2])


def test_best_is_kept_by_a_run_that_goes_on_and_replaced_by_one_that_overwrites(pairs, tmp_path):
    config = with_validation(pairs, tmp_path / "run", epochs=1)
    run(Trainer(config))
    (tmp_path / "run" / "best.pth").unlink()  # as if killed before it was written
    list(Trainer(with_validation(pairs, tmp_path / "run", epochs=1, resume=True)).steps())
    assert load_model(tmp_path / "run" / "best.pth", "cpu")
    run(Trainer(config_for(pairs, tmp_path / "run", epochs=1, overwrite=True)))
    assert not (tmp_path / "run" / "best.pth").exists()


def test_a_resumed_run_keeps_what_was_measured_before(pairs, tmp_path):
    run(Trainer(config_for(pairs, tmp_path / "run", epochs=1)))
    before = (tmp_path / "run" / "training_log.txt").read_text().splitlines()
    run(Trainer(config_for(pairs, tmp_path / "run", epochs=2, resume=True)))
    after = (tmp_path / "run" / "training_log.txt").read_text().splitlines()
    assert after[:2] == before
    assert len(after) == 3


# The running average


AVERAGED = {"ema": 0.8, "norm": "group", "fresh_holes": True}


def test_the_running_average_equals_a_loop_by_hand_and_is_what_is_kept(pairs, tmp_path):
    trainer = Trainer(config_for(pairs, tmp_path / "run", epochs=5, **AVERAGED))
    average = [p.detach().double() for p in trainer.model.parameters()]
    for _ in trainer.steps():
        trained = [p.detach().double() for p in trainer.model.parameters()]
        average = [0.8 * a + 0.2 * p for a, p in zip(average, trained, strict=True)]
        for a, kept in zip(average, trainer.learner.kept.parameters(), strict=True):
            torch.testing.assert_close(kept.double(), a, rtol=0, atol=1e-6)
    assert len(trainer.history) == 5
    assert not same_weights(weights(trainer.model), weights(trainer.learner.kept))
    for name in ("state.pth", "model_epoch5.pth"):
        loaded = load_model(tmp_path / "run" / name, "cpu")
        assert same_weights(weights(loaded), weights(trainer.learner.kept))


def test_training_itself_does_not_depend_on_the_average(pairs, tmp_path):
    averaged = Trainer(config_for(pairs, tmp_path / "averaged", **AVERAGED))
    returned = run(averaged)
    plain = run(Trainer(config_for(pairs, tmp_path / "plain", **AVERAGED | {"ema": None})))
    assert same_weights(weights(averaged.model), weights(plain))
    assert same_weights(weights(averaged.learner.kept), weights(returned))
    assert not returned.training


def test_a_run_with_an_average_resumes_bit_identically(pairs, tmp_path):
    whole = Trainer(config_for(pairs, tmp_path / "whole", epochs=3, **AVERAGED))
    run(whole)
    cut = config_for(pairs, tmp_path / "cut", epochs=3, **AVERAGED, resume=True)
    steps = Trainer(cut).steps()
    for _ in range(7):  # two epochs of three steps, and one step more
        next(steps)
    steps.close()
    resumed = Trainer(cut)
    assert resumed.epoch == 2
    run(resumed)
    assert same_weights(weights(whole.model), weights(resumed.model))
    assert same_weights(weights(whole.learner.kept), weights(resumed.learner.kept))


def test_validation_is_that_of_the_average(pairs, tmp_path):
    folders = {
        "val_occluded_dir": pairs / "occluded_images",
        "val_original_dir": pairs / "original_images",
    }
    trainer = Trainer(config_for(pairs, tmp_path / "run", epochs=1, **AVERAGED, **folders))
    run(trainer)
    assert trainer.val is not None
    expected = validate(trainer.learner.kept, trainer.val, trainer.config, trainer.device)
    of_trained = validate(trainer.model, trainer.val, trainer.config, trainer.device)
    assert trainer.history[0].items() >= expected.items()
    assert of_trained != expected


def test_an_average_of_a_network_with_batch_norm_is_refused(pairs, tmp_path):
    with pytest.raises(ValueError, match=r'^ema: .*norm="group"'):
        config_for(pairs, tmp_path / "run", ema=0.9, norm="batch")
    with pytest.raises(ValueError, match=r"^ema 1\.5"):
        config_for(pairs, tmp_path / "run", ema=1.5, norm="group")


# A folder of pictures


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures of different sizes."""
    (tmp_path / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for i, (height, width) in enumerate([(40, 50), (20, 70), (64, 33)]):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{i}.png")
    return tmp_path / "pictures"


def config_of_pictures(pictures: Path, save_dir: Path, **changes) -> TrainConfig:
    nowhere = pictures.parent / "nowhere"
    return config_for(nowhere, save_dir, **{"data_dir": pictures, "crop_size": 24} | changes)


def test_a_folder_of_pictures_is_trained_on_under_fresh_holes(pictures, tmp_path):
    trainer = Trainer(config_of_pictures(pictures, tmp_path / "run", epoch_size=10, batch_size=4))
    seen = []
    trainer.model.register_forward_pre_hook(lambda m, args: seen.append(args))
    steps = list(trainer.steps())
    assert len(steps) == 2 * 3
    in_training = [args for args in seen if args[0].shape[-1] == 24][:3]
    assert [len(occluded) for occluded, *_ in in_training] == [4, 4, 2]
    for occluded, mask, *_ in in_training:
        assert occluded.dtype == torch.float32
        assert mask.any(dim=-1).any(dim=-1).all()
        assert not (occluded * mask).any()
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names >= {"state.pth", "training_log.txt", "model_epoch1.pth", "model_epoch2.pth"}


def test_an_epoch_of_pictures_has_as_many_squares_as_share_no_pixel(pictures, tmp_path):
    trainer = Trainer(config_of_pictures(pictures, tmp_path / "run", epochs=1, batch_size=1))
    # 1 x 2 and 2 x 1 of 24 x 24, and of 20 x 70, enlarged to 24 x 84, 1 x 3
    assert len(list(trainer.steps())) == 2 + 2 + 3


def test_a_run_on_pictures_resumes_bit_identically(pictures, tmp_path):
    changes = {"epochs": 3, "epoch_size": 6, "turns": True, "ema": 0.9, "norm": "group"}
    whole = run(Trainer(config_of_pictures(pictures, tmp_path / "whole", **changes)))
    cut = config_of_pictures(pictures, tmp_path / "cut", **changes, resume=True)
    steps = Trainer(cut).steps()
    for _ in range(5):
        next(steps)
    steps.close()
    assert same_weights(weights(whole), weights(run(Trainer(cut))))


def test_pictures_of_any_size_need_a_crop_size(pictures, tmp_path):
    with pytest.raises(ValueError, match=r"^data_dir: .*crop_size"):
        config_of_pictures(pictures, tmp_path / "run", crop_size=None)


def test_pairs_in_memory_train_as_pairs_on_disk_do(pairs, tmp_path):
    changes = {"fresh_holes": True, "turns": True}
    disk = run(
        Trainer(config_for(pairs, tmp_path / "disk", **changes, in_memory=False, num_workers=0))
    )
    memory = run(Trainer(config_for(pairs, tmp_path / "memory", **changes, in_memory=True)))
    assert same_weights(weights(disk), weights(memory))


def test_state_and_checkpoints_load_without_executing_anything(pairs, tmp_path):
    config = config_for(pairs, tmp_path / "run", epochs=1)
    run(Trainer(config))
    state = torch.load(config.save_dir / "state.pth", weights_only=True)
    assert {"format", "config", "model", "optimizer", "schedule", "epoch"} <= state.keys()
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
    done = subprocess.run(
        [sys.executable, "-m", *launch, "-m", "inpaint_lib", "train", *options],
        check=False,
        env=one_thread(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
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


FLOAT64 = Path(__file__).parents[1] / "programs" / "train_in_float64.py"


@pytest.mark.parametrize(("source", "processes"), [("pairs", 2), ("pictures", 3)])
def test_processes_compute_what_one_does_with_the_whole_batch(
    pairs, pictures, tmp_path, source, processes
):
    """In float64, where sums in another order agree to many digits."""
    data = {"in_memory": True, "batch_size": 4}  # the second batch of six pairs is a smaller one
    if source == "pictures":
        data = {"data_dir": pictures, "batch_size": 12, "epoch_size": 18}

    def trained(processes: int) -> dict:
        config = config_for(
            pairs,
            tmp_path / f"{processes}",
            patch_size=4,
            norm="group",
            prefill="thin-plate",
            standardize=True,
            fresh_holes=True,
            turns=True,
            ema=0.9,
            grad_clip=0.5,
            hole_term="psnr",
            schedule="one-cycle",
            **data,
        )
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        program = [FLOAT64, json.dumps(config.plain())]
        done = subprocess.run(
            [sys.executable, *(launch if processes > 1 else []), *program],
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        return torch.load(config.save_dir / "state.pth", weights_only=True)

    one, several = trained(1), trained(processes)
    for part in ("model", "trained"):
        for name, value in one[part].items():
            assert value.dtype == torch.float64
            torch.testing.assert_close(several[part][name], value, rtol=0, atol=1e-10)
    assert one["optimizer"]["state"][0]["step"] == 2 * 2
    assert one["history"][0]["total loss"] != one["history"][1]["total loss"]
    for single, shared in zip(one["history"], several["history"], strict=True):
        assert shared == pytest.approx(single, abs=1e-10)


def test_a_batch_that_the_processes_cannot_share_is_refused(pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    with pytest.raises(ValueError, match="multiple of the 2 processes"):
        Trainer(config_for(pairs, tmp_path / "run", batch_size=3))


def test_validation_comes_after_the_first_the_last_and_every_nth_epoch(pairs, tmp_path):
    config = config_for(
        pairs,
        tmp_path / "run",
        epochs=5,
        val_every=2,
        val_occluded_dir=pairs / "occluded_images",
        val_original_dir=pairs / "original_images",
    )
    trainer = Trainer(config)
    run(trainer)
    validated = [log["epoch"] for log in trainer.history if "val hole PSNR [dB]" in log]
    assert validated == [1, 2, 4, 5]
    lines = (config.save_dir / "training_log.txt").read_text().splitlines()
    assert lines[3].split("\t")[5:9] == ["", "", "", ""]  # the third epoch's
    assert all(lines[2].split("\t"))
