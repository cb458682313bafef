from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from stylize.models import ops
from tests.stylize.models import reference


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float = 1e-9) -> None:
    assert a.shape == b.shape
    assert (a - b).abs().max() < tolerance


@pytest.mark.parametrize("size", [(4, 4), (3, 5), (1, 1)])
def test_upsampling_is_zero_insertion_and_filter_with_zeros_outside(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    close(ops.upsample2(x), reference.upsample(x))


def test_smoothing_keeps_brightness_after_zero_insertion() -> None:
    wide = torch.zeros(1, 1, 12, 12)
    wide[:, :, ::2, ::2] = 1
    inner = ops.smooth(wide)[:, :, 3:-3, 3:-3]
    close(inner, torch.ones_like(inner), 1e-6)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_one_shared_kernel_gives_the_numbers_of_a_kernel_per_picture(up: bool, demodulate: bool) -> None:
    x, style = torch.randn(3, 5, 4, 6, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    weight = torch.randn(7, 5, 3, 3, dtype=torch.float64)
    ours = ops.modulated_conv(x, weight, style, up=up)
    if demodulate:
        ours = ours * ops.demodulation(weight, style)[:, :, None, None]
    close(ours, reference.modulated(x, weight, style, up=up, demodulate=demodulate))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pointwise_kernels_are_scaled_per_picture(layout: torch.memory_format) -> None:
    x, style = torch.randn(3, 5, 4, 6).to(memory_format=layout), torch.randn(3, 5)
    weight, bias = torch.randn(2, 5, 1, 1), torch.randn(2)
    expected = reference.modulated(x, weight, style, demodulate=False) + bias[:, None, None]
    close(ops.modulated_pointwise(x, weight, style, bias), expected, 1e-5)


@pytest.mark.parametrize("clamp", [None, 0.5])
@pytest.mark.parametrize("with_noise", [True, False])
def test_finishing_in_place_has_the_values_and_gradients_of_the_plain_formula(
    with_noise: bool, clamp: float | None
) -> None:
    gain = math.sqrt(0.5)
    shapes = [(2, 3, 4, 4), (2, 3), (3,), (2, 3, 4, 4)]
    leaves = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    x, scale, bias, noise = leaves
    ours = ops.finish(x * 1, scale, bias, noise if with_noise else None, gain, clamp)
    plain = x * scale[:, :, None, None] + (noise if with_noise else 0) + bias[:, None, None]
    plain = reference.limited(F.leaky_relu(plain, 0.2) * math.sqrt(2) * gain, clamp, gain)
    close(ours, plain)
    weights = torch.randn_like(plain)
    used = leaves if with_noise else leaves[:3]
    for a, b in zip(
        torch.autograd.grad((ours * weights).sum(), used),
        torch.autograd.grad((plain * weights).sum(), used),
        strict=True,
    ):
        close(a, b)


def test_normalising_brings_each_row_to_mean_square_one() -> None:
    rows = ops.normalize_second_moment(torch.randn(4, 9) * 7)
    close(rows.square().mean(dim=1), torch.ones(4), 1e-5)


def test_equalised_layer_stores_unit_variance_and_applies_gain_and_multiplier() -> None:
    layer = ops.EqualLinear(256, 64, bias_init=1.0, lr_multiplier=0.01, lrelu=True)
    assert layer.weight.std().item() == pytest.approx(100, rel=0.1)
    x = torch.randn(3, 256)
    close(layer(x), reference.lrelu(reference.dense(layer, x, 0.01)) * math.sqrt(2), 1e-5)
    assert reference.dense(layer, torch.zeros(1, 256), 0.01).mean().item() == pytest.approx(1)


def test_cpu_pictures_are_laid_out_channels_last() -> None:
    x = torch.randn(2, 3, 4, 5)
    laid = ops.fast_layout(x)
    assert torch.equal(laid, x)
    assert laid.is_contiguous(memory_format=torch.channels_last)
