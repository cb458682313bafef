"""Where the sky and the ground of a street are: found in any picture from place and colour, without a label.

A camera that looks along a street has sky above the middle and ground below (see `stylize.corridor`). What colours
these parts have is learnt from the picture itself: pixels are given to sky, ground or fronts by their place, the
colours of each part are counted, pixels are given anew by place and colour, and so on (expectation maximisation with
histograms; Dempster, Laird and Rubin 1977). What is rough is no sky. Where colours tell nothing, as in thick fog, place
decides. White walls under a sky that is not in the picture pass for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stylize.corridor import HORIZON, LUMA, Floats, nearness, small
from stylize.images import Pixels

SKY, GROUND, FRONTS = range(3)

ROUNDS = 5  # of counting colours
DOUBT = 0.02  # share that a part has where the corridor has none of it: real streets bend, widen and rise
NOWHERE = 1e-4  # share of the sky below the horizon
EDGE = 1.3  # how sharply parts meet where planes of the corridor do
LEVELS = 32  # of each colour, in which colours are counted
ALIKE = 2.0  # sigma in levels within which colours count as one
WEIGHT = 2.0  # of the colour of a pixel against its place: neighbours of one colour mostly belong together
ROUGH = 4.0  # standard deviation of luma around a pixel, in grey levels, that few skies and clouds have
AROUND = 1.5  # sigma of the surroundings in which that is measured, pixels of the small picture
_SHIFT = 3  # bits from 256 grey levels to LEVELS
_TILE = 64  # rows
_RARE = 1e-7  # likelihood of a colour that a part was not seen to have


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Where the parts of a picture are: `shares_KHW` of each in the small picture, and how likely each colour is."""

    small_HWC: Floats
    shares_KHW: Floats
    likelihood_KN: Floats

    def weights(self, picture_HWC: Pixels, parts: Sequence[int]) -> Pixels:
        """Return the weights (see `sure`) of these parts at the size of the measured picture, [P, H, W] in 0..255."""
        height, width, _ = picture_HWC.shape
        places_KHW, result_PHW = _places(height, width), np.empty((len(parts), height, width), np.uint8)
        for start in range(0, height, _TILE):  # what is in between is large, and stays in the processor's cache
            rows = slice(start, start + _TILE)
            shares_KHW = _given(places_KHW[:, rows], self.likelihood_KN, _colours(picture_HWC[rows]))
            result_PHW[:, rows] = np.rint(255 * sure(shares_KHW[list(parts)]))
        return result_PHW


def regions_of(picture_HWC: Pixels) -> Regions:
    """Find the parts of a picture [H, W, 3]."""
    small_HWC = small(picture_HWC)
    places_KHW = _without_rough_sky(_places(*small_HWC.shape[:2]), small_HWC @ LUMA)
    colours_HW = _colours(small_HWC)
    shares_KHW = places_KHW / places_KHW.sum(0)
    likelihood_KN = _likelihood(colours_HW, shares_KHW)
    for _ in range(ROUNDS - 1):
        shares_KHW = _given(places_KHW, likelihood_KN, colours_HW)
        likelihood_KN = _likelihood(colours_HW, shares_KHW)
    shares_KHW = _given(places_KHW, likelihood_KN, colours_HW)
    return Regions(small_HWC=small_HWC, shares_KHW=shares_KHW, likelihood_KN=likelihood_KN)


def sure(shares_PHW: Floats) -> Floats:
    """Return the weights of pixels for a part: 1 where it is certain, 0 where another is more likely."""
    return np.asarray(np.clip(2 * shares_PHW - 1, 0, 1))


@lru_cache(maxsize=32)
def gaussian(length: int, sigma: float) -> Floats:
    """Return the Gaussian window around each place of a line, [length, length], 1 at the place itself."""
    place_L = np.arange(length, dtype=np.float32)
    window_LL = np.exp(-(((place_L[:, None] - place_L) / sigma) ** 2) / 2)
    window_LL.setflags(write=False)
    return np.asarray(window_LL)


def local_mean(values_HW: Floats, weights_HW: Floats, sigma: float) -> Floats:
    """Return the mean around each pixel of what has weight."""
    down_HH, right_WW = (gaussian(length, sigma) for length in values_HW.shape)
    found_HW = down_HH @ (weights_HW * values_HW) @ right_WW
    return np.asarray(found_HW / (down_HH @ weights_HW @ right_WW + 1e-3))


def _given(places_KHW: Floats, likelihood_KN: Floats, colours_HW: npt.NDArray[np.uint16]) -> Floats:
    """Return what each pixel is given to, by place and colour."""
    shares_KHW = places_KHW * likelihood_KN.take(colours_HW, axis=1)
    shares_KHW /= shares_KHW.sum(0)
    return shares_KHW


@lru_cache(maxsize=4)
def _places(height: int, width: int) -> Floats:
    """Return how likely each part is at each place, whatever the picture, [3, H, W]."""
    near_KHW = np.maximum(nearness(height, width), 1e-6) ** EDGE
    places_KHW = DOUBT + (1 - 3 * DOUBT) * near_KHW / near_KHW.sum(0)
    below_H = (np.arange(height) + 0.5) / height > HORIZON
    places_KHW[SKY, below_H] = NOWHERE
    places_KHW.setflags(write=False)
    return np.asarray(places_KHW, np.float32)


def _without_rough_sky(places_KHW: Floats, luma_HW: Floats) -> Floats:
    """Give to the fronts what is too rough for a sky."""
    ones_HW = np.ones_like(luma_HW)
    mean_HW = local_mean(luma_HW, ones_HW, AROUND)
    variance_HW = np.maximum(local_mean((luma_HW - mean_HW) ** 2, ones_HW, AROUND), 0)
    rough_HW = places_KHW[SKY] * (1 - 1 / (1 + (variance_HW / ROUGH**2) ** 2))
    changed_KHW = places_KHW.copy()
    changed_KHW[SKY] -= rough_HW
    changed_KHW[FRONTS] += rough_HW
    return changed_KHW


def _colours(picture_HWC: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
    """Return the number of each pixel's colour among LEVELS ** 3."""
    level_HWC = (picture_HWC.astype(np.uint8) >> _SHIFT).astype(np.uint16)
    return np.asarray((level_HWC[..., 0] * LEVELS + level_HWC[..., 1]) * LEVELS + level_HWC[..., 2], np.uint16)


def _likelihood(colours_HW: npt.NDArray[np.uint16], shares_KHW: Floats) -> Floats:
    """Return how much a colour speaks for each part, by how common it is there, [3, LEVELS ** 3]."""
    alike_LL = gaussian(LEVELS, ALIKE)
    counts = []
    for shares_HW in shares_KHW:
        count_N = np.bincount(colours_HW.ravel(), shares_HW.ravel(), LEVELS**3).astype(np.float32)
        count_LLL = count_N.reshape(LEVELS, LEVELS, LEVELS)
        for _ in range(3):  # each time along the last axis, which then becomes the first
            count_LLL = np.moveaxis(count_LLL @ alike_LL, -1, 0)
        counts.append(count_LLL.ravel())
    count_KN = np.stack(counts)
    common_KN = count_KN / (count_KN.sum(1, keepdims=True) + 1e-3) + _RARE
    return np.asarray((common_KN / common_KN.sum(0)) ** WEIGHT)
