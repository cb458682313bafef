"""Noise maps to small blobs and back: 8 bits per value with a scale per channel, or fp16, packed by zstd.

int8   value = scale[c] * code, code in -127..127, one signed byte per value, channel by channel
fp16   little-endian half floats, scales 1
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
# What fraction of a channel's largest magnitude the codes reach. Clipping a rare peak makes all steps finer: worth it
# where the squared error falls, which is tried out for each channel.
REACHES = (1.0, 0.85, 0.7, 0.55, 0.4)
ZSTD_LEVEL = 3


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
    flat_CN = noise_CHW.reshape(len(noise_CHW), -1)
    scale_C = _scales(flat_CN)
    codes_CN = _quantise(flat_CN, scale_C)
    return _zstd().compress(codes_CN.tobytes(), asbytes=True), scale_C


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


def _scales(flat_CN: Floats) -> Floats:
    """Return the step per channel with the smallest squared error among the reaches."""
    peak_C = np.abs(flat_CN).max(axis=1)
    best_C = _safe(peak_C / LEVELS)
    error_C = _error(flat_CN, best_C)
    for reach in REACHES[1:]:
        scale_C = _safe(peak_C * np.float32(reach) / LEVELS)
        other_C = _error(flat_CN, scale_C)
        best_C = np.where(other_C < error_C, scale_C, best_C)
        error_C = np.minimum(other_C, error_C)
    return best_C


def _safe(scale_C: Floats) -> Floats:
    return np.maximum(scale_C, np.finfo(np.float32).tiny).astype(np.float32)  # a channel of zeros has no step


def _quantise(flat_CN: Floats, scale_C: Floats) -> NDArray[np.int8]:
    codes_CN: NDArray[np.int8] = np.clip(np.rint(flat_CN / scale_C[:, None]), -LEVELS, LEVELS).astype(np.int8)
    return codes_CN


def _error(flat_CN: Floats, scale_C: Floats) -> Floats:
    difference_CN = _quantise(flat_CN, scale_C) * scale_C[:, None] - flat_CN
    error_C: Floats = np.einsum("cn,cn->c", difference_CN, difference_CN)
    return error_C


def _check_finite(values: NDArray[Any]) -> None:
    if not np.isfinite(values).all():
        raise BadInput("not finite: the model gives a noise map with NaN or infinite values for this picture")


def _zstd() -> pa.Codec:
    return pa.Codec("zstd", ZSTD_LEVEL)
