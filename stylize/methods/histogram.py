"""Histogram matching, channel by channel of RGB.

Gonzalez & Woods, "Digital Image Processing", chapter 3.3.2 (histogram specification). The textbook takes a value to
where the exemplar has the same share of pixels at or below it. Where many pixels share one value, as the burnt-out sky
of most street scenes does, that is the very end of their share: with an overcast exemplar the sky becomes glaring white
or, as channels burn out differently, cyan. So a value goes to the mean of all that the exemplar has in its share: the
barycentric projection of the optimal transport between the histograms, which is the textbook's map for small shares.
"""

from __future__ import annotations

import numpy as np

from stylize.images import Pixels


def transfer(content_HWC: Pixels, exemplar_HWC: Pixels) -> Pixels:
    """Give each channel of the content the exemplar's distribution of values; uint8, the content's size."""
    planes = zip(np.moveaxis(content_HWC, -1, 0), np.moveaxis(exemplar_HWC, -1, 0), strict=True)
    return np.stack([table(plane, other)[plane] for plane, other in planes], axis=-1)


def table(values: Pixels, reference: Pixels) -> Pixels:
    """Return the table [256] of uint8 that maps `values` to the distribution of `reference`; it never falls.

    Equal distributions give the identity on the values that occur; those that do not are mapped like the one below.
    """
    counts = np.bincount(values.ravel(), minlength=256).astype(np.float64)
    reference_counts = np.bincount(reference.ravel(), minlength=256) * (values.size / reference.size)
    # The exemplar's values, sorted and summed up, as a function of how many pixels were summed.
    pixels, total = np.cumsum(reference_counts), np.cumsum(reference_counts * np.arange(256))
    reached = np.cumsum(counts)
    sums = np.diff(np.interp(reached, [0, *pixels], [0, *total]), prepend=0)
    means = np.divide(sums, counts, out=np.zeros(256), where=counts > 0)
    rounded: Pixels = np.maximum.accumulate(np.rint(means).clip(0, 255)).astype(np.uint8)
    return rounded
