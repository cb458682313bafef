"""Carry over an exemplar's blur: the softness of a lens in the dark, of motion, of a wet window.

How much of the finest detail a picture has for its coarser detail says how blurred it is, whatever it shows: the
amplitudes of sharp scenes fall like the inverse of the frequency (Field 1987, "Relations between the statistics of
natural images"), and a Gaussian blur takes a known share of each. Pictures are only made softer: one that is more
blurred than its exemplar stays. Grain counts as fine detail, so that grainy exemplars pass for sharper than they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from stylize.images import Pixels

Floats = npt.NDArray[np.float64]

FINE, COARSE = (0.0, 1.0), (2.0, 4.0)  # bands: what the first blur leaves over and the second takes, sigmas in pixels
WIDEST = 2.0  # sigma in pixels; stronger blurs are told apart badly
LEAST = 0.2  # sigma in pixels that no eye and no network sees
ZERO = 0.5  # grey levels that count as no coarse detail at all: a blank picture tells nothing


@dataclass(frozen=True, kw_only=True)
class Sharpness:
    """Fine over coarse detail of a picture as it is `height` pixels high; NaN when it has no detail."""

    ratio: float
    height: int


def sharpness_of(picture_HWC: Pixels, height: int) -> Sharpness:
    """Measure a picture [H, W, 3] as it would be at another height; smaller ones are not enlarged."""
    rows, columns, _ = picture_HWC.shape
    grey = Image.fromarray(picture_HWC).convert("L")
    if rows > height:
        grey = grey.resize((max(1, round(columns * height / rows)), height), Image.Resampling.BOX)
    fine, coarse = (_detail(grey, *band) for band in (FINE, COARSE))
    return Sharpness(ratio=fine / coarse if coarse > ZERO else float("nan"), height=min(rows, height))


def blur_between(picture_HWC: Pixels, exemplar: Sharpness) -> float:
    """Return the blur that makes a picture as soft as an exemplar: sigma in the picture's pixels; 0 where it is."""
    own = sharpness_of(picture_HWC, exemplar.height)
    kept = exemplar.ratio / own.ratio if own.ratio > 0 else float("nan")
    if not kept < 1:  # NaN neither
        return 0.0
    sigma = float(np.interp(kept, *_curve())) * picture_HWC.shape[0] / own.height
    return sigma if sigma >= LEAST else 0.0


def add_blur(picture_HWC: Pixels, exemplar: Sharpness, amount: float) -> Pixels:
    """Return the picture as soft as the exemplar (`amount` 1), or less, down to as it was (0)."""
    sigma = amount * blur_between(picture_HWC, exemplar) if amount else 0.0
    if sigma == 0:
        return picture_HWC
    return np.asarray(Image.fromarray(picture_HWC).filter(ImageFilter.GaussianBlur(sigma)))


def _detail(grey: Image.Image, below: float, above: float) -> float:
    """Return the root mean square of what lies between two blurs."""
    return float(np.sqrt(np.mean((_blurred(grey, below) - _blurred(grey, above)) ** 2)))


def _blurred(grey: Image.Image, sigma: float) -> npt.NDArray[np.float32]:
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(sigma)) if sigma else grey, np.float32)


@lru_cache(maxsize=1)
def _curve() -> tuple[Floats, Floats]:
    """Return shares of the ratio that are kept, rising, and the sigmas of the blurs that keep them."""
    sigmas = np.linspace(WIDEST, 0, 41)
    frequency = np.linspace(0, 0.5, 1001)[1:]  # cycles per pixel

    def passed(sigma: npt.ArrayLike) -> Floats:
        return np.asarray(np.exp(-2 * (np.pi * frequency * np.asarray(sigma)[..., None]) ** 2))

    def detail(band: tuple[float, float]) -> Floats:
        # Power falls like 1/f**2 in two dimensions, of which a ring holds as much more as it is longer: 1/f.
        power = (passed(band[0]) - passed(band[1])) ** 2 / frequency
        return np.asarray(np.sqrt((power * passed(sigmas) ** 2).sum(axis=1)))

    ratio = detail(FINE) / detail(COARSE)
    return ratio / ratio[-1], sigmas
