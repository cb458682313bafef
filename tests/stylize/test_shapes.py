from __future__ import annotations

import numpy as np
import pytest

from stylize.corridor import ROWS
from stylize.shapes import SIGMAS, shapes

EVEN = np.zeros(len(SIGMAS), np.float32)


def only(band: int, deviation: float = 10.0) -> np.ndarray:
    wanted = EVEN.copy()
    wanted[band] = deviation
    return wanted


@pytest.mark.parametrize("band", range(len(SIGMAS)))
def test_shapes_have_the_deviation_that_was_asked_for(band: int) -> None:
    found = [shapes(only(band), ROWS, 2 * ROWS, seed) for seed in range(12)]
    assert np.std(found) == pytest.approx(10, rel=0.2)
    assert np.abs(np.mean(found, axis=(1, 2))).max() < 1e-3


def test_a_coarser_band_has_wider_shapes_that_are_wider_than_high() -> None:
    widths = []
    for band in range(len(SIGMAS)):
        made_HW = shapes(only(band), ROWS, 2 * ROWS, 0)
        down, right = (float(np.abs(np.diff(made_HW, axis=axis)).mean()) for axis in (0, 1))
        assert down > 1.2 * right
        widths.append(1 / right)
    assert widths == sorted(widths)


def test_equal_seeds_give_equal_shapes_at_any_size() -> None:
    wanted = only(3)
    small, large = shapes(wanted, ROWS, 2 * ROWS, 5), shapes(wanted, 4 * ROWS, 8 * ROWS, 5)
    assert np.array_equal(small, shapes(wanted, ROWS, 2 * ROWS, 5))
    assert not np.allclose(small, shapes(wanted, ROWS, 2 * ROWS, 6))
    again = large.reshape(ROWS, 4, 2 * ROWS, 4).mean((1, 3))
    assert np.corrcoef(small.ravel(), again.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 400), (400, 3)])
def test_no_size_is_too_small_and_no_deviation_is_no_shape(height: int, width: int) -> None:
    assert shapes(only(1), height, width, 0).shape == (height, width)
    assert not shapes(EVEN, height, width, 0).any()
