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
    steps_C = np.maximum(noise_CHW.std(axis=(1, 2)) / 8, np.abs(noise_CHW).max(axis=(1, 2)) / 127)
    assert (error_C <= 0.501 * steps_C + 1e-30).all()


def test_the_error_is_far_below_the_contrast_of_a_channel_even_with_outliers() -> None:
    noise_CHW = maps()
    noise_CHW[0, 5, 5] = 14  # 14 deviations away, and still not clipped
    decoded = decode_noise(*encode_noise(noise_CHW), SHAPE)
    for channel in (0, 1, 2, 5):
        error = (decoded[channel] - noise_CHW[channel]).std()
        assert error < 0.04 * noise_CHW[channel].std()
    assert decoded[0, 5, 5] == pytest.approx(14, abs=0.1)


def test_blobs_are_smaller_than_codes_the_more_so_for_smooth_maps() -> None:
    noise_CHW = maps()
    smooth_CHW = np.cumsum(noise_CHW, axis=2)
    assert len(encode_noise(noise_CHW)[0]) < noise_CHW.size
    assert len(encode_noise(smooth_CHW)[0]) < len(encode_noise(noise_CHW)[0])


def test_channels_of_other_magnitude_do_not_disturb_each_other() -> None:
    noise_CHW = maps()
    louder = noise_CHW.copy()
    louder[2] *= 1000
    quiet, loud = (decode_noise(*encode_noise(n), SHAPE) for n in (noise_CHW, louder))
    assert np.array_equal(quiet[[0, 1, 3, 4, 5]], loud[[0, 1, 3, 4, 5]])


def test_codes_reach_both_ends_and_wrap_around_in_between() -> None:
    noise_CHW = np.tile(np.array([[[127, -127, 126, -1, 0, 1, 127]]], np.float32), (2, 3, 1))
    noise_CHW[1] *= -0.5
    decoded = decode_noise(*encode_noise(noise_CHW), (2, 3, 7))
    step = max(noise_CHW[0].std() / 8, 1)
    assert np.abs(decoded[0] - noise_CHW[0]).max() <= step / 2
    assert np.allclose(decoded[1], -0.5 * decoded[0])


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
