"""The building blocks of StyleGAN2 in plain PyTorch operations (Karras et al. 2020, arXiv 1912.04958)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)


def normalize_second_moment(x_BD: Tensor, eps: float = 1e-8) -> Tensor:
    """Scale each row to a mean square of one."""
    return x_BD * (x_BD.square().mean(dim=1, keepdim=True) + eps).rsqrt()


def biased_lrelu(x_BCHW: Tensor, bias_C: Tensor, gain: float = 1.0, clamp: float | None = None) -> Tensor:
    """Add a bias, apply the leaky ReLU with its variance-keeping gain, and clamp if the checkpoint asks for it."""
    x_BCHW = F.leaky_relu(x_BCHW + bias_C.view(1, -1, 1, 1), LRELU_SLOPE) * (LRELU_GAIN * gain)
    return x_BCHW if clamp is None else x_BCHW.clamp(-clamp * gain, clamp * gain)


def upsample2(x_BCHW: Tensor, margin: int = 0) -> Tensor:
    """Double height and width with the filter [1, 3, 3, 1], zeros outside.

    Zero insertion followed by that filter is bilinear interpolation with zeros beyond the border, for which PyTorch
    has a fast kernel. `margin` keeps that many pixels beyond the picture on every side, at most 2: `[B, C, 2H + 2m,
    2W + 2m]`.
    """
    x_BCHW = F.interpolate(F.pad(x_BCHW, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    cut = 2 - margin
    return x_BCHW[:, :, cut : x_BCHW.shape[2] - cut, cut : x_BCHW.shape[3] - cut] if cut else x_BCHW


def modulated_conv(x_BCHW: Tensor, weight_OIKK: Tensor, style_BI: Tensor, *, up: bool, demodulate: bool) -> Tensor:
    """Convolve with kernels scaled by a style per picture (arXiv 1912.04958, section 2.2), without grouping.

    The input is scaled by the style, one kernel shared by the batch is applied, and the output is scaled back: the
    same numbers as one kernel per picture, at the speed of an ordinary convolution. With `up` the picture is doubled
    first: the filter and the kernel commute, so this equals the transposed convolution and filter of the original.
    """
    x_BCHW = x_BCHW * style_BI[:, :, None, None]
    padding = weight_OIKK.shape[-1] // 2
    if up:
        x_BCHW = upsample2(x_BCHW, margin=padding)
        padding = 0
    x_BCHW = F.conv2d(x_BCHW, weight_OIKK, padding=padding)
    if demodulate:
        energy_BO = style_BI.square() @ weight_OIKK.square().sum(dim=(2, 3)).t()
        x_BCHW = x_BCHW * (energy_BO + 1e-8).rsqrt()[:, :, None, None]
    return x_BCHW


class EqualLinear(nn.Module):
    """A linear layer with equalised learning rate: the weight is stored at unit variance and scaled when used."""

    def __init__(
        self, inputs: int, outputs: int, *, bias_init: float = 0.0, lr_multiplier: float = 1.0, lrelu: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias_init / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(inputs)
        self.bias_gain = lr_multiplier
        self.lrelu = lrelu

    def forward(self, x_BD: Tensor) -> Tensor:
        x_BD = F.linear(x_BD, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return F.leaky_relu(x_BD, LRELU_SLOPE) * LRELU_GAIN if self.lrelu else x_BD
