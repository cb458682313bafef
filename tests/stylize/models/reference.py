"""A slow StyleGAN2 from the formulas alone, picture by picture, to hold the fast one against (arXiv 1912.04958)."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = (1.0, 3.0, 3.0, 1.0)


def resample(x_BCHW: Tensor, *, up: int, before: int, after: int, gain: float) -> Tensor:
    """Insert zeros, pad with zeros, convolve with the outer product of the normalised taps, multiply."""
    batch, channels, height, width = x_BCHW.shape
    wide = x_BCHW.new_zeros(batch, channels, height * up, width * up)
    wide[:, :, ::up, ::up] = x_BCHW
    wide = F.pad(wide, (before, after, before, after))
    rows, columns = wide.shape[2] - len(TAPS) + 1, wide.shape[3] - len(TAPS) + 1
    total = x_BCHW.new_zeros(batch, channels, rows, columns)
    for i, a in enumerate(reversed(TAPS)):  # a convolution, not a correlation
        for j, b in enumerate(reversed(TAPS)):
            total += a * b / sum(TAPS) ** 2 * wide[:, :, i : i + rows, j : j + columns]
    return total * gain


def upsample(x_BCHW: Tensor) -> Tensor:
    return resample(x_BCHW, up=2, before=2, after=1, gain=4.0)


def transposed(x_BCHW: Tensor, weight_OIKK: Tensor) -> Tensor:
    """Convolve (mirrored kernel) after inserting zeros between the pixels: `[B, O, 2H + 1, 2W + 1]`."""
    batch, channels, height, width = x_BCHW.shape
    wide = x_BCHW.new_zeros(batch, channels, 2 * height - 1, 2 * width - 1)
    wide[:, :, ::2, ::2] = x_BCHW
    return F.conv2d(wide, weight_OIKK.flip(2, 3), padding=weight_OIKK.shape[-1] - 1)


def modulated(x_BCHW: Tensor, weight: Tensor, style_BI: Tensor, *, up: bool = False, demodulate: bool = True) -> Tensor:
    """Give every picture its own kernel."""
    pictures = []
    for x, style in zip(x_BCHW, style_BI, strict=True):
        kernel = weight * style[None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            pictures.append(resample(transposed(x[None], kernel), up=1, before=1, after=1, gain=4.0))
        else:
            pictures.append(F.conv2d(x[None], kernel, padding=kernel.shape[-1] // 2))
    return torch.cat(pictures)


def lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def normalized(x_BD: Tensor) -> Tensor:
    return x_BD / (x_BD.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()


def dense(layer: Any, x_BD: Tensor, lr_multiplier: float = 1.0) -> Tensor:
    return x_BD @ (layer.weight.t() * lr_multiplier / math.sqrt(layer.weight.shape[1])) + layer.bias * lr_multiplier


def limited(x_BCHW: Tensor, clamp: float | None, gain: float = 1.0) -> Tensor:
    return x_BCHW if clamp is None else x_BCHW.clamp(-clamp * gain, clamp * gain)


def convolution(layer: Any, x_BCHW: Tensor, w_BD: Tensor, *, up: bool, clamp: float | None, gain: float = 1) -> Tensor:
    """Modulated convolution, noise, bias, leaky ReLU with gain, limit."""
    x_BCHW = modulated(x_BCHW, layer.weight, dense(layer.affine, w_BD), up=up)
    if hasattr(layer, "noise_const"):
        x_BCHW = x_BCHW + layer.noise_const * layer.noise_strength
    x_BCHW = lrelu(x_BCHW + layer.bias[:, None, None]) * math.sqrt(2) * gain
    return limited(x_BCHW, clamp, gain)


def colours(layer: Any, x_BCHW: Tensor, w_BD: Tensor, clamp: float | None) -> Tensor:
    style_BI = dense(layer.affine, w_BD) / math.sqrt(layer.weight.shape[1])
    x_BCHW = modulated(x_BCHW, layer.weight, style_BI, demodulate=False)
    return limited(x_BCHW + layer.bias[:, None, None], clamp)


def mapping(net: Any, z_BD: Tensor, c_BK: Tensor | None = None, lr_multiplier: float = 0.01) -> Tensor:
    """Return w `[B, w_dim]` of a mapping network with layers fc0, fc1, ... and embed."""
    x_BD = normalized(z_BD)
    if c_BK is not None:
        x_BD = torch.cat([x_BD, normalized(dense(net.embed, c_BK))], dim=1)
    index = 0
    while hasattr(net, f"fc{index}"):
        x_BD = lrelu(dense(getattr(net, f"fc{index}"), x_BD, lr_multiplier)) * math.sqrt(2)
        index += 1
    return x_BD


def synthesis(blocks: list[nn.Module], ws_BLD: Tensor, clamp: float | None = None) -> Tensor:
    """Return pictures of blocks with const, conv0, conv1, torgb and skip, as far as they have them."""
    x, image, layer = torch.empty(0), None, 0
    for block in blocks:
        w = list(ws_BLD[:, layer:].unbind(dim=1))
        if hasattr(block, "const"):
            x = torch.stack([block.const] * len(ws_BLD))
            x = convolution(block.conv1, x, w.pop(0), up=False, clamp=clamp)
        else:
            skip = getattr(block, "skip", None)
            gain = 1.0 if skip is None else math.sqrt(0.5)
            shortcut = 0.0 if skip is None else F.conv2d(upsample(x), skip.weight / math.sqrt(x.shape[1])) * gain
            x = convolution(block.conv0, x, w.pop(0), up=True, clamp=clamp)
            x = convolution(block.conv1, x, w.pop(0), up=False, clamp=clamp, gain=gain) + shortcut
        layer += 1 if hasattr(block, "const") else 2
        image = None if image is None else upsample(image)
        if getattr(block, "torgb", None) is not None:
            added = colours(block.torgb, x, w.pop(0), clamp)
            image = added if image is None else image + added
    assert image is not None
    return image
