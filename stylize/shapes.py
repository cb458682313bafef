"""Random shapes from fine to coarse, such as clouds, shadows and patches have: noise whose spectrum alone is chosen.

After Galerne, Gousseau and Morel (2011), "Random Phase Textures". Coarseness is that of the small pictures in which
streets are measured (see `stylize.corridor`), so that shapes look the same at any size.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

from stylize.corridor import ROWS, Floats

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Bands of coarseness begin at a blur by so many pixels of the small picture and end at the next; the last is open."""

FLAT = 1.6  # clouds, and what lies on a road, are so much wider than high


def shapes(deviation_S: Floats, height: int, width: int, seed: int | list[int]) -> Floats:
    """Return random shapes [H, W] of mean 0, of this deviation in each band of `SIGMAS`; equal seeds, equal ones."""
    columns = max(2, round(width * ROWS / height))
    squared = np.fft.fftfreq(ROWS)[:, None] ** 2 + (FLAT * np.fft.fftfreq(columns)) ** 2
    passed = [np.exp(-2 * (np.pi * sigma) ** 2 * squared) for sigma in SIGMAS]
    passed.append((squared == 0).astype(float))
    spectrum = np.zeros_like(squared)
    for deviation, (finer, coarser) in zip(deviation_S, pairwise(passed), strict=True):
        band = finer - coarser
        spectrum += deviation * band / max(float(np.sqrt((band**2).mean())), 1e-9)
    white = np.fft.fft2(np.random.default_rng(seed).standard_normal((ROWS, columns)))
    small_HW = np.fft.ifft2(white * spectrum).real.astype(np.float32)
    return np.asarray(Image.fromarray(small_HW).resize((width, height), Image.Resampling.BICUBIC))
