"""Let the style be stronger here and weaker there: light is never even, and no exemplar's is that of the content.

Between two pictures of a street lie clouds and shadows, lamps and wet places, which a style that is one for the whole
picture cannot have. So a copy may take on more of its style in one place and less in another, in random shapes.
"""

from __future__ import annotations

import numpy as np

from stylize.images import Pixels
from stylize.shapes import SIGMAS, shapes

_STREAM = 17  # random numbers apart from those that others draw with the same seed
_TILE = 64  # rows that are worked on at a time
_BAND = np.sqrt(np.array(SIGMAS, np.float32))  # coarse shapes are the stronger ones
_DEVIATION = _BAND / np.linalg.norm(_BAND)


def make_uneven(picture_HWC: Pixels, content_HWC: Pixels, amount: float, seed: int) -> Pixels:
    """Return a picture that differs from its content by 1 ± `amount` times as much as it did, from place to place.

    `amount` is a standard deviation. Both pictures are [H, W, 3]; equal seeds give equal shapes.
    """
    if amount == 0:
        return picture_HWC
    height, width, _ = picture_HWC.shape
    more_HW = shapes(amount * _DEVIATION, height, width, [seed, _STREAM])
    result_HWC = np.empty_like(picture_HWC)
    for start in range(0, height, _TILE):
        rows = slice(start, start + _TILE)
        changed_HWC = picture_HWC[rows].astype(np.float32)
        changed_HWC += more_HW[rows, :, None] * (changed_HWC - content_HWC[rows])
        result_HWC[rows] = np.clip(np.rint(changed_HWC), 0, 255)
    return result_HWC
