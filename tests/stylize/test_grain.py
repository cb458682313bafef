from __future__ import annotations

import numpy as np
import pytest

from stylize.grain import add_grain, grain_of
from stylize.images import Pixels


def scene(height: int = 120, width: int = 160) -> Pixels:
    """Return a smooth picture with a few hard edges."""
    y, x = np.mgrid[:height, :width]
    picture_HWC = np.stack([90 + 60 * x / width, 120 + 40 * y / height, 100 + 0 * x], -1)
    picture_HWC[height // 2 :, width // 2 :] = (40, 50, 60)
    return picture_HWC.astype(np.uint8)


def noisy(sigma: float, picture_HWC: Pixels | None = None, seed: int = 0) -> Pixels:
    picture_HWC = scene() if picture_HWC is None else picture_HWC
    noise_HW = np.random.default_rng(seed).normal(0, sigma, picture_HWC.shape[:2])
    return np.clip(np.rint(picture_HWC + noise_HW[..., None]), 0, 255).astype(np.uint8)


def level(grain: np.ndarray) -> float:
    """Return the standard deviation in grey levels of grain with this spectrum."""
    return float(np.sqrt((2 * grain.sum() - grain[:, 0].sum() - grain[:, -1].sum()) / 32**2))


def test_grain_is_what_noise_was_added_whatever_the_scene() -> None:
    assert level(grain_of(scene(), 120)) < 0.5
    assert level(grain_of(noisy(8), 120)) == pytest.approx(8, rel=0.15)  # a blur takes a little of white noise along


def test_a_picture_takes_on_as_much_grain_as_the_exemplar_has() -> None:
    other = noisy(9, np.full((120, 160, 3), 70, np.uint8), seed=5)
    made = add_grain(scene(), grain_of(other, 120), 1.0, seed=1)
    assert level(grain_of(made, 120)) == pytest.approx(level(grain_of(other, 120)), rel=0.15)
    half = add_grain(scene(), grain_of(other, 120), 0.5, seed=1)
    assert level(grain_of(half, 120)) == pytest.approx(level(grain_of(other, 120)) / 2, rel=0.2)


def test_grain_keeps_its_direction() -> None:
    streaks_HW = np.random.default_rng(0).normal(0, 20, (120, 160))
    streaks_HW = np.mean([np.roll(streaks_HW, shift, 0) for shift in range(8)], 0)
    exemplar = np.clip(100 + streaks_HW[..., None].repeat(3, -1), 0, 255).astype(np.uint8)
    added = add_grain(scene(), grain_of(exemplar, 120), 1.0, seed=1).astype(float) - scene()
    down, across = (np.abs(np.diff(added[..., 0], axis=axis)).mean() for axis in (0, 1))
    assert down < 0.6 * across


def test_what_has_more_grain_stays_as_it_is() -> None:
    assert np.array_equal(add_grain(noisy(12), np.zeros((32, 17), np.float32), 1.0, seed=1), noisy(12))
    assert np.array_equal(add_grain(scene(), grain_of(noisy(9), 120), 0.0, seed=1), scene())


def test_seeds_decide_and_nothing_else() -> None:
    grain = grain_of(noisy(9), 120)
    one, same, other = (add_grain(scene(), grain, 1.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_grain_is_measured_at_the_height_of_the_picture_that_takes_it_on() -> None:
    """Averaging 2x2 pixels halves independent noise."""
    large = noisy(10, np.full((240, 320, 3), 100, np.uint8))
    assert level(grain_of(large, 120)) == pytest.approx(5, rel=0.15)


@pytest.mark.parametrize("shape", [(7, 5), (20, 400), (1500, 40)])
def test_any_size_will_do(shape: tuple[int, int]) -> None:
    picture_HWC = np.full((*shape, 3), 100, np.uint8)
    made = add_grain(picture_HWC, grain_of(noisy(9), 120), 1.0, seed=1)
    assert made.shape == picture_HWC.shape
    assert made.std() > 3
    assert grain_of(noisy(9, picture_HWC), shape[0]).shape == (32, 17)
