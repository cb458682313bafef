"""A content score: how much of a picture's scene a recoloured copy still shows, whatever its light and colours.

The score is a product of two agreements, both computed on small greys or colours of one size:

- *edges*: at each edge of the source, how well the copy's gradient points the same way, times how visible it is there
  (a gradient of the source that fell below two grey levels counts less and less). Edges of the source count by how
  strong they are, up to a point: a lamp post against the sky is not all there is to a street.
- *explained*: the share of the copy's colours that a smooth function of the source's colours and of the place explains
  (R squared). Light, haze and tints are such functions; blotches and ghosts of other scenes are not.

A picture that got darker, flatter, bluer or hazier towards the horizon keeps its score; one that lost its edges in
black, white or fog, whose contrasts turned around, or that shows spots or edges of its own, does not. It is no judge of
pictures that were taken or rendered anew: where shadows are gone and snow lies on the road, edges are lost rightly. Why
these two, and where the threshold lies, is measured by `benchmarks/guard.py`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.images import Pixels

LEAST_SCORE = 0.5  # see benchmarks/results/guard.md
HEIGHT, WIDTH = 96, 128  # the aspect ratio is not kept, as in a model's frame
SIGMA = 2.0  # of the gradients, in pixels of that size
FAINT = 2.0  # grey levels: an edge as weak as this is half lost
RIDGE = 1e-3  # of the fit, as a share of the pixels
DIGITS = 4  # kept of a score, so that no threshold is decided by the last bits of a sum

Array = NDArray[np.float64]


class Reference:
    """A source picture, prepared once for the scores of all its copies; some milliseconds and 500 kB.

    Safe to use from several threads.
    """

    def __init__(self, source_HWC: Pixels) -> None:
        small_HW3 = _small(source_HWC)
        self._x_HW, self._y_HW = _gradients(_luma(small_HW3))
        self._strength_HW = np.hypot(self._x_HW, self._y_HW)
        self._weight_HW = self._strength_HW / (self._strength_HW + self._strength_HW.mean() + FAINT)
        self._features_NF = _features(_halved(small_HW3))
        ridge = RIDGE * len(self._features_NF) * np.eye(self._features_NF.shape[1])
        self._normal_FF = self._features_NF.T @ self._features_NF + ridge
        self._blank = float(self._strength_HW.max()) < FAINT

    def score(self, picture_HWC: Pixels) -> float:
        """Return the content score of a copy, uint8 [H, W, 3] of any size, in 0..1 with four digits.

        A source without any edge has nothing to lose: all its copies score 1.
        """
        if self._blank:
            return 1.0
        small_HW3 = _small(picture_HWC)
        both = max(0.0, self._edges(_luma(small_HW3))) * self._explained(_halved(small_HW3))
        return round(float(both), DIGITS)

    def _edges(self, luma_HW: Array) -> float:
        """Return the agreement of the edges in -1..1; 0 is chance, -1 a negative."""
        x_HW, y_HW = _gradients(luma_HW)
        strength_HW = np.hypot(x_HW, y_HW)
        cosine_HW = (self._x_HW * x_HW + self._y_HW * y_HW) / (self._strength_HW * strength_HW + 1e-6)
        left_HW = np.minimum(_visibility(strength_HW) / (_visibility(self._strength_HW) + 1e-6), 1)
        return float((self._weight_HW * cosine_HW * left_HW).sum() / self._weight_HW.sum())

    def _explained(self, small_HW3: Array) -> float:
        """Return the share of a picture's variance, beyond what is faint, that the source and the place explain."""
        colours_N3 = small_HW3.reshape(-1, 3)
        centred_N3 = colours_N3 - colours_N3.mean(0)
        gains_F3 = np.linalg.solve(self._normal_FF, self._features_NF.T @ centred_N3)
        residual = np.square(centred_N3 - self._features_NF @ gains_F3).mean()
        variance = np.square(centred_N3).mean()
        return float(max(0.0, variance - residual) / (variance + FAINT**2))


def content_score(source_HWC: Pixels, picture_HWC: Pixels) -> float:
    """Return the content score of a copy of a source, both uint8 [H, W, 3] of any size; 1 is best (see `Reference`)."""
    return Reference(source_HWC).score(picture_HWC)


def _small(rgb_HWC: Pixels) -> Array:
    picture = Image.fromarray(rgb_HWC).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    return np.asarray(picture).astype(np.float64)


def _luma(rgb_HW3: Array) -> Array:
    result: Array = rgb_HW3 @ np.array([0.299, 0.587, 0.114])
    return result


def _halved(rgb_HW3: Array) -> Array:
    result: Array = rgb_HW3.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3))
    return result


def _visibility(strength_HW: Array) -> Array:
    result: Array = strength_HW / np.sqrt(np.square(strength_HW) + FAINT**2)
    return result


def _gradients(luma_HW: Array) -> tuple[Array, Array]:
    """Return the derivatives of Gaussians to the right and down, in grey levels per sigma."""
    blur_H, slope_H = _kernels(HEIGHT)
    blur_W, slope_W = _kernels(WIDTH)
    return blur_H @ luma_HW @ slope_W.T, slope_H @ luma_HW @ blur_W.T


@cache
def _kernels(length: int) -> tuple[Array, Array]:
    """Return the matrices [length, length] that blur a line and that take its slope; borders repeat the last pixel."""
    radius = round(4 * SIGMA)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / SIGMA) ** 2)
    weights /= weights.sum()
    blur, slope = np.zeros((length, length)), np.zeros((length, length))
    for offset, weight in zip(offsets, weights, strict=True):
        places = np.clip(np.arange(length) + offset, 0, length - 1)
        blur[np.arange(length), places] += weight
        slope[np.arange(length), places] += weight * offset / SIGMA
    return blur, slope


def _features(rgb_HW3: Array) -> Array:
    """Return what a change of light may depend on [N, F]: colour, powers of luma, the place, and luma by the place."""
    height, width, _ = rgb_HW3.shape
    colours_N3 = rgb_HW3.reshape(-1, 3) / 127.5 - 1
    luma = _luma(colours_N3)
    y, x = (axis.ravel() for axis in np.meshgrid(_line(height), _line(width), indexing="ij"))
    powers: list[Any] = [np.ones_like(luma), luma**2, luma**3, y, y * y, y * luma, x, x * x, x * luma]
    return np.column_stack([colours_N3, *powers])


def _line(length: int) -> Array:
    return np.linspace(-1, 1, length)
