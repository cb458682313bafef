"""The street that a camera stands in, before anything is known of its picture: a corridor with a floor and two fronts.

The ground is 1.5 m below the camera, fronts stand 10 m to either side, roofs are 13 m above, and the end of the street
is at 45 % of the height. Which of these planes a line of sight meets first says what a pixel may show; where it meets
it says how far away that is. What stands in the middle of the road, such as a car in front, is not in it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylize.images import Pixels

Floats = npt.NDArray[np.float32]

ROWS = 96  # of the small pictures in which a street is measured; grain is averaged away in them
HORIZON = 0.45  # share of the height above the end of the street
FOCAL = 1.25  # focal length in picture heights
ROOFS, GROUND, FRONTS = 13.0, 1.5, 10.0  # distances of the planes from the camera, metres
FARTHEST = 200.0  # metres
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def small(picture_HWC: Pixels) -> Floats:
    """Return a picture `ROWS` high, in grey levels."""
    height, width, _ = picture_HWC.shape
    size = (max(2, round(width * ROWS / height)), ROWS)
    return np.asarray(Image.fromarray(picture_HWC).resize(size, Image.Resampling.BOX), np.float32)


@lru_cache(maxsize=4)
def nearness(height: int, width: int) -> Floats:
    """Return picture heights per focal length and metre at which roofs, ground and fronts are met, [3, H, W].

    The largest of the three belongs to the plane that is met first, at a distance of `FOCAL` over it.
    """
    down_H1 = ((np.arange(height, dtype=np.float32) + 0.5) / height - HORIZON)[:, None]
    aside_1W = np.abs(np.arange(width, dtype=np.float32) + 0.5 - width / 2)[None] / height
    planes = (np.maximum(-down_H1, 0) / ROOFS, np.maximum(down_H1, 0) / GROUND, aside_1W / FRONTS)
    return _shared(np.stack([np.broadcast_to(plane, (height, width)) for plane in planes]))


@lru_cache(maxsize=4)
def depth(height: int, width: int) -> Floats:
    """Return the distance of each pixel, metres, [H, W]."""
    return _shared(np.minimum(FOCAL / np.maximum(nearness(height, width).max(0), 1e-6), FARTHEST))


def _shared(array: npt.NDArray[np.floating]) -> Floats:
    """Return an array that is kept, and may be read by many threads."""
    result = np.asarray(array, np.float32)
    result.setflags(write=False)
    return result
