"""Carry over what covers an exemplar's sky and ground: clouds, lying snow, a wet road, the light of lamps on it.

A change of colour makes a blank sky darker, and never cloudy; and it makes a road as white as everything grey, where
snow whitens the ground alone. So the sky and the ground of both pictures are found (see `stylize.regions`) and
compared by their colours; and the skies by how uneven they are, coarse and fine, which random shapes make up for (see
`stylize.shapes`). These have some half of the exemplar's contrast: what is measured of a small sky is partly the walls
around it, and with all of it copies at dusk were less like dusk. The ground gets no shapes: what makes that of
exemplars uneven is mostly what stands on it. No shape of the exemplar comes along, and nothing of the content moves. A
sky that is as cloudy as its exemplar's gets no more clouds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stylize.corridor import LUMA, Floats, small
from stylize.images import Pixels
from stylize.regions import GROUND, SKY, Regions, local_mean, regions_of, sure
from stylize.shapes import SIGMAS, shapes

COVERED = (SKY, GROUND)
SHAPED = (SKY,)
SEEN = 0.6  # weight from which a pixel counts as seen
LEAST = 50  # so few pixels of a part tell nothing of it
ENOUGH = 0.05  # share of the picture from which a part is trusted altogether
_EVEN = np.zeros(len(SIGMAS), np.float32)
_TILE = 64  # rows that are worked on at a time
MEDIAN = 0.6745  # median of the absolute values of normal numbers of deviation 1


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is measured of a sky or a ground: its share of the picture, median colour, and deviations by coarseness."""

    share: float
    colour_C: Floats
    uneven_S: Floats


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What covers the sky and the ground of an exemplar, in this order."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Where the sky and the ground of a content are, in the small picture and at its own size: weights in 0..255."""

    regions: Regions
    weights_PHW: Pixels


def cover_of(picture_HWC: Pixels) -> Cover:
    """Measure a picture [H, W, 3] as an exemplar of what covers sky and ground."""
    regions = regions_of(picture_HWC)
    return _cover(regions.small_HWC, regions)


def scene_of(picture_HWC: Pixels) -> Scene:
    """Find the sky and the ground of a content picture [H, W, 3]."""
    regions = regions_of(picture_HWC)
    return Scene(regions=regions, weights_PHW=regions.weights(picture_HWC, COVERED))


def add_cover(picture_HWC: Pixels, scene: Scene, exemplar: Cover, amount: float, seed: int) -> Pixels:
    """Return the picture with sky and ground covered as the exemplar's are (`amount` 1), or less, down to not (0).

    `scene` is that of the content which the picture was made of, of the same size. Equal seeds give equal shapes.
    """
    if amount == 0:
        return picture_HWC
    own = _cover(small(picture_HWC), scene.regions)
    changes = [
        _change(mine, its, scene.weights_PHW[index], [seed, index])
        for index, (mine, its) in enumerate(zip(own.parts, exemplar.parts, strict=True))
    ]
    covered_HWC = np.empty_like(picture_HWC)
    for start in range(0, len(picture_HWC), _TILE):
        rows = slice(start, start + _TILE)
        tile_CHW = picture_HWC[rows].transpose(2, 0, 1).astype(np.float32)
        for weights_HW, change in zip(scene.weights_PHW, changes, strict=True):
            change.add_to(tile_CHW, rows, weights_HW[rows] * np.float32(amount / 255))
        covered_HWC[rows] = np.clip(np.rint(tile_CHW, out=tile_CHW), 0, 255, out=tile_CHW).transpose(1, 2, 0)
    return covered_HWC


@dataclass(frozen=True, kw_only=True)
class _Change:
    """What is added to a part: a colour and, where it has any, shapes of a tint."""

    shift_C: Floats
    tint_C: Floats
    shapes_HW: Floats | None

    def add_to(self, tile_CHW: Floats, rows: slice, weight_HW: Floats) -> None:
        """Add it to some rows of a picture, by the weight of each pixel."""
        shaped_HW = None if self.shapes_HW is None else weight_HW * self.shapes_HW[rows]
        for channel_HW, shift, tint in zip(tile_CHW, self.shift_C, self.tint_C, strict=True):
            channel_HW += weight_HW * shift
            if shaped_HW is not None:
                channel_HW += shaped_HW * tint


def _change(mine: Part, its: Part, weights_HW: Pixels, seed: list[int]) -> _Change:
    """Return what a part lacks to look like the exemplar's, as far as both are seen."""
    trust = np.float32(min(1.0, min(mine.share, its.share) / ENOUGH))
    height, width = weights_HW.shape
    lacking_S = np.sqrt(np.maximum(its.uneven_S**2 - mine.uneven_S**2, 0))
    return _Change(
        shift_C=trust * (its.colour_C - mine.colour_C),
        tint_C=trust * its.colour_C / max(float(its.colour_C @ LUMA), 1.0),
        shapes_HW=shapes(lacking_S, height, width, seed) if lacking_S.any() else None,
    )


def _cover(small_HWC: Floats, regions: Regions) -> Cover:
    """Measure a small picture whose parts are known."""
    return Cover(parts=tuple(_part(small_HWC, sure(regions.shares_KHW[part]), part in SHAPED) for part in COVERED))


def _part(small_HWC: Floats, weight_HW: Floats, shaped: bool) -> Part:
    """Measure a part; medians leave out what else is in it: cars on a road, branches before a sky."""
    seen_HW = weight_HW > SEEN
    if seen_HW.sum() < LEAST:
        return Part(share=0.0, colour_C=np.zeros(3, np.float32), uneven_S=_EVEN)
    return Part(
        share=float(weight_HW.mean()),
        colour_C=np.median(small_HWC[seen_HW], axis=0).astype(np.float32),
        uneven_S=_unevenness(small_HWC @ LUMA, weight_HW, seen_HW) if shaped else _EVEN,
    )


def _unevenness(luma_HW: Floats, weight_HW: Floats, seen_HW: npt.NDArray[np.bool_]) -> Floats:
    """Return the deviation of what is seen of a part in each band of `shapes.SIGMAS`."""
    smooth = [local_mean(luma_HW, weight_HW, sigma)[seen_HW] for sigma in SIGMAS]
    smooth.append(np.full_like(smooth[0], np.average(luma_HW, weights=weight_HW)))
    uneven = [np.median(np.abs(finer - coarser)) / MEDIAN for finer, coarser in pairwise(smooth)]
    return np.asarray(uneven, np.float32)
