"""The packing of noise maps: small error, exact repetition, honest refusals."""

from __future__ import annotations

import numpy as np
import pytest

from stylize.codec import check_mode, decode_noise, encode_noise
from stylize.errors import BadInput, ConfigurationError, StylizeError

SHAPE = (6, 12, 16)


def maps(seed: int = 0) -> np.ndarray:
    spread = np.array([1, 0.01, 100, 1, 1, 1], np.float32)[:, None, None]
    noise_CHW = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32) * spread
    noise_CHW[3] = 0
    noise_CHW[4] = 7
    return noise_CHW


@pytest.mark.parametrize("mode", ["int8", "fp16"])
def test_equal_maps_give_equal_bytes_and_come_back_the_same_each_time(mode: str) -> None:
    first, second = encode_noise(maps(), mode), encode_noise(maps().copy(), mode)
    assert first[0] == second[0]
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(decode_noise(*first, SHAPE, mode), decode_noise(*second, SHAPE, mode))


def test_the_error_of_int8_is_at_most_half_a_step_of_each_channel() -> None:
    noise_CHW = maps()
    error_C = np.abs(decode_noise(*encode_noise(noise_CHW), SHAPE) - noise_CHW).max(axis=(1, 2))
    steps_C = np.maximum(noise_CHW.std(axis=(1, 2)) / 4, np.abs(noise_CHW).max(axis=(1, 2)) / 127)
    assert (error_C <= 0.501 * steps_C + 1e-30).all()


def test_the_error_is_far_below_the_contrast_of_a_channel_even_with_outliers() -> None:
    noise_CHW = maps()
    noise_CHW[0, 5, 5] = 14  # 14 deviations away, and still not clipped
    decoded = decode_noise(*encode_noise(noise_CHW), SHAPE)
    for channel in (0, 1, 2, 5):
        error = (decoded[channel] - noise_CHW[channel]).std()
        assert error < 0.08 * noise_CHW[channel].std()
    assert decoded[0, 5, 5] == pytest.approx(14, abs=0.15)


def test_a_blob_takes_about_half_a_byte_per_value() -> None:
    noise_CHW = np.random.default_rng(1).normal(size=(64, 24, 32)).astype(np.float32)
    assert 8 * len(encode_noise(noise_CHW)[0]) / noise_CHW.size < 4.5


def test_codes_reach_both_ends() -> None:
    noise_CHW = np.zeros((1, 40, 40), np.float32)
    noise_CHW[0, 3, 4], noise_CHW[0, 5, 6], noise_CHW[0, 7, 8] = 127, -127, 1
    decoded = decode_noise(*encode_noise(noise_CHW), (1, 40, 40))
    assert np.allclose(decoded, noise_CHW, atol=0.5)
    assert decoded.max() == -decoded.min() == pytest.approx(127, abs=0.5)


def test_constant_and_zero_channels_survive() -> None:
    decoded = decode_noise(*encode_noise(maps()), SHAPE)
    assert (decoded[3] == 0).all()
    assert decoded[4] == pytest.approx(7)


def test_fp16_is_within_a_half_float() -> None:
    noise_CHW = maps()
    assert decode_noise(*encode_noise(noise_CHW, "fp16"), SHAPE, "fp16") == pytest.approx(noise_CHW, rel=1e-3)


@pytest.mark.parametrize(("mode", "value"), [("int8", np.nan), ("int8", np.inf), ("fp16", np.nan), ("fp16", 1e6)])
def test_a_value_that_cannot_be_stored_is_bad_input(mode: str, value: float) -> None:
    noise_CHW = maps()
    noise_CHW[0, 0, 0] = value
    with pytest.raises(BadInput, match="not finite"):
        encode_noise(noise_CHW, mode)


def test_a_damaged_blob_is_told_from_a_map() -> None:
    blob, scale_C = encode_noise(maps())
    for damaged in (blob[:20], b"", b"garbage" * 9):
        with pytest.raises(StylizeError, match="cannot be unpacked"):
            decode_noise(damaged, scale_C, SHAPE)
    with pytest.raises(StylizeError, match="cannot be unpacked"):
        decode_noise(blob, scale_C, (6, 12, 17))
    with pytest.raises(StylizeError, match="cannot be unpacked"):
        decode_noise(blob, scale_C[:5], SHAPE)


def test_unknown_modes_are_refused_by_name() -> None:
    assert check_mode("fp16") == "fp16"
    with pytest.raises(ConfigurationError, match="int4"):
        check_mode("int4")
