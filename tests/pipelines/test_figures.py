"""Figures that add up give the same mean and percentiles as the values themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines import figures


def test_sums_of_parts_are_the_figures_of_the_whole() -> None:
    values = np.random.default_rng(0).normal(24, 3, 1000)
    total: dict[str, float] = {}
    for part in np.split(values, 10):
        figures.add(total, figures.tally("psnr", part))
    assert total["psnr.count"] == 1000
    assert figures.mean(total, "psnr") == pytest.approx(values.mean())
    for percent in (5, 50, 95):
        assert figures.percentile(total, "psnr", percent) == pytest.approx(np.percentile(values, percent), abs=0.2)


def test_names_that_begin_alike_are_kept_apart() -> None:
    total = {**figures.tally("psnr", [10.0]), **figures.tally("psnr_fp32", [20.0])}
    assert figures.percentile(total, "psnr", 50) == 10.0
    assert figures.percentile(total, "psnr_fp32", 50) == 20.0


def test_what_is_not_finite_is_left_out_and_nothing_is_nan() -> None:
    assert figures.tally("psnr", [math.inf, math.nan]) == {}
    assert math.isnan(figures.mean({}, "psnr"))
    assert math.isnan(figures.percentile({}, "psnr", 5))
