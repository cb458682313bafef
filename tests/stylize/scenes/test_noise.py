"""Hash and filtered noise."""

from __future__ import annotations

import numpy as np

from stylize.scenes.noise import fractal, hash01


def test_hash_is_uniform_and_depends_on_every_key() -> None:
    keys = np.arange(20000)
    values = hash01(keys, 3)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    assert counts.min() > 1800
    assert abs(np.corrcoef(values, hash01(keys, 4))[0, 1]) < 0.03
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.03


def test_hash_values_are_frozen() -> None:
    """Pictures in the repository depend on them."""
    assert hash01(1, 2, 3)[0] == hash01(np.array([1.0]), 2, 3)[0]
    assert hash01(-5)[0] != hash01(5)[0]


def test_noise_is_continuous_and_fades_with_distance() -> None:
    u, v = (a.ravel().astype(np.float32) for a in np.meshgrid(np.linspace(0, 3, 200), np.linspace(0, 3, 200)))
    fine, coarse = (fractal(u, v, 0.05, np.full_like(u, foot), 0.5) for foot in (0.01, 0.8))
    assert fine.std() > 3 * coarse.std()
    nearby = fractal(u + np.float32(0.001), v, 0.05, np.full_like(u, 0.01), 0.5)
    assert np.abs(fine - nearby).max() < 0.3
