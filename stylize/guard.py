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

RADIUS = round(3.5 * SIGMA)
_HALF = np.exp(-0.5 * (np.arange(RADIUS + 1) / SIGMA) ** 2)
WEIGHTS = tuple(float(weight) for weight in _HALF / (2 * _HALF.sum() - 1))  # of the pixels 0, 1, ... to either side

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
        self._products_FF = np.einsum("nf,ng->fg", self._features_NF, self._features_NF)
        self._ridge_FF = RIDGE * len(self._features_NF) * np.eye(self._features_NF.shape[1])
        self._blank = float(self._strength_HW.max()) < FAINT

    def score(self, picture_HWC: Pixels) -> float:
        """Return the content score of a copy, uint8 [H, W, 3] of any size, in 0..1 with four digits.

        A source without any edge has nothing to lose: all its copies score 1.
        """
        edges, explained = self.agreements(picture_HWC)
        return round(max(0.0, edges) * explained, DIGITS)

    def agreements(self, picture_HWC: Pixels) -> tuple[float, float]:
        """Return what the score is the product of: the agreement of the edges, in -1..1, and the share explained."""
        if self._blank:
            return 1.0, 1.0
        small_HW3 = _small(picture_HWC)
        return self._edges(_luma(small_HW3)), self._explained(_halved(small_HW3))

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
        sums_F3 = np.einsum("nf,nc->fc", self._features_NF, centred_N3)
        gains_F3 = np.linalg.solve(self._products_FF + self._ridge_FF, sums_F3)
        gained = 2 * (gains_F3 * sums_F3).sum() - (gains_F3 * (self._products_FF @ gains_F3)).sum()
        variance = np.square(centred_N3).mean()
        return float(max(0.0, gained / centred_N3.size) / (variance + FAINT**2))


def content_score(source_HWC: Pixels, picture_HWC: Pixels) -> float:
    """Return the content score of a copy of a source, both uint8 [H, W, 3] of any size; 1 is best (see `Reference`)."""
    return Reference(source_HWC).score(picture_HWC)


def _small(rgb_HWC: Pixels) -> Array:
    picture = Image.fromarray(rgb_HWC).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(picture).astype(np.float64)


# Matrix products are avoided below: NumPy would spread them over all cores, and in a worker, whose threads keep the
# cores busy already, that takes thirty times as long.


def _luma(rgb_HW3: Array) -> Array:
    red, green, blue = np.moveaxis(rgb_HW3, -1, 0)
    result: Array = 0.299 * red + 0.587 * green + 0.114 * blue
    return result


def _halved(rgb_HW3: Array) -> Array:
    rows_HW3 = rgb_HW3[0::2] + rgb_HW3[1::2]
    return (rows_HW3[:, 0::2] + rows_HW3[:, 1::2]) / 4


def _visibility(strength_HW: Array) -> Array:
    result: Array = strength_HW / np.sqrt(np.square(strength_HW) + FAINT**2)
    return result


def _gradients(luma_HW: Array) -> tuple[Array, Array]:
    """Return the derivatives of Gaussians to the right and down, in grey levels per sigma."""
    return _slope(_blur(luma_HW).T).T, _slope(_blur(luma_HW.T).T)


def _blur(lines_LN: Array) -> Array:
    """Blur along the first axis; borders repeat the last pixel."""
    padded_LN = np.pad(lines_LN, ((RADIUS, RADIUS), (0, 0)), mode="edge")
    result_LN = WEIGHTS[0] * lines_LN
    for offset in range(1, RADIUS + 1):
        result_LN += WEIGHTS[offset] * (_from(padded_LN, offset) + _from(padded_LN, -offset))
    return result_LN


def _slope(lines_LN: Array) -> Array:
    """Take the slope of a blurred picture along the first axis, times sigma."""
    padded_LN = np.pad(lines_LN, ((RADIUS, RADIUS), (0, 0)), mode="edge")
    result_LN = np.zeros_like(lines_LN)
    for offset in range(1, RADIUS + 1):
        result_LN += WEIGHTS[offset] * offset / SIGMA * (_from(padded_LN, offset) - _from(padded_LN, -offset))
    return result_LN


def _from(padded_LN: Array, offset: int) -> Array:
    return padded_LN[RADIUS + offset : len(padded_LN) - RADIUS + offset]


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
