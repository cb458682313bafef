"""Carry over an exemplar's grain: the noise, streaks and flakes that no change of colour can bring.

Grain is what the flat places of a picture have in common, whatever they show: the noise of a sensor at night, rain
across the view, flakes in the air. It is measured as a power spectrum, and made anew as noise of that spectrum with
random phases (Galerne, Gousseau and Morel 2011, "Random Phase Textures"): the scene of the exemplar does not come
along, and nothing of the content moves. Only what the content lacks is added; grain that it has more of stays.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylize.images import Pixels

Spectrum = npt.NDArray[np.float32]
"""Power of the grain in squared grey levels by vertical and horizontal frequency, [32, 17], as of `numpy.fft.rfft2`."""

SIDE = 32  # of the patches that are looked at
PATCHES = 600  # at most
CALM = 0.35  # share of the patches, those with the least shape in them, that the grain is taken from
SHAPES = 3.0  # cycles per patch up to which power counts as shape
BLUR = 2.0  # sigma in pixels of the blur that grain is what is left from
TILE = 1024  # larger pictures repeat a piece of grain of this size
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def grain_of(picture_HWC: Pixels, height: int) -> Spectrum:
    """Measure the grain of a picture [H, W, 3] as it would be at another height; smaller ones are not enlarged.

    The median over the calm patches decides, so that a few edges among them do not count as grain.
    """
    rows, columns, _ = picture_HWC.shape
    if rows > height:
        size = (max(SIDE, round(columns * height / rows)), max(SIDE, height))
        picture_HWC = np.asarray(Image.fromarray(picture_HWC).resize(size, Image.Resampling.BOX))
    patches_NPP = _patches(picture_HWC @ _LUMA)
    power_NPF = np.abs(np.fft.rfft2(patches_NPP * _WINDOW)) ** 2 / SIDE**2
    calm_N = _calmest((power_NPF * _IS_SHAPE).sum((1, 2)))
    # Powers of noise are spread exponentially: their median is ln 2 of their mean.
    return np.asarray(np.median(power_NPF[calm_N], axis=0) / math.log(2) * _FINE, np.float32)


def add_grain(picture_HWC: Pixels, exemplar: Spectrum, amount: float, seed: int) -> Pixels:
    """Return the picture with as much grain as the exemplar has (`amount` 1), or less, down to none (0).

    Equal seeds give equal grain. It is the same in all three colours.
    """
    height, width, _ = picture_HWC.shape
    lacking = np.maximum(exemplar - grain_of(picture_HWC, height), 0)
    if amount == 0 or not lacking.any():
        return picture_HWC
    grain_HW = amount * _noise(lacking, height, width, np.random.default_rng(seed))
    return np.asarray(np.clip(np.rint(picture_HWC + grain_HW[..., None]), 0, 255), np.uint8)


def _patches(luma_HW: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return patches [N, 32, 32] of mean 0, evenly spread over the picture; the borders of small ones are repeated."""
    missing = [max(0, SIDE - length) for length in luma_HW.shape]
    luma_HW = np.pad(luma_HW, [(0, rest) for rest in missing], mode="symmetric")
    height, width = luma_HW.shape
    step = max(SIDE // 2, math.ceil(math.sqrt(height * width / PATCHES)))
    windows = np.lib.stride_tricks.sliding_window_view(luma_HW, (SIDE, SIDE))[::step, ::step]
    patches_NPP = windows.reshape(-1, SIDE, SIDE)
    return np.asarray(patches_NPP - patches_NPP.mean((1, 2), keepdims=True))


def _calmest(shape_N: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    return np.argsort(shape_N, kind="stable")[: max(1, round(CALM * len(shape_N)))]


def _noise(power: Spectrum, height: int, width: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return noise [H, W] with this spectrum, interpolated between its frequencies."""
    size = min(height, TILE), min(width, TILE)
    amplitude = np.sqrt(power)
    rows = np.fft.fftfreq(size[0]) * SIDE % SIDE
    columns = np.fft.rfftfreq(size[1]) * SIDE
    between = _lerp(_lerp(np.concatenate([amplitude, amplitude[:1]]), rows, 0), columns, 1)
    white = np.fft.rfft2(random.standard_normal(size, np.float32))
    tile = np.fft.irfft2(white * between, size)
    repeats = -(-height // size[0]), -(-width // size[1])
    return np.asarray(np.tile(tile, repeats)[:height, :width], np.float32)


def _lerp(values: npt.NDArray[np.float32], places: npt.NDArray[np.floating], axis: int) -> npt.NDArray[np.float32]:
    """Interpolate linearly along an axis."""
    low = np.minimum(places.astype(np.intp), values.shape[axis] - 2)
    share = np.expand_dims((places - low).astype(np.float32), 1 - axis)
    below, above = np.take(values, low, axis), np.take(values, low + 1, axis)
    return np.asarray(below + (above - below) * share)


def _tables() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Return the window of a patch, which frequencies are shape, and the share of each that a blur leaves over."""
    hann = np.hanning(SIDE + 2)[1:-1]
    window = np.outer(hann, hann)
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    squared = rows**2 + columns**2
    fine = (1 - np.exp(-2 * (math.pi * BLUR) ** 2 * squared)) ** 2
    is_shape = (squared > 0) & (squared <= (SHAPES / SIDE) ** 2)
    return (window / np.sqrt((window**2).mean())).astype(np.float32), is_shape, fine.astype(np.float32)


_WINDOW, _IS_SHAPE, _FINE = _tables()
