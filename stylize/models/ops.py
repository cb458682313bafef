"""The building blocks of StyleGAN2 in plain PyTorch operations (Karras et al. 2020, arXiv 1912.04958)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)
FILTER = (1.0, 3.0, 3.0, 1.0)


def normalize_second_moment(x_BD: Tensor, eps: float = 1e-8) -> Tensor:
    """Scale each row to a mean square of one."""
    return x_BD * (x_BD.square().mean(dim=1, keepdim=True) + eps).rsqrt()


def scaled_biased_lrelu(
    x_BCHW: Tensor, scale_BC: Tensor, offset_BCHW: Tensor, gain: float = 1.0, clamp: float | None = None
) -> Tensor:
    """Return the leaky ReLU of `x * scale + offset`, with its variance-keeping gain, clamped if the checkpoint says so.

    The gain is positive, so it may act before the nonlinearity, where it costs nothing: on the small tensors.
    """
    total = LRELU_GAIN * gain
    x_BCHW = torch.addcmul(offset_BCHW * total, x_BCHW, (scale_BC * total)[:, :, None, None])
    x_BCHW = F.leaky_relu(x_BCHW, LRELU_SLOPE)
    return x_BCHW if clamp is None else x_BCHW.clamp(-clamp * gain, clamp * gain)


def upsample2(x_BCHW: Tensor) -> Tensor:
    """Double height and width with the filter [1, 3, 3, 1], zeros outside.

    Zero insertion followed by that filter is bilinear interpolation with zeros beyond the border, for which PyTorch
    has a fast kernel.
    """
    x_BCHW = F.interpolate(F.pad(x_BCHW, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return x_BCHW[:, :, 2:-2, 2:-2]


def smooth(x_BCHW: Tensor) -> Tensor:
    """Filter with [1, 3, 3, 1] in both directions, with the gain of 4 that zero insertion needs.

    One pixel is lost in height and width: `[B, C, H - 1, W - 1]`. Two passes of a one-dimensional filter per channel
    cost half of one two-dimensional pass.
    """
    channels = x_BCHW.shape[1]
    taps = torch.tensor(FILTER, dtype=x_BCHW.dtype, device=x_BCHW.device) / 4
    x_BCHW = F.conv2d(x_BCHW, taps.view(1, 1, 4, 1).expand(channels, 1, 4, 1), padding=(1, 0), groups=channels)
    return F.conv2d(x_BCHW, taps.view(1, 1, 1, 4).expand(channels, 1, 1, 4), padding=(0, 1), groups=channels)


def modulated_conv(x_BCHW: Tensor, weight_OIKK: Tensor, style_BI: Tensor, *, up: bool = False) -> Tensor:
    """Convolve with kernels scaled by a style per picture (arXiv 1912.04958, section 2.2), without grouping.

    The input is scaled by the style and one kernel shared by the batch is applied: the same numbers as one kernel per
    picture, at the speed of an ordinary convolution. With `up` the kernel, 3x3, is applied transposed with stride 2
    and its output filtered. Demodulation scales the output, see `demodulation`.
    """
    x_BCHW = x_BCHW * style_BI[:, :, None, None]
    if up:
        return smooth(F.conv_transpose2d(x_BCHW, weight_OIKK.transpose(0, 1), stride=2))
    return F.conv2d(x_BCHW, weight_OIKK, padding=weight_OIKK.shape[-1] // 2)


def demodulation(weight_OIKK: Tensor, style_BI: Tensor) -> Tensor:
    """Return the factors `[B, O]` that bring the scaled kernels back to unit norm (arXiv 1912.04958, equation 3)."""
    energy_BO = style_BI.square() @ weight_OIKK.square().sum(dim=(2, 3)).t()
    return (energy_BO + 1e-8).rsqrt()


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
