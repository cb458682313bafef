"""Histogram matching: distributions are taken over, order is kept, and burnt-out areas do not turn white."""

from __future__ import annotations

import numpy as np

from stylize.methods.histogram import table, transfer
from tests.pipelines.helpers import picture


def test_each_channel_takes_the_exemplars_distribution() -> None:
    rng = np.random.default_rng(0)
    content = rng.integers(0, 256, (200, 200, 3)).astype(np.uint8)
    exemplar = rng.normal((60, 120, 180), (10, 20, 30), (150, 170, 3)).clip(0, 255).astype(np.uint8)
    result = transfer(content, exemplar)
    assert result.shape == content.shape
    for percent in range(5, 100, 10):
        found, wanted = (np.percentile(rgb.reshape(-1, 3), percent, axis=0) for rgb in (result, exemplar))
        assert abs(found - wanted).max() <= 1.5


def test_a_picture_is_its_own_exemplar() -> None:
    content = picture(5)
    assert np.array_equal(transfer(content, content), content)
    assert np.array_equal(transfer(content, np.tile(content, (2, 3, 1))), content)


def test_the_mean_is_taken_over_whatever_the_ties() -> None:
    content = np.repeat(np.array([[10] * 60 + [250] * 40], np.uint8), 3, 0)
    exemplar = np.arange(100, dtype=np.uint8)[None]
    lut = table(content, exemplar)
    assert (lut[10], lut[250]) == (30, 80)  # the means of 0..59 and of 60..99; the textbook gives 59 and 99
    assert (lut[9], lut[200]) == (0, 30)


def test_a_table_never_falls() -> None:
    for seed in range(8):
        lut = table(picture(seed)[..., 0], picture(seed + 20)[..., 1])
        assert (np.diff(lut.astype(int)) >= 0).all()
