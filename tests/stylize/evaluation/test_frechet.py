from __future__ import annotations

import math

import numpy as np
import pytest

from stylize.evaluation.frechet import Gaussian, frechet_distance, wasserstein


def gathered(values: np.ndarray, batch: int = 7) -> Gaussian:
    found = Gaussian()
    for start in range(0, len(values), batch):
        found.add(values[start : start + batch])
    return found


def test_moments_in_batches_are_numpys() -> None:
    values = np.random.default_rng(0).normal(5, 2, (100, 4)).astype(np.float32) * [1, 2, 3, 1000]
    found = gathered(values)
    assert (found.count, found.dimensions) == (100, 4)
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-9)
    np.testing.assert_allclose(found.covariance, np.cov(values.T), rtol=1e-9)


def test_diagonal_gaussians_have_the_distance_of_the_textbook() -> None:
    a, b = np.array([1.0, 4.0]), np.array([9.0, 1.0])  # variances
    distance = wasserstein(np.array([0.0, 1.0]), np.diag(a), np.array([3.0, 1.0]), np.diag(b))
    assert distance == pytest.approx(9 + (1 - 3) ** 2 + (2 - 1) ** 2)


def test_turned_gaussians_keep_their_distance() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    a, b = np.diag([1.0, 2.0, 3.0]), np.array([[2.0, 1, 0], [1, 2, 0], [0, 0, 1]])
    zero = np.zeros(3)
    plain = wasserstein(zero, a, zero, b)
    assert wasserstein(zero, turn @ a @ turn.T, zero, turn @ b @ turn.T) == pytest.approx(plain)
    assert plain == pytest.approx(wasserstein(zero, b, zero, a))
    assert wasserstein(zero, b, zero, b) == pytest.approx(0, abs=1e-9)


def test_fewer_pictures_than_dimensions_still_have_a_distance() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(5, 20)), rng.normal(size=(5, 20))
    assert frechet_distance(gathered(a), gathered(a)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(gathered(a), gathered(b + 1)) > 10


def test_one_picture_is_no_set() -> None:
    one, many = gathered(np.ones((1, 3))), gathered(np.eye(3))
    assert math.isnan(frechet_distance(one, many))
    assert math.isnan(frechet_distance(many, Gaussian()))
    with pytest.raises(ValueError, match="two pictures"):
        _ = one.covariance
    with pytest.raises(ValueError, match="no features"):
        _ = Gaussian().mean
