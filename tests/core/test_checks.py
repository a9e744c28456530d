"""Tensors that are not worth computing with are refused by name, before anything changes."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import transforms

from inpaint_lib import ImageCompletionDataset, PixelRNN, ssim, train_step
from inpaint_lib.checks import check_shape, check_triple

NAMES = ("occluded", "original", "mask")


def triple(side: int = 12, batch: int = 2) -> dict[str, torch.Tensor]:
    """A sound batch, by name."""
    generator = torch.Generator().manual_seed(0)
    original = torch.rand(batch, 3, side, side, generator=generator)
    mask = torch.zeros(batch, 1, side, side)
    mask[..., 2 : side // 2, 1 : side // 2] = 1
    return {"occluded": original * (1 - mask), "original": original, "mask": mask}


def with_value(tensor: torch.Tensor, value: float) -> torch.Tensor:
    tensor = tensor.clone()
    tensor[-1, 0, -1, -1] = value
    return tensor


WRONG = {
    "nan": (ValueError, lambda t: with_value(t, float("nan"))),
    "all-nan": (ValueError, lambda t: t * float("nan")),
    "infinite": (ValueError, lambda t: with_value(t, float("inf"))),
    "minus-infinite": (ValueError, lambda t: with_value(t, float("-inf"))),
    "above-1": (ValueError, lambda t: with_value(t, 1.0001)),
    "below-0": (ValueError, lambda t: with_value(t, -0.0001)),
    "bytes": (TypeError, lambda t: (255 * t).byte()),
    "integers": (TypeError, lambda t: t.long()),
    "booleans": (TypeError, lambda t: t > 0.5),
    "complex": (TypeError, lambda t: t.to(torch.complex64)),
    "two-channels": (ValueError, lambda t: torch.cat([t, t], dim=1)[:, :2]),
    "four-channels": (ValueError, lambda t: torch.cat([t] * 4, dim=1)[:, :4]),
    "no-batch": (ValueError, lambda t: t[0]),
    "channels-last": (ValueError, lambda t: t.permute(0, 2, 3, 1)),
    "narrower": (ValueError, lambda t: t[..., :-1]),
    "shorter": (ValueError, lambda t: t[..., :-1, :]),
    "fewer": (ValueError, lambda t: t[:-1]),
}


VALUES = ("nan", "all-nan", "infinite", "minus-infinite", "above-1", "below-0")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_tensor_is_refused_by_name(name, wrong):
    error, spoil = WRONG[wrong]
    batch = triple()
    batch[name] = spoil(batch[name])
    # Of two sizes it cannot say which is the wrong one.
    named = r"occluded|original|mask" if wrong in ("narrower", "shorter", "fewer") else name
    with pytest.raises(error, match=rf"^({named}): "):
        check_triple(**batch)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_step_on_a_wrong_batch_changes_nothing(name, wrong):
    error, spoil = WRONG[wrong]
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=2, num_layers=1).train()
    optimizer = torch.optim.Adam(model.parameters())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    batch = triple()
    batch[name] = spoil(batch[name])
    with pytest.raises(error):
        train_step(model, tuple(batch.values()), optimizer)
    assert all(torch.equal(value, before[k]) for k, value in model.state_dict().items())
    assert optimizer.state_dict()["state"] == {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", ["nan", "all-nan", *(w for w in WRONG if w not in VALUES)])
def test_a_step_that_does_not_wait_refuses_shapes_and_keeps_the_weights_of_nan(name, wrong):
    error, spoil = WRONG[wrong]
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=2, num_layers=1, norm="group").train()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    batch = triple()
    batch[name] = spoil(batch[name])
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    if wrong in VALUES:
        losses = train_step(model, tuple(batch.values()), optimizer, scaler=scaler)
        assert losses.loss.isnan()
    else:
        with pytest.raises(error, match=r"^(occluded|original|mask): "):
            train_step(model, tuple(batch.values()), optimizer, scaler=scaler)
    assert all(torch.equal(value, before[k]) for k, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("bytes", "divide by 255"),
        ("nan", "finite values in [0, 1]"),
        ("above-1", "without a Normalize"),
        ("two-channels", "give (B, 3, H, W)"),
    ],
)
def test_the_sentence_holds_the_remedy(wrong, words):
    error, spoil = WRONG[wrong]
    batch = triple()
    batch["original"] = spoil(batch["original"])
    with pytest.raises(error) as told:
        check_triple(**batch)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("level", [0.0, 1.0, -0.0])
def test_floats_from_0_to_1_are_accepted_to_both_ends(dtype, level):
    batch = {name: torch.full_like(t, level, dtype=dtype) for name, t in triple().items()}
    check_triple(**batch)


def test_a_shape_is_checked_without_looking_at_the_values():
    check_shape("x", torch.full((1, 3, 2, 2), float("nan")), 3)
    check_shape("x", torch.empty(1, 3, 2, 2, device="meta"), 3)
    with pytest.raises(ValueError, match=r"x: is \(1, 3, 2, 2\); give \(B, 4, H, W\)"):
        check_shape("x", torch.empty(1, 3, 2, 2, device="meta"), 4)


@pytest.mark.parametrize("which", ["img_rgb", "mask"])
@pytest.mark.parametrize("wrong", ["bytes", "four-channels", "two-channels", "no-batch"])
def test_the_network_refuses_what_it_was_not_made_for(which, wrong):
    error, spoil = WRONG[wrong]
    batch = triple()
    given = {"img_rgb": batch["occluded"], "mask": batch["mask"]}
    given[which] = spoil(given[which])
    with pytest.raises(error, match=rf"^{which}: "):
        PixelRNN(hidden_channels=2)(**given)


# Pictures smaller than the SSIM window


@pytest.mark.parametrize("size", [(6, 12), (12, 6), (1, 1)])
def test_pictures_smaller_than_the_ssim_window_are_told_with_both_sizes(size):
    model = PixelRNN(hidden_channels=2, num_layers=1)
    before = {k: v.clone() for k, v in model.named_parameters()}
    batch = tuple(t[..., : size[0], : size[1]] for t in triple().values())
    with pytest.raises(ValueError, match=rf"7.*{size[0]} x {size[1]}"):
        train_step(model, batch, torch.optim.Adam(model.parameters()))
    assert all(torch.equal(value, before[k]) for k, value in model.named_parameters())


def test_pictures_of_the_size_of_the_ssim_window_are_enough():
    model = PixelRNN(hidden_channels=2, num_layers=1)
    batch = tuple(triple(side=7).values())
    losses = train_step(model, batch, torch.optim.Adam(model.parameters()))
    assert np.isfinite(losses.loss.item())
    assert ssim(batch[1], batch[1], eps=0).item() == pytest.approx(1)


# What a transform may make of a sound pair


def normalised(picture: Image.Image) -> torch.Tensor:
    mean = std = (0.5, 0.5, 0.5)
    return transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])(picture)


class NotANumber(nn.Module):
    def forward(self, picture):
        return transforms.functional.to_tensor(picture) * float("nan")


TRANSFORMS = {
    "normalize": (normalised, ValueError, "without a Normalize"),
    "integers": (transforms.PILToTensor(), TypeError, "divide by 255"),
    "grey": (
        transforms.Compose([transforms.Grayscale(), transforms.ToTensor()]),
        ValueError,
        r"give \(B, 3, H, W\)",
    ),
    "nan": (NotANumber(), ValueError, "finite values"),
}


@pytest.mark.parametrize("with_masks", [False, True])
@pytest.mark.parametrize("kind", TRANSFORMS)
def test_what_a_transform_spoils_is_told_with_the_file_and_the_remedy(pairs, kind, with_masks):
    transform, error, remedy = TRANSFORMS[kind]
    folders = pairs / "occluded_images", pairs / "original_images"
    options = {"mask_dir": pairs / "masks"} if with_masks else {}
    data = ImageCompletionDataset(*folders, transform, **options)
    with pytest.raises(error, match=rf"occluded_3\.png: after the transform, .*{remedy}"):
        data[3]


def test_what_an_augmentation_spoils_is_told_with_the_file_too(pairs):
    data = ImageCompletionDataset(
        pairs / "occluded_images",
        pairs / "original_images",
        augment=lambda occluded, original, mask: (occluded, original * 2, mask),
    )
    with pytest.raises(ValueError, match=r"occluded_3\.png: .*original: has values from"):
        data[3]
