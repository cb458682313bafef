"""Deterministic randomness for pictures: an integer hash, and filtered fractal noise read from one tile."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]  # single precision unless it says otherwise
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]

TILE = 256
LEVELS = 9


def clamp(value: FloatArray, low: float | FloatArray, high: float | FloatArray) -> FloatArray:
    """Limit values to a range."""
    result: FloatArray = np.minimum(np.maximum(value, low), high)
    return result


def either(mask: BoolArray, yes: float | FloatArray, no: float | FloatArray) -> FloatArray:
    """Choose by a mask and stay in single precision."""
    return np.where(mask, yes, no).astype(np.float32, copy=False)


def smoothstep(low: float, high: float, value: FloatArray) -> FloatArray:
    """Rise from 0 at `low` to 1 at `high` without a kink."""
    t = clamp((value - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def hash01(*keys: npt.ArrayLike) -> FloatArray:
    """Hash integers to floats in [0, 1); the arguments broadcast and the result is at least one-dimensional."""
    state = np.full(1, 0x9E3779B9, np.uint32)
    for key in keys:
        word: npt.NDArray[Any] = np.atleast_1d(np.asarray(key)).astype(np.int64).astype(np.uint32)
        state = (state ^ word) * np.uint32(0x85EBCA6B)
        state = (state ^ (state >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        state = state ^ (state >> np.uint32(16))
    return (state >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


@functools.lru_cache(maxsize=64)
def _pyramid(slope: float) -> tuple[FloatArray, IntArray]:
    """Make a wrapping tile with a 1/f^slope spectrum and its averaged levels, all in one flat array."""
    rng = np.random.default_rng(20240607)
    spectrum = np.fft.fft2(rng.standard_normal((TILE, TILE)))
    freq = np.hypot(*np.meshgrid(np.fft.fftfreq(TILE) * TILE, np.fft.fftfreq(TILE) * TILE))
    freq[0, 0] = 1.0
    spectrum *= freq**-slope
    spectrum[0, 0] = 0.0
    level = np.real(np.fft.ifft2(spectrum))
    level /= level.std()
    flat, offsets = [], []
    total = 0
    for _ in range(LEVELS):
        offsets.append(total)
        flat.append(level.astype(np.float32).ravel())
        total += level.size
        half = max(level.shape[0] // 2, 1)
        level = level.reshape(half, -1, half, max(level.shape[0] // half, 1)).mean(axis=(1, 3))
    return np.concatenate(flat), np.asarray(offsets, np.int32)


def fractal(u: FloatArray, v: FloatArray, texel: float, footprint: FloatArray, slope: float = 1.0) -> FloatArray:
    """Read noise of unit variance at positions in metres, already averaged over what one sample covers.

    `texel` is the size in metres of the finest grain (the pattern repeats after 256 of them), `footprint` the metres
    covered by one sample: distant texture fades instead of flickering.
    """
    tile, offsets = _pyramid(slope)
    ratio = np.maximum(footprint * (1 / texel), 1)
    level = np.minimum(np.log2(ratio).astype(np.int32), LEVELS - 1)
    scale = np.exp2(-level.astype(np.float32)) * np.float32(1 / texel)
    side = np.int32(TILE) >> level
    base = offsets[level]
    x, y = u * scale - 0.5, v * scale - 0.5
    fx, fy = np.floor(x), np.floor(y)
    x0, y0 = fx.astype(np.int32), fy.astype(np.int32)
    fx, fy = x - fx, y - fy
    mask = side - 1
    x1 = (x0 + 1) & mask
    x0 &= mask
    row0 = base + (y0 & mask) * side
    row1 = base + ((y0 + 1) & mask) * side
    top = tile[row0 + x0] * (1 - fx) + tile[row0 + x1] * fx
    low = tile[row1 + x0] * (1 - fx) + tile[row1 + x1] * fx
    result: FloatArray = top + (low - top) * fy
    return result
