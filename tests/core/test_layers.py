"""The building blocks against their formulas, written out."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from inpaint_lib import ConvLSTMCell, GatedPixelRNNLayer, ResidualBlock


def randomised(module: nn.Module) -> nn.Module:
    """Float64, every parameter and running statistic drawn anew: none is 0 or 1 by chance."""
    module.double()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(0.0, 0.5)
            if name.endswith("running_var"):
                tensor.abs_().add_(0.1)
    return module


def of_type(module: nn.Module, kind: type) -> list:
    return [m for m in module.modules() if isinstance(m, kind)]


def convolved(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, conv.weight, conv.bias, padding=1)


def normalised(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    """BatchNorm's formula, from the batch in training and from the running values else."""
    if norm.training:
        mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
    else:
        mean, var = norm.running_mean, norm.running_var
    scale = norm.weight / (var + norm.eps).sqrt()
    return (x - mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_convlstm_cell_equals_a_plain_loop_over_pixels(kernel_size):
    torch.manual_seed(0)
    inputs, hidden, height, width, radius = 2, 3, 4, 3, kernel_size // 2
    cell = randomised(ConvLSTMCell(inputs, hidden, kernel_size))
    x = torch.randn(2, inputs, height, width, dtype=torch.float64)
    h_prev, c_prev = torch.randn(2, 2, hidden, height, width, dtype=torch.float64)

    h, c = cell(x, (h_prev, c_prev))

    weight, bias = cell.conv.weight.tolist(), cell.conv.bias.tolist()
    seen = torch.cat([x, h_prev], dim=1).tolist()

    def gate(b: int, k: int, row: int, column: int) -> float:
        total = bias[k]
        for channel in range(inputs + hidden):
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    if 0 <= row + dy < height and 0 <= column + dx < width:
                        tap = weight[k][channel][dy + radius][dx + radius]
                        total += tap * seen[b][channel][row + dy][column + dx]
        return total

    for b in range(2):
        for k in range(hidden):
            for row in range(height):
                for column in range(width):
                    i, f, o, g = (gate(b, n * hidden + k, row, column) for n in range(4))
                    old = c_prev[b, k, row, column].item()
                    new = sigmoid(f) * old + sigmoid(i) * math.tanh(g)
                    assert c[b, k, row, column].item() == pytest.approx(new, abs=1e-12)
                    out = sigmoid(o) * math.tanh(new)
                    assert h[b, k, row, column].item() == pytest.approx(out, abs=1e-12)


def test_convlstm_cell_has_the_right_gradients():
    torch.manual_seed(0)
    cell = ConvLSTMCell(2, 2).double()
    x, h, c = (torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))

    def step(x, h, c, *_parameters):
        return cell(x, (h, c))

    assert torch.autograd.gradcheck(step, (x, h, c, *cell.parameters()))


def test_convlstm_cell_has_one_convolution_and_no_peepholes():
    cell = ConvLSTMCell(5, 7, kernel_size=3)
    shapes = sorted(tuple(p.shape) for p in cell.parameters())
    assert shapes == [(4 * 7,), (4 * 7, 5 + 7, 3, 3)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_init_hidden_is_two_separate_blocks_of_zeros(dtype):
    cell = ConvLSTMCell(2, 5).to(dtype)
    h, c = cell.init_hidden(3, (4, 6), "cpu")
    for state in (h, c):
        assert state.shape == (3, 5, 4, 6)
        assert state.dtype == dtype
        assert state.count_nonzero() == 0
    h += 1
    assert c.count_nonzero() == 0


@pytest.mark.parametrize("training", [True, False])
def test_gated_layer_is_tanh_of_the_feature_times_sigmoid_of_the_gate(training):
    torch.manual_seed(1)
    layer = randomised(GatedPixelRNNLayer(3)).train(training)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    (conv_f, conv_g), (norm_f, norm_g) = of_type(layer, nn.Conv2d), of_type(layer, nn.BatchNorm2d)

    feature = normalised(norm_f, convolved(conv_f, x))
    gate = normalised(norm_g, convolved(conv_g, x))

    torch.testing.assert_close(layer(x), torch.tanh(feature) * torch.sigmoid(gate))


def test_feature_and_gate_each_have_their_own_convolution_and_norm():
    layer = GatedPixelRNNLayer(4)
    convs, norms = of_type(layer, nn.Conv2d), of_type(layer, nn.BatchNorm2d)
    assert [conv.kernel_size for conv in convs] == [(3, 3), (3, 3)]
    assert len(norms) == 2
    assert len({p.data_ptr() for p in layer.parameters()}) == 8
    assert sum(p.numel() for p in layer.parameters()) == 2 * (4 * 4 * 9 + 4) + 2 * (4 + 4)
    layer(torch.randn(2, 4, 5, 5)).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_residual_block_adds_its_input_and_cuts_below_zero(training):
    torch.manual_seed(2)
    block = randomised(ResidualBlock(3)).train(training)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    (conv1, conv2), (norm1, norm2) = of_type(block, nn.Conv2d), of_type(block, nn.BatchNorm2d)

    inner = normalised(norm1, convolved(conv1, x)).clamp(min=0)
    expected = (x + normalised(norm2, convolved(conv2, inner))).clamp(min=0)

    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("block", [GatedPixelRNNLayer, ResidualBlock])
@pytest.mark.parametrize("channels", [4, 6, 8, 48])
def test_with_group_norm_a_picture_comes_out_the_same_in_any_company(block, channels):
    torch.manual_seed(3)
    module = block(channels, norm="group")
    assert not of_type(module, nn.BatchNorm2d)
    x = torch.randn(3, channels, 6, 5)
    together = module.train()(x)
    alone = torch.cat([module.eval()(x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("block", [GatedPixelRNNLayer, ResidualBlock])
def test_an_unknown_norm_is_named_beside_the_known_ones(block):
    with pytest.raises(ValueError, match=r"'layer'.*'batch'.*'group'"):
        block(4, norm="layer")


def test_a_convlstm_state_of_none_stands_for_zeros():
    torch.manual_seed(0)
    cell = randomised(ConvLSTMCell(3, 5))
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    torch.testing.assert_close(cell(x, None), cell(x, cell.init_hidden(2, (6, 7), None)))
