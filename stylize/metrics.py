"""How close two pictures are: PSNR, PSNR of their low frequencies and SSIM, all on [-1, 1] tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

PEAK = 2.0  # the distance between black (-1) and white (+1)


def psnr(images_BCHW: Tensor, references_BCHW: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each picture in dB, shape [B]; equal pictures give infinity."""
    error_B = (images_BCHW.double() - references_BCHW.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(PEAK**2 / error_B)


def low_frequency_psnr(images_BCHW: Tensor, references_BCHW: Tensor, fraction: float = 1 / 24) -> Tensor:
    """Return the PSNR of each pair after a Gaussian blur whose sigma is `fraction` of the height, in dB, shape [B].

    Looks at light and colour by region and not at detail or at exact borders.
    """
    difference_BCHW = blur(images_BCHW - references_BCHW, fraction * images_BCHW.shape[-2])  # blurring is linear
    return psnr(difference_BCHW, torch.zeros_like(difference_BCHW))


def ssim(images_BCHW: Tensor, references_BCHW: Tensor, sigma: float = 1.5) -> Tensor:
    """Return the mean structural similarity of each pair, shape [B], at most 1 (Wang et al. 2004, Gaussian window)."""
    x, y = images_BCHW.double(), references_BCHW.double()
    mean_x, mean_y = blur(x, sigma), blur(y, sigma)
    var_x = blur(x * x, sigma) - mean_x * mean_x
    var_y = blur(y * y, sigma) - mean_y * mean_y
    covariance = blur(x * y, sigma) - mean_x * mean_y
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    return (luminance * structure).flatten(1).mean(1)


def blur(images_BCHW: Tensor, sigma: float) -> Tensor:
    """Blur with a Gaussian of `sigma` pixels, cut at three sigma; borders repeat the outermost pixel.

    Two matrix products: for wide kernels eight times faster than convolutions, which would copy each pixel's window.
    """
    height, width = images_BCHW.shape[-2:]
    return _weights(height, sigma, images_BCHW) @ images_BCHW @ _weights(width, sigma, images_BCHW).T


def _weights(length: int, sigma: float, like: Tensor) -> Tensor:
    """Return the matrix [length, length] that blurs a line."""
    radius = max(1, math.ceil(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, device=like.device)
    kernel = torch.exp(-0.5 * (offsets.to(like) / sigma) ** 2)
    places = (torch.arange(length, device=like.device)[:, None] + offsets).clamp(0, length - 1)
    return like.new_zeros(length, length).scatter_add_(1, places, (kernel / kernel.sum()).expand(length, -1))
