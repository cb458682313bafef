"""Carry over an exemplar's haze: contrast that fades towards the end of a street, as no change of colour makes it fade.

Air takes contrast from what is seen through it, the more the farther it is (Koschmieder 1924): a picture is
`scene * t + airlight * (1 - t)` with `t = exp(-density * depth)`. Depth is not known, but a camera that looks along a
street stands in a corridor (see `stylize.corridor`). In that geometry the contrast of the exemplar at each distance
against that of the picture gives one number, the density. Where the exemplar is as clear far away as nearby nothing
changes, whether it is dark or bright; what stands close by in the middle of the picture, such as a car in front, is
hazed as if it were far.

Streets that end in a crowd have less contrast there for other reasons. But haze brightens what is dark, up to the
colour of the air (the dark channel of He, Sun and Tang 2009): what is dark far away bounds the density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylize.corridor import LUMA, Floats, depth, small
from stylize.images import Pixels

EDGES = np.array([3, 6, 10, 16, 25, 40, 65, 120], np.float32)  # of the distances that are told apart, metres
QUANTILE = 0.9  # of the gradients at a distance: its contrast, however much of it is blank
LEAST = 20  # so few pixels say nothing about a distance
ZERO = 0.5  # grey levels per pixel that are added to all contrasts: what 8 bits leave of none
DARK = 0.1  # quantile of luma at a distance: what is dark there
FAR = 4  # ranges of distance from here on bound the density: nearby, little air is in between
AIR = 65.0  # beyond so many metres the median colour is that of the air
_MIDDLES = np.sqrt(EDGES[:-1] * EDGES[1:])


@dataclass(frozen=True, kw_only=True)
class Haze:
    """What is measured of an exemplar: contrast by distance (NaN: not seen), colour of its air, and most density."""

    contrast_Z: Floats
    air_C: Floats
    most: float


def haze_of(picture_HWC: Pixels) -> Haze:
    """Measure a picture [H, W, 3] as an exemplar of haze."""
    small_HWC = small(picture_HWC)
    far_HW = depth(*small_HWC.shape[:2]) > AIR
    air_C = np.median(small_HWC[far_HW], axis=0).astype(np.float32)
    return Haze(contrast_Z=_contrast(small_HWC), air_C=air_C, most=_most(small_HWC @ LUMA, float(air_C @ LUMA)))


def density_of(picture_HWC: Pixels, exemplar: Haze) -> float:
    """Return how much denser the exemplar's air is than the picture's, per metre; 0 where it is as clear or clearer."""
    return min(exemplar.most, _density(_contrast(small(picture_HWC)), exemplar.contrast_Z))


def add_haze(picture_HWC: Pixels, exemplar: Haze, amount: float) -> Pixels:
    """Return the picture with as much haze as the exemplar has (`amount` 1), or less, down to none (0)."""
    density = amount * density_of(picture_HWC, exemplar) if amount else 0.0
    if density == 0:
        return picture_HWC
    seen_HW1 = np.exp(-density * depth(*picture_HWC.shape[:2]))[..., None]
    hazed_HWC = exemplar.air_C + (picture_HWC - exemplar.air_C) * seen_HW1
    return np.asarray(np.clip(np.rint(hazed_HWC), 0, 255), np.uint8)


def _contrast(small_HWC: Floats) -> Floats:
    """Return the contrast at each distance: a high quantile of the gradients there, grey levels per pixel."""
    luma_HW = small_HWC @ LUMA
    down_HW, right_HW = np.diff(luma_HW, axis=0)[:, :-1], np.diff(luma_HW, axis=1)[:-1]
    return _quantiles(np.hypot(down_HW, right_HW), depth(*luma_HW.shape)[:-1, :-1], QUANTILE)


def _most(luma_HW: Floats, air: float) -> float:
    """Return the density at which black things would look as dark as what is dark far away; infinity if none is."""
    dark_Z = _quantiles(luma_HW, depth(*luma_HW.shape), DARK)[FAR:]
    seen_Z = np.clip(1 - dark_Z / max(air, 1.0), 1e-3, 1)
    bound_Z = -np.log(seen_Z) / _MIDDLES[FAR:]
    return float(np.min(bound_Z, initial=np.inf, where=np.isfinite(bound_Z)))


def _quantiles(values_HW: Floats, depth_HW: Floats, quantile: float) -> Floats:
    """Return a quantile of the values at each distance; NaN where hardly any are."""
    place_HW = np.digitize(depth_HW, EDGES)
    found = [values_HW[place_HW == place] for place in range(1, len(EDGES))]
    return np.array([np.quantile(one, quantile) if len(one) > LEAST else np.nan for one in found], np.float32)


def _density(contrast_Z: Floats, exemplar_Z: Floats) -> float:
    """Fit `exp(-density * depth)` to the exemplar's share of the contrast, with near and far of like weight."""
    lost_Z = -np.log((exemplar_Z + ZERO) / (contrast_Z + ZERO))
    known_Z = np.isfinite(lost_Z)
    depth_Z, lost_Z = _MIDDLES[known_Z], lost_Z[known_Z]
    if not len(depth_Z):
        return 0.0
    return max(0.0, float((np.sqrt(depth_Z) * lost_Z).sum() / (depth_Z**1.5).sum()))
