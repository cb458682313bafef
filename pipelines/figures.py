"""Figures that add up: sums and histogram bins in one flat mapping, so that a million rows still give percentiles.

A distribution `psnr` is kept as `psnr.count`, `psnr.sum` and one key `psnr@24.3` per occupied bin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

STEP = 0.1  # width of a histogram bin, in the figure's own unit


def tally(name: str, values: Iterable[float]) -> dict[str, float]:
    """Return the figures of a distribution; values that are not finite are left out."""
    figures: dict[str, float] = {}
    for value in values:
        if math.isfinite(value):
            for key, amount in ((f"{name}.count", 1), (f"{name}.sum", value), (_bin(name, value), 1)):
                figures[key] = figures.get(key, 0) + amount
    return figures


def add(total: dict[str, float], figures: Mapping[str, float]) -> None:
    """Add figures to a running total, in place."""
    for key, amount in figures.items():
        total[key] = total.get(key, 0) + amount


def mean(figures: Mapping[str, float], name: str) -> float:
    """Return the mean of a distribution, NaN when it is empty."""
    count = figures.get(f"{name}.count", 0)
    return figures[f"{name}.sum"] / count if count else math.nan


def percentile(figures: Mapping[str, float], name: str, percent: float) -> float:
    """Return a percentile of a distribution to within half a bin, NaN when it is empty."""
    bins = sorted((float(key.split("@")[1]), n) for key, n in figures.items() if key.startswith(f"{name}@"))
    target = percent / 100 * sum(n for _, n in bins)
    for value, n in bins:
        target -= n
        if target <= 0:
            return value
    return math.nan


def _bin(name: str, value: float) -> str:
    return f"{name}@{round(value / STEP) * STEP:.1f}"
