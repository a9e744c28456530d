"""The network as a whole."""

import math

import numpy as np
import pytest
import torch
from factories import OPTIONS, PATCHED, PLAIN, picture_and_mask, random_network
from torch import nn

from inpaint_lib import PixelRNN, complete, push_pull, thin_plate

FILLS = {"push-pull": push_pull, "thin-plate": thin_plate}


# The network


def test_the_default_network_has_398291_parameters():
    assert sum(p.numel() for p in PixelRNN().parameters()) == 398_291


def test_the_parts_bear_the_names_of_the_chapters():
    names = [name for name, _ in PixelRNN(hidden_channels=4).named_children()]
    assert names == ["input_conv", "layers", "convlstm", "res_blocks", "output_conv"]


def test_the_parts_have_the_shapes_of_the_design():
    model = PixelRNN()
    convs = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    assert convs["input_conv"].weight.shape == (48, 4, 7, 7)
    assert len(model.layers) == 3
    assert len(model.res_blocks) == 2
    assert [type(m) for m in model.output_conv] == [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.Sigmoid]
    assert model.output_conv[0].weight.shape == (32, 48, 3, 3)
    assert model.output_conv[2].weight.shape == (3, 32, 1, 1)
    assert convs["convlstm.conv"].weight.shape == (4 * 48, 2 * 48, 3, 3)


@pytest.mark.parametrize(("patch_size", "field"), [(1, 29), (4, 4 * 29)])
def test_the_receptive_field_measured_from_gradients(patch_size, field):
    model = random_network(8, patch_size=patch_size).double()
    side = 4 * 32
    image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    mask = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    model(image, mask)[0, :, side // 2, side // 2].sum().backward()
    for gradient in (image.grad, mask.grad):
        touched = gradient.abs().sum(dim=(0, 1)) > 0
        for axis in (0, 1):
            where = touched.any(dim=axis).nonzero().flatten()
            assert where.max() - where.min() + 1 == field
    if patch_size == 1:
        assert where.tolist() == list(range(side // 2 - 14, side // 2 + 15))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (13, 30), (16, 16), (33, 18)])
@pytest.mark.parametrize("options", OPTIONS)
def test_any_height_and_width(options, size):
    image, mask = picture_and_mask(*size)
    with torch.no_grad():
        out = random_network(16, **options)(image, mask)
    assert out.shape == (1, 3, *size)
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize("options", OPTIONS)
def test_the_output_stays_between_0_and_1_even_with_wild_weights(options):
    model = random_network(8, **options)
    with torch.no_grad():
        for p in model.output_conv.parameters():
            p.mul_(50)
        out = model(*picture_and_mask(16, 16))
    assert out.min() >= 0
    assert out.max() <= 1
    assert out.std() > 0.1


def test_the_convlstm_carries_its_state_through_the_layers():
    model = random_network(num_layers=3)
    steps, layers, blocks_in = [], [], []
    skips = []
    model.convlstm.register_forward_hook(lambda m, args, out: steps.append((*args, out)))
    for layer in model.layers:
        layer.register_forward_hook(lambda m, args, out: layers.append((args[0], out)))
    model.input_conv.register_forward_hook(lambda m, args, out: skips.append(out))
    model.res_blocks.register_forward_hook(lambda m, args, out: blocks_in.append(args[0]))

    with torch.no_grad():
        model(*picture_and_mask(9, 8))

    assert len(steps) == 3
    [skip] = skips
    torch.testing.assert_close(layers[0][0], skip, rtol=0, atol=0)
    state = None
    following = [into for into, _ in layers[1:]] + blocks_in
    for (x, given, after), (_, layer_out), into in zip(steps, layers, following, strict=True):
        torch.testing.assert_close(x, layer_out, rtol=0, atol=0)
        assert given is state
        state = after
        torch.testing.assert_close(into, layer_out + state[0] + skip)


@pytest.mark.parametrize("options", [PLAIN, PATCHED])
def test_convolutions_start_xavier_uniform_without_bias(options):
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=32, **options)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 1 + 2 * 3 + 1 + 2 * 2 + 2
    for conv in convs[: -1 if options else None]:  # with prefill the last one starts at zero
        assert conv.bias.count_nonzero() == 0
        out, into, height, width = conv.weight.shape
        bound = math.sqrt(6 / ((into + out) * height * width))
        assert conv.weight.abs().max() <= bound
        if conv.weight.numel() > 500:
            assert conv.weight.abs().max() > 0.98 * bound
            assert conv.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)


@pytest.mark.parametrize("options", [{"prefill": "push-pull"}, PATCHED])
def test_with_prefill_training_starts_at_exactly_the_fill(options):
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=4, **options).eval()
    image, mask = picture_and_mask(21, 18)
    with torch.no_grad():
        fill = FILLS[options["prefill"]]
        torch.testing.assert_close(model(image, mask), fill(image, mask), rtol=0, atol=1e-6)


def test_standardized_a_fainter_and_brighter_picture_is_completed_alike():
    model = random_network(**PATCHED)
    image, mask = picture_and_mask(24, 20)
    with torch.no_grad():
        model.output_conv[-2].weight.mul_(0.1)  # a prediction that is not clipped
        out = model(0.3 + 0.4 * image, mask)
        fainter = model(0.6 + 0.2 * image, mask)
        start = thin_plate(0.3 + 0.4 * image, mask)
    assert (out - start).abs().max() > 0.05
    torch.testing.assert_close(fainter, 0.6 + 0.5 * (out - 0.3), rtol=0, atol=5e-3)


def test_standardized_a_flat_picture_stays_finite():
    model = random_network(**PATCHED).train()
    _, mask = picture_and_mask(24, 20)
    out = model(0.5 * (1 - mask).expand(1, 3, 24, 20), mask)
    out.sum().backward()
    assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters())


REFINED = PATCHED | {"refine": 5}


def refined(**options) -> PixelRNN:
    """A small network with a last part at full resolution that does something."""
    model = random_network(16, **options)
    with torch.no_grad():
        model.refine[3].weight.normal_(0.0, 0.3, generator=torch.Generator().manual_seed(0))
    return model


@pytest.mark.parametrize("prefill", ["push-pull", "thin-plate"])
@pytest.mark.parametrize("size", [(21, 18), (16, 16)])
def test_refined_training_starts_at_exactly_the_fill(prefill, size):
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=4, **REFINED | {"prefill": prefill, "standardize": False})
    image, mask = picture_and_mask(*size)
    expected = FILLS[prefill](image, mask)
    assert torch.equal(model.eval()(image, mask), expected)
    model(image, mask).sum().backward()
    assert model.refine[3].weight.grad.any()


@pytest.mark.parametrize("options", [{"refine": 2}, {"refine": 3, "patch_size": 4}, REFINED])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (13, 30), (16, 16), (33, 18)])
def test_refined_pictures_have_any_height_and_width(options, size):
    with torch.no_grad():
        out = refined(**options)(*picture_and_mask(*size))
    assert out.shape == (1, 3, *size)
    assert 0 <= out.min() <= out.max() <= 1


@pytest.mark.parametrize("options", [{"refine": 2}, REFINED])
def test_every_parameter_of_a_refined_network_gets_a_gradient(options):
    model = refined(**options).train()
    (model(*picture_and_mask(12, 12)) - 0.5).square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_refining_looks_over_the_edges_of_patches():
    """Each pixel of the output depends on pixels of its patch's neighbours in what is refined."""
    model = refined(patch_size=4, refine=3)
    seen = []
    model.refine.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    image, mask = picture_and_mask(16, 16)
    with torch.no_grad():
        model(image, mask)
    [into] = seen
    assert into.shape == (1, 3 + 3 + 4, 16, 16)
    assert torch.equal(into[:, 6:9], image)
    assert torch.equal(into[:, 9:], mask)
    into = into.detach().requires_grad_()
    model.refine(into)[0, :, 8, 8].sum().backward()  # the first pixel of a patch
    touched = into.grad.abs().sum(dim=(0, 1)) > 0
    assert touched.nonzero().amin(dim=0).tolist() == [6, 6]
    assert touched.nonzero().amax(dim=0).tolist() == [10, 10]


def test_without_refine_the_network_has_no_such_part():
    assert PixelRNN(hidden_channels=4, **PATCHED).refine is None
    assert PixelRNN(hidden_channels=4, **REFINED).config["refine"] == 5


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (1.5, TypeError)])
def test_a_refine_that_is_no_number_of_channels_is_refused(value, error):
    with pytest.raises(error, match=r"^refine "):
        PixelRNN(refine=value)


@pytest.mark.parametrize("prefill", ["push-pull", "thin-plate"])
def test_gradients_pass_through_a_network_with_a_fill_to_the_picture(prefill):
    image, mask = picture_and_mask(16, 16)
    image.requires_grad_()
    random_network(8, prefill=prefill, patch_size=4)(image, mask).sum().backward()
    assert (image.grad * (1 - mask)).any()


def test_an_unknown_prefill_is_refused():
    with pytest.raises(ValueError, match="choose one of 'push-pull', 'thin-plate', None"):
        PixelRNN(prefill="telea")


def test_the_last_relus_stay_alive_under_a_high_learning_rate():
    """Without a norm before them nearly all of them are off after these steps."""
    torch.manual_seed(0)
    model = PixelRNN(hidden_channels=8, patch_size=4, norm="group", prefill="push-pull")
    relu = model.output_conv[[isinstance(m, nn.ReLU) for m in model.output_conv].index(True)]
    share = []
    relu.register_forward_hook(lambda m, args, out: share.append((out > 0).float().mean().item()))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        image, mask = torch.rand(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
        mask[..., 8:24, 8:24] = 1
        loss = ((model(image, mask) - image) * mask).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert share[-1] > 0.15


@pytest.mark.parametrize("options", OPTIONS)
def test_every_parameter_gets_a_gradient(options):
    model = random_network(**options).train()
    model(*picture_and_mask(12, 12)).sum().backward()
    without = [n for n, p in model.named_parameters() if p.grad is None]
    assert without == []


# The polarity of the mask: 1 is the hole


@pytest.mark.parametrize("options", [{"prefill": "push-pull"}, PATCHED])
def test_with_prefill_only_pixels_outside_the_hole_count(options):
    model = random_network(**options)
    image, mask = picture_and_mask(24, 20)
    other = torch.rand(image.shape, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        out = model(image, mask)
        hidden_changed = model(torch.where(mask == 1, other, image), mask)
        known_changed = model(torch.where(mask == 0, other, image), mask)
    assert torch.equal(out, hidden_changed)
    assert not torch.equal(out * mask, known_changed * mask)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_network_is_told_where_the_hole_is(options):
    model = random_network(**options)
    image, mask = picture_and_mask(24, 20)
    with torch.no_grad():
        assert not torch.equal(model(image * (1 - mask), mask), model(image * (1 - mask), 1 - mask))


@pytest.mark.parametrize("options", OPTIONS)
def test_completing_looks_at_the_known_pixels_and_keeps_them(options):
    model = random_network(**options)
    rng = np.random.default_rng(0)
    image, other = rng.integers(0, 256, (2, 23, 19, 3), dtype=np.uint8)
    hole = np.zeros((23, 19), dtype=bool)
    hole[6:15, 4:12] = True

    done = np.asarray(complete(model, image, hole))
    hidden_changed = np.asarray(complete(model, np.where(hole[..., None], other, image), hole))
    known_changed = np.asarray(complete(model, np.where(hole[..., None], image, other), hole))

    assert np.array_equal(done, hidden_changed)
    assert np.array_equal(done[~hole], image[~hole])
    assert not np.array_equal(done[hole], image[hole])
    assert not np.array_equal(done[hole], known_changed[hole])
