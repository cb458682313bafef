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


def fast_layout(x_BCHW: Tensor) -> Tensor:
    """Return the same numbers in the memory layout whose convolutions are fastest.

    That is channels last on CPUs, and on GPUs for half precision, which tensor cores take in this layout.
    """
    kind = x_BCHW.device.type
    if kind != "cpu" and not torch.is_autocast_enabled(kind):
        return x_BCHW.contiguous()
    return x_BCHW.contiguous(memory_format=torch.channels_last)


def finish(
    x_BCHW: Tensor,
    scale_BC: Tensor,
    bias_C: Tensor,
    noise_BCHW: Tensor | None,
    gain: float = 1.0,
    clamp: float | None = None,
) -> Tensor:
    """Return the leaky ReLU of `x * scale + noise + bias`, with its variance-keeping gain, clamped to `clamp * gain`.

    The gain is positive, so it may act before the nonlinearity, where it costs nothing: on the small tensors. All
    but the clamp happens in place after the first step: large pictures are bound by memory.
    """
    total = LRELU_GAIN * gain
    x_BCHW = torch.addcmul((bias_C * total).view(1, -1, 1, 1), x_BCHW, (scale_BC * total)[:, :, None, None])
    if noise_BCHW is not None:
        x_BCHW.add_(noise_BCHW, alpha=total)
    x_BCHW = F.leaky_relu_(x_BCHW, LRELU_SLOPE)
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

    One pixel is lost in height and width: `[B, C, H - 1, W - 1]`. One pass of the two-dimensional filter per channel
    was measured a little faster than two of the one-dimensional one, and much faster with channels last.
    """
    channels = x_BCHW.shape[1]
    taps = torch.tensor(FILTER, dtype=x_BCHW.dtype, device=x_BCHW.device) / 4
    return F.conv2d(x_BCHW, taps.outer(taps).expand(channels, 1, 4, 4), padding=1, groups=channels)


def modulated_conv(x_BCHW: Tensor, weight_OIKK: Tensor, style_BI: Tensor, *, up: bool = False) -> Tensor:
    """Convolve with kernels scaled by a style per picture (arXiv 1912.04958, section 2.2), without grouping.

    The input is scaled by the style and one kernel shared by the batch is applied: the same numbers as one kernel per
    picture, at the speed of an ordinary convolution. With `up` the kernel, 3x3, is applied transposed with stride 2
    and its output filtered: a quarter of the products of filtering first. Demodulation scales the output, see
    `demodulation`.
    """
    x_BCHW = x_BCHW * style_BI[:, :, None, None]
    if up:
        return smooth(F.conv_transpose2d(x_BCHW, weight_OIKK.transpose(0, 1), stride=2))
    return F.conv2d(x_BCHW, weight_OIKK, padding=weight_OIKK.shape[-1] // 2)


def modulated_pointwise(x_BCHW: Tensor, weight_OI11: Tensor, style_BI: Tensor, bias_O: Tensor) -> Tensor:
    """Apply a 1x1 kernel scaled by a style per picture, and a bias: with few outputs, scaling the kernel is cheaper."""
    kernel_BOI = weight_OI11[:, :, 0, 0] * style_BI[:, None, :]
    out_BOP = torch.baddbmm(bias_O.view(1, -1, 1), kernel_BOI, x_BCHW.flatten(2))
    return out_BOP.reshape(len(x_BCHW), -1, *x_BCHW.shape[2:])


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
