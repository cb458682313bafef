"""Noise maps to small blobs and back: 8-bit codes with a step per channel, or fp16, packed by zstd.

    int8   value = scale[c] * code, code in -127..127; one signed byte per value, channel by channel, row by row
    fp16   little-endian half floats, scales 1

What a choice costs in reconstruction and saves in bytes is measured by `benchmarks/codec.py`.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stylize.errors import BadInput, ConfigurationError, StylizeError

NoiseMode = Literal["int8", "fp16"]
Floats = NDArray[np.float32]

LEVELS = 127  # of each sign
# The step is a fraction of the channel's standard deviation: the error is 23 dB below the channel's own contrast,
# however its values are distributed, and blobs are little more than half of those with codes spread over the channel's
# range. Differences between neighbours save 10 % early in training and nothing with a model that is fit for use.
STEPS_PER_DEVIATION = 4
ZSTD_LEVEL = 1  # noise does not repeat: higher levels take longer and gave larger blobs


def check_mode(mode: str) -> NoiseMode:
    """Return the mode if it is one; raises `ConfigurationError`."""
    if mode not in get_args(NoiseMode):
        raise ConfigurationError(f"noise maps are stored as {' or '.join(get_args(NoiseMode))}, not {mode!r}")
    return mode  # type: ignore[return-value]


def encode_noise(noise_CHW: Floats, mode: NoiseMode = "int8") -> tuple[bytes, Floats]:
    """Pack a noise map; return the blob and the scales [C]. Equal maps give equal bytes.

    Raises `BadInput` when the map holds a value that is not finite (or, for fp16, beyond 65504).
    """
    if mode == "fp16":
        with np.errstate(over="ignore"):
            half = noise_CHW.astype("<f2")
        _check_finite(half)
        return _zstd().compress(half.tobytes(), asbytes=True), np.ones(len(noise_CHW), np.float32)
    _check_finite(noise_CHW)
    scale_C = _scales(noise_CHW)
    codes_CHW = np.clip(np.rint(noise_CHW / scale_C[:, None, None]), -LEVELS, LEVELS).astype(np.int8)
    return _zstd().compress(codes_CHW.tobytes(), asbytes=True), scale_C


def decode_noise(blob: bytes, scale_C: Floats, shape: tuple[int, int, int], mode: NoiseMode = "int8") -> Floats:
    """Unpack a noise map [C, H, W] of a known shape; raises `StylizeError` when the blob does not hold one."""
    item = np.dtype(np.int8 if mode == "int8" else "<f2")
    size = int(np.prod(shape)) * item.itemsize
    try:
        values = np.frombuffer(_zstd().decompress(blob, size, asbytes=True), item)
        if len(scale_C) != shape[0] or values.size != np.prod(shape):
            raise ValueError(f"{values.size} values and {len(scale_C)} scales")
    except (OSError, ValueError) as error:
        raise StylizeError(f"a noise map of shape {shape} cannot be unpacked ({error}); verify the cache") from error
    return values.reshape(shape).astype(np.float32) * scale_C[:, None, None]


def _scales(noise_CHW: Floats) -> Floats:
    """Return the step per channel: fine against its deviation, but so that its peak still has a code."""
    peak_C = np.abs(noise_CHW).max(axis=(1, 2))
    deviation_C = noise_CHW.std(axis=(1, 2), dtype=np.float64)
    step_C = np.maximum(deviation_C / STEPS_PER_DEVIATION, peak_C / LEVELS)
    scale_C: Floats = np.maximum(step_C, np.finfo(np.float32).tiny).astype(np.float32)  # zeros have no deviation
    return scale_C


def _check_finite(values: NDArray[Any]) -> None:
    if not np.isfinite(values).all():
        raise BadInput("not finite: the model gives a noise map with NaN or infinite values for this picture")


def _zstd() -> pa.Codec:
    return pa.Codec("zstd", ZSTD_LEVEL)
