"""Histogram matching, channel by channel of RGB.

Gonzalez & Woods, "Digital Image Processing", chapter 3.3.2 (histogram specification).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylize.images import Pixels


def transfer(content_HWC: Pixels, exemplar_HWC: Pixels) -> Pixels:
    """Give each channel of the content the exemplar's distribution of values; uint8, the content's size."""
    return np.stack(
        [
            lookup(content_HWC[..., channel], exemplar_HWC[..., channel])[content_HWC[..., channel]]
            for channel in range(3)
        ],
        axis=-1,
    )


def lookup(values: Pixels, reference: Pixels) -> Pixels:
    """Return the table [256] of uint8 that maps `values` to the distribution of `reference`; it never falls.

    A value goes to where the reference has the same share of pixels below, interpolated between the values that occur.
    Equal distributions give the identity on all values that occur.
    """
    shares, reference_shares = _shares(values), _shares(reference)
    occurring = np.flatnonzero(np.bincount(reference.ravel(), minlength=256))
    return np.rint(np.interp(shares, reference_shares[occurring], occurring)).astype(np.uint8)


def _shares(values: Pixels) -> NDArray[np.float64]:
    """Return for each of 256 values the share of pixels at or below it."""
    return np.cumsum(np.bincount(values.ravel(), minlength=256)) / values.size
