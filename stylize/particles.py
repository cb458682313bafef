"""Carry over what falls between the exemplar and its camera: streaks of rain, flakes of snow.

They are small, brighter than what is behind them, much alike, and as many before one part of the view as before any
other; nothing else in a street is all of that. So small bright things (what a morphological opening takes away; Serra
1982) are counted in tiles of the picture. Where even the tiles with few of them have some, it rains or snows. The
number comes along, and the shapes of those that look like most of them, as stamps of opacity, laid out anew at random
before the other scene. As before any scene, what is as bright as they are hides them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from stylize.corridor import LUMA, Floats
from stylize.images import Pixels

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]

ROWS = 240  # of the pictures in which particles are looked for; smaller ones are not enlarged
TILE = 32  # side of the tiles in which they are counted
TILES = 8  # fewer that are dark enough tell nothing
NARROW = 9  # what is less wide than this is a small thing
FAINTEST = 12.0  # grey levels above what is around it that a small thing has at least
ABOVE_NOISE = 5.0  # and so many deviations of what else is around it
REST = 0.5  # of that is enough for what touches it
CONTRAST = 60.0  # tiles count that are so many grey levels darker than the brightest 2 % of the picture
FEW = 0.25  # quantile of the numbers in the tiles: scenes have small bright things too, but not everywhere
LEAST = 2.5  # in a tile with few of them, below which they are the scene's own
STAMP = 33  # side of a stamp; larger things are no particles
MOST = 256  # stamps that are kept
THICKER = 1.5  # times the median or more, and things are taken for something else than particles
UNLIKE = 0.35  # share of the others, those least like the mean of all, that are so too


@dataclass(frozen=True, kw_only=True)
class Particles:
    """What falls in a picture `rows` high: how many in each tile, opacities [N, STAMP, STAMP] in 0..1, their colour."""

    rows: int
    density: float
    stamps_NSS: Floats
    colour_C: Floats


def particles_of(picture_HWC: Pixels) -> Particles:
    """Measure what falls in a picture [H, W, 3]; density 0 where nothing does."""
    found = _find(picture_HWC)
    density, colour_C, stamps_NSS = found.density, np.zeros(3, np.float32), _NO_STAMPS
    if density:
        colour_C = _colour(found)
        stamps_NSS = _stamps(found, float(colour_C @ LUMA))
    return Particles(
        rows=len(found.small_HWC),
        density=density if len(stamps_NSS) else 0.0,
        stamps_NSS=stamps_NSS,
        colour_C=colour_C,
    )


def add_particles(picture_HWC: Pixels, exemplar: Particles, amount: float, seed: int) -> Pixels:
    """Return the picture with as many particles as the exemplar has, as opaque (`amount` 1) or less, down to not (0).

    Those that the picture has itself count. Equal seeds lay them out equally.
    """
    lacking = exemplar.density - _find(picture_HWC).density if exemplar.density and amount else 0.0
    if lacking <= 0:
        return picture_HWC
    height, width, _ = picture_HWC.shape
    opacity_HW = _laid_out(exemplar, lacking, max(1, round(width * exemplar.rows / height)), [seed, _STREAM])
    if height != exemplar.rows:
        opacity_HW = np.asarray(Image.fromarray(opacity_HW).resize((width, height), Image.Resampling.BILINEAR))
    brighter_HWC = np.maximum(exemplar.colour_C - picture_HWC, 0)
    return np.asarray(np.rint(picture_HWC + amount * opacity_HW[..., None] * brighter_HWC), np.uint8)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Small bright things: numbered from 1 in the picture, boxes around them, and the tiles that are dark enough."""

    small_HWC: Pixels
    behind_HW: Floats
    above_HW: Floats
    numbers_HW: npt.NDArray[np.int32]
    boxes_N2: list[tuple[slice, slice]]
    in_tile_N: Numbers
    count_T: Numbers
    dark_T: Mask

    @property
    def density(self) -> float:
        """The mean number of particles in a tile, 0 where there are none but the scene's own."""
        if self.dark_T.sum() < TILES:
            return 0.0
        few = float(np.quantile(self.count_T[self.dark_T], FEW))
        # Of Poisson numbers with mean m, whose roots are nearly normal, a quarter is below (√m - 0.34)² - 0.28.
        return (math.sqrt(few + 0.28) + 0.34) ** 2 if few >= LEAST else 0.0


def _find(picture_HWC: Pixels) -> _Found:
    """Find the small bright things of a picture."""
    small_HWC = _small(picture_HWC)
    luma_HW = (small_HWC @ LUMA).astype(np.float32)
    behind_HW = ndimage.grey_opening(luma_HW, (NARROW, NARROW))
    above_HW = luma_HW - behind_HW
    usual_TT, spread_TT = _usual(above_HW)
    above_HW -= _spread_out(usual_TT, above_HW.shape)  # noise lies above its own opening
    least_HW = _spread_out(np.maximum(FAINTEST, ABOVE_NOISE * spread_TT), above_HW.shape)
    numbers_HW = _connected(above_HW > REST * least_HW, above_HW > least_HW)
    boxes_N2 = ndimage.find_objects(numbers_HW)
    tiles = usual_TT.shape
    in_tile_N = np.array([_tile_of(box, tiles) for box in boxes_N2], np.intp)
    dark_TT = _usual(behind_HW)[0] < np.percentile(luma_HW, 98) - CONTRAST
    return _Found(
        small_HWC=small_HWC,
        behind_HW=behind_HW,
        above_HW=above_HW,
        numbers_HW=numbers_HW,
        boxes_N2=boxes_N2,
        in_tile_N=in_tile_N,
        count_T=np.bincount(in_tile_N, minlength=dark_TT.size),
        dark_T=dark_TT.ravel(),
    )


def _connected(part_HW: Mask, sure_HW: Mask) -> npt.NDArray[np.int32]:
    """Give numbers from 1 on to what is sure somewhere (hysteresis; Canny 1986), lest faint streaks fall apart."""
    numbers_HW, count = ndimage.label(part_HW, np.ones((3, 3)))
    kept_N = np.zeros(count + 1, np.bool_)
    kept_N[np.unique(numbers_HW[sure_HW])] = True
    kept_N[0] = False
    number_N = np.where(kept_N, np.cumsum(kept_N), 0)
    return np.asarray(number_N[numbers_HW], np.int32)


def _small(picture_HWC: Pixels) -> Pixels:
    height, width, _ = picture_HWC.shape
    if height <= ROWS:
        return picture_HWC
    size = (max(1, round(width * ROWS / height)), ROWS)
    return np.asarray(Image.fromarray(picture_HWC).resize(size, Image.Resampling.BOX))


def _usual(values_HW: Floats) -> tuple[Floats, Floats]:
    """Return the median of each tile and the deviation from it that most have, [tiles down, tiles across]."""
    down, across = (max(1, length // TILE) for length in values_HW.shape)
    whole_HW = np.pad(values_HW, [(0, max(0, TILE - length)) for length in values_HW.shape], mode="edge")
    tiles_TTPP = whole_HW[: down * TILE, : across * TILE].reshape(down, TILE, across, TILE).swapaxes(1, 2)
    usual_TT = np.median(tiles_TTPP, axis=(2, 3))
    spread_TT = np.median(np.abs(tiles_TTPP - usual_TT[..., None, None]), axis=(2, 3)) / _MEDIAN
    return usual_TT.astype(np.float32), spread_TT.astype(np.float32)


def _spread_out(tiles_TT: Floats, shape: tuple[int, ...]) -> Floats:
    """Return what holds in each tile at each of its pixels; a rest at the border goes with the tile beside it."""
    row_H, column_W = (
        np.minimum(np.arange(length) // TILE, count - 1) for length, count in zip(shape, tiles_TT.shape, strict=True)
    )
    return np.asarray(tiles_TT[row_H[:, None], column_W])


def _tile_of(box: tuple[slice, slice], tiles: tuple[int, ...]) -> int:
    row, column = (
        min((side.start + side.stop) // 2 // TILE, count - 1) for side, count in zip(box, tiles, strict=True)
    )
    return int(row * tiles[1] + column)


def _stamps(found: _Found, brightest: float) -> Floats:
    """Return the opacities of the particles: of most of the small things, those that are thin and alike enough.

    Of windows, signs and lines there are fewer, and they differ. `brightest` is the luma of what lets nothing through.
    """
    usual = np.median(found.count_T[found.dark_T])
    few_T = found.dark_T & (found.count_T <= usual)
    reach = STAMP // 2
    around_HW, behind_HW = (np.pad(values, reach, mode="edge") for values in (found.above_HW, found.behind_HW))
    numbers_HW = np.pad(found.numbers_HW, reach)
    stamps, thickness = [], []
    for number, (box, tile) in enumerate(zip(found.boxes_N2, found.in_tile_N, strict=True), 1):
        if not few_T[tile] or max(side.stop - side.start for side in box) > STAMP - 2:
            continue
        y, x = ((side.start + side.stop) // 2 for side in box)
        window = slice(y, y + STAMP), slice(x, x + STAMP)
        own_SS = ndimage.binary_dilation(numbers_HW[window] == number)
        room_SS = np.maximum(brightest - behind_HW[window], FAINTEST)
        thickness.append((numbers_HW[window] == number).sum() / math.hypot(*(side.stop - side.start for side in box)))
        stamps.append(np.clip(around_HW[window] / room_SS, 0, 1) * own_SS)
    if not stamps:
        return _NO_STAMPS
    stamps_NSS = np.asarray(stamps, np.float32)
    thickness_N = np.asarray(thickness)
    stamps_NSS = stamps_NSS[thickness_N < THICKER * np.median(thickness_N)]
    flat_NP = stamps_NSS.reshape(len(stamps_NSS), -1)
    alike_N = flat_NP @ flat_NP.mean(0) / np.maximum(np.linalg.norm(flat_NP, axis=1), 1e-6)
    alike_N = alike_N.round(4)  # last bits differ between processors
    return np.asarray(stamps_NSS[alike_N >= np.quantile(alike_N, UNLIKE)][:MOST])


def _colour(found: _Found) -> Floats:
    """Return the colour of the brightest tenth of what shows of small things in dark tiles."""
    dark_HW = _spread_out(found.dark_T.reshape(_tiles(found.small_HWC)).astype(np.float32), found.behind_HW.shape) > 0
    seen_NC = found.small_HWC[(found.numbers_HW > 0) & dark_HW]
    luma_N = seen_NC @ LUMA
    return np.asarray(np.median(seen_NC[luma_N >= np.quantile(luma_N, 0.9)], axis=0), np.float32)


def _tiles(picture_HWC: Pixels) -> tuple[int, int]:
    height, width, _ = picture_HWC.shape
    return max(1, height // TILE), max(1, width // TILE)


def _laid_out(particles: Particles, density: float, columns: int, seed: list[int]) -> Floats:
    """Return the opacity of particles at random places, [rows, columns]."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(density * particles.rows * columns / TILE**2)
    opacity_HW = np.zeros((particles.rows + STAMP - 1, columns + STAMP - 1), np.float32)
    places = rng.integers(0, (particles.rows, columns, len(particles.stamps_NSS)), (count, 3))
    for y, x, number in places:
        under_SS = opacity_HW[y : y + STAMP, x : x + STAMP]
        np.maximum(under_SS, particles.stamps_NSS[number], out=under_SS)
    reach = STAMP // 2
    return opacity_HW[reach : reach + particles.rows, reach : reach + columns]


_MEDIAN = 0.6745  # median of the absolute values of normal numbers of deviation 1
_NO_STAMPS = np.zeros((0, STAMP, STAMP), np.float32)
_STREAM = 29  # random numbers apart from those that others draw with the same seed
