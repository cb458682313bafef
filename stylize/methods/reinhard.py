"""Colour transfer by mean and standard deviation.

Reinhard, Ashikhmin, Gooch, Shirley: "Color Transfer between Images", IEEE Computer Graphics and Applications, 2001.
The paper's l-alpha-beta is a logarithmic space, in which the noise of dark pixels becomes large; like most who use the
method on photographs today, we take its successor CIELAB (D65), where distances are those that people see.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylize.images import Pixels

Planes = NDArray[np.float32]

# sRGB (IEC 61966-2-1) to XYZ, each row divided by the D65 white point, so that white is (1, 1, 1).
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO_XYZ /= _TO_XYZ.sum(1, keepdims=True)
_TO_RGB = np.linalg.inv(_TO_XYZ)
# The cube root is replaced by a straight line near black (CIE 15:2004).
_KNEE, _SLOPE, _OFFSET = (6 / 29) ** 3, (29 / 6) ** 2 / 3, 4 / 29
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
# Linear light at which the displayed value changes from one level to the next.
_BETWEEN = (np.arange(255) + 0.5) / 255
_STEPS = np.where(_BETWEEN <= 0.04045, _BETWEEN / 12.92, ((_BETWEEN + 0.055) / 1.055) ** 2.4).astype(np.float32)
_FLAT = 1e-3  # standard deviation, in units of L, a and b, below which a picture has no contrast to be scaled


def transfer(content_HWC: Pixels, exemplar_HWC: Pixels) -> Pixels:
    """Give each CIELAB channel of the content the exemplar's mean and standard deviation; uint8, content's size."""
    content_CHW, exemplar_CHW = to_lab(content_HWC), to_lab(exemplar_HWC)
    for plane, other in zip(content_CHW, exemplar_CHW, strict=True):
        spread = float(plane.std())
        plane -= plane.mean()
        plane *= np.float32(other.std() / spread if spread > _FLAT else 1.0)
        plane += other.mean()
    return from_lab(content_CHW)


def to_lab(rgb_HWC: Pixels) -> Planes:
    """Return CIELAB of an sRGB picture: float32 [3, H, W], L in 0..100."""
    red, green, blue = (_LINEAR[rgb_HWC[..., channel]] for channel in range(3))
    x, y, z = (_compressed(plane) for plane in _mixed(_TO_XYZ, red, green, blue))
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)))


def from_lab(lab_CHW: Planes) -> Pixels:
    """Return the sRGB picture [H, W, 3] of CIELAB planes, clipped where a screen cannot show the colour."""
    y = (lab_CHW[0] + 16) / 116
    x, z = y + lab_CHW[1] / 500, y - lab_CHW[2] / 200
    planes = _mixed(_TO_RGB, *(_expanded(plane) for plane in (x, y, z)))
    return np.stack([np.searchsorted(_STEPS, plane).astype(np.uint8) for plane in planes], axis=-1)


def _compressed(plane: Planes) -> Planes:
    return np.where(plane > _KNEE, np.cbrt(plane), np.float32(_SLOPE) * plane + np.float32(_OFFSET))


def _expanded(plane: Planes) -> Planes:
    return np.where(plane > 6 / 29, plane * plane * plane, (plane - np.float32(_OFFSET)) / np.float32(_SLOPE))


def _mixed(matrix: NDArray[np.float64], *planes: Planes) -> list[Planes]:
    # Plane by plane rather than by BLAS, whose sums may depend on the number of threads.
    a, b, c = planes
    return [np.float32(row[0]) * a + np.float32(row[1]) * b + np.float32(row[2]) * c for row in matrix]
