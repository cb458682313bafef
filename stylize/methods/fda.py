"""Fourier domain adaptation: the low frequencies' amplitude of another picture.

Yang, Soatto: "FDA: Fourier Domain Adaptation for Semantic Segmentation", CVPR 2020, arXiv 2004.05498.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.images import Pixels

BETA = 0.01  # the paper's smallest: half the side of the exchanged square, as a share of the shorter side


def transfer(content_HWC: Pixels, exemplar_HWC: Pixels, *, beta: float = BETA) -> Pixels:
    """Give the content's lowest frequencies the exemplar's amplitude, and keep all phases; uint8, the content's size.

    The exemplar is resized to the content; colours beyond 0..255 are clipped. `beta` as in equation 3 of the paper.
    """
    height, width = content_HWC.shape[:2]
    exemplar = Image.fromarray(exemplar_HWC).resize((width, height), Image.Resampling.BICUBIC)
    reach = int(beta * min(height, width))
    planes = [
        _exchanged(plane, other, reach)
        for plane, other in zip(_planes(content_HWC), _planes(np.asarray(exemplar)), strict=True)
    ]
    result: Pixels = np.rint(np.stack(planes, axis=-1)).clip(0, 255).astype(np.uint8)
    return result


def _planes(rgb_HWC: Pixels) -> list[NDArray[np.float32]]:
    return [rgb_HWC[..., channel].astype(np.float32) for channel in range(3)]


def _exchanged(plane: NDArray[np.float32], other: NDArray[np.float32], reach: int) -> NDArray[np.floating[Any]]:
    """Return a plane [H, W] with the amplitude of another in the square of frequencies up to `reach`."""
    spectrum, reference = np.fft.rfft2(plane), np.fft.rfft2(other)
    rows = np.arange(-reach, reach + 1)  # the other half of the columns follows, since the planes are real
    square = np.ix_(rows, np.arange(reach + 1))
    phase = np.exp(1j * np.angle(spectrum[square]))
    spectrum[square] = np.abs(reference[square]) * phase
    return np.fft.irfft2(spectrum, plane.shape)
