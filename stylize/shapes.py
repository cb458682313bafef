"""Random shapes from fine to coarse, such as clouds, shadows and patches have: noise whose spectrum alone is chosen.

After Galerne, Gousseau and Morel (2011), "Random Phase Textures". Coarseness is that of the small pictures in which
streets are measured (see `stylize.corridor`), so that shapes look the same at any size.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylize.corridor import ROWS, Floats

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Bands of coarseness begin at a blur by so many pixels of the small picture and end at the next; the last is open."""

FLAT = 1.6  # clouds, and what lies on a road, are so much wider than high


def shapes(deviation_S: Floats, height: int, width: int, seed: int | list[int]) -> Floats:
    """Return random shapes [H, W] of mean 0 with these deviations in the bands of `SIGMAS`, which vary independently.

    Equal seeds give equal shapes.
    """
    columns = max(2, round(width * ROWS / height))
    spectrum = np.sqrt(np.tensordot(np.square(deviation_S), _power(columns), 1))
    white = np.fft.rfft2(np.random.default_rng(seed).standard_normal((ROWS, columns)))
    small_HW = np.fft.irfft2(white * spectrum, (ROWS, columns)).astype(np.float32)
    return np.asarray(Image.fromarray(small_HW).resize((width, height), Image.Resampling.BICUBIC))


@lru_cache(maxsize=4)
def _power(columns: int) -> npt.NDArray[np.float64]:
    """Return the power of each band by frequency, 1 on average, [S, ROWS, columns // 2 + 1] as of `numpy.fft.rfft2`."""
    squared = np.fft.fftfreq(ROWS)[:, None] ** 2 + (FLAT * np.fft.fftfreq(columns)) ** 2
    passed = [np.exp(-2 * (np.pi * sigma) ** 2 * squared) for sigma in SIGMAS]
    passed.append((squared == 0).astype(float))
    power = np.stack([(finer - coarser) ** 2 for finer, coarser in pairwise(passed)])
    power /= np.maximum(power.mean((1, 2), keepdims=True), 1e-12)
    return np.asarray(power[..., : columns // 2 + 1])
