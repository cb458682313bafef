"""Colour transfer by mean and standard deviation in the decorrelated colour space l-alpha-beta.

Reinhard, Ashikhmin, Gooch, Shirley: "Color Transfer between Images", IEEE Computer Graphics and Applications, 2001.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.images import Pixels

Planes = list[NDArray[np.float32]]

# RGB to cone responses (equation 4 of the paper), and their logarithms to l, alpha and beta (equation 6).
_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_TO_LAB = np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt([[3], [6], [2]])
_TO_LOG, _TO_RGB = np.linalg.inv(_TO_LAB), np.linalg.inv(_TO_LMS)
_DARKEST = np.float32(1 / 255)  # black has no logarithm
_FLAT = 1e-3  # standard deviation below which there is no contrast that could be scaled


def transfer(content_HWC: Pixels, exemplar_HWC: Pixels) -> Pixels:
    """Give each channel l, alpha, beta of the content the exemplar's mean and standard deviation.

    Both uint8 [H, W, 3], of any sizes; returns uint8 of the content's size, clipped to what RGB can show. As in the
    paper, values are taken as they are stored, without a correction for gamma.
    """
    planes = _to_lab(content_HWC)
    for plane, other in zip(planes, _to_lab(exemplar_HWC), strict=True):
        spread = float(plane.std())
        plane -= plane.mean()
        plane *= np.float32(other.std() / spread if spread > _FLAT else 1.0)
        plane += other.mean()
    return _to_rgb(planes)


def _to_lab(rgb_HWC: Pixels) -> Planes:
    rgb = [rgb_HWC[..., channel] * np.float32(1 / 255) for channel in range(3)]
    return _mixed(_TO_LAB, [np.log(np.maximum(plane, _DARKEST)) for plane in _mixed(_TO_LMS, rgb)])


def _to_rgb(lab: Planes) -> Pixels:
    rgb = _mixed(_TO_RGB, [np.exp(plane) for plane in _mixed(_TO_LOG, lab)])
    pixels: Pixels = np.rint(np.stack(rgb, axis=-1) * np.float32(255)).clip(0, 255).astype(np.uint8)
    return pixels


def _mixed(matrix: NDArray[np.floating[Any]], planes: Planes) -> Planes:
    # Plane by plane rather than by BLAS, whose sums may depend on the number of threads.
    a, b, c = planes
    return [np.float32(row[0]) * a + np.float32(row[1]) * b + np.float32(row[2]) * c for row in matrix]
