"""How well one ranking foretells another: rank correlations with their uncertainty, and what the choice costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylize.errors import ConfigurationError
from stylize.ranking import CONFIDENCE, RESAMPLES, Floats, Scores, interval

Coefficient = Callable[[npt.ArrayLike, npt.ArrayLike], Floats]
Interval = tuple[float, float]
_CELLS = 1 << 20  # of comparisons between models that are in memory at once: 8 MB


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with two percentile intervals (NaN where there is nothing to resample).

    `pictures`: had other pictures of the same kind been labelled. `models`: had other models of the same kind been
    ranked; with a dozen models this is the wider one, and the one that a claim about proxy sets must respect.
    """

    value: float
    pictures: Interval
    models: Interval


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A judge's scores against the true ones: correlations, and the regret of taking the model that the judge prefers.

    The regret is the best true score minus that of the chosen model, in the unit of the scores; 0: it is the best.
    """

    models: int
    spearman: Estimate
    kendall: Estimate
    pearson: Estimate
    chosen: str
    best: str
    regret: Estimate


def agree(
    judge: Scores, truth: Scores, *, confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = 0
) -> Agreement:
    """Compare the scores by which a user would choose with those that count, of the same models in any order.

    Raises ConfigurationError for fewer than two models or when one has no true score.
    """
    truth = _alike(judge, truth)
    pairs = _Pairs(judge, truth, resamples=resamples, seed=seed, confidence=confidence)
    return Agreement(
        models=len(judge.models),
        spearman=pairs.estimate(spearman),
        kendall=pairs.estimate(kendall),
        pearson=pairs.estimate(pearson),
        chosen=judge.models[int(judge.mean_M.argmax())],
        best=truth.models[int(truth.mean_M.argmax())],
        regret=pairs.estimate(regret),
    )


def lead(
    judge: Scores,
    other: Scores,
    truth: Scores,
    *,
    coefficient: Coefficient | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return how much better a judge agrees with the truth than another judge does, both on the same resamples.

    The default coefficient is Spearman's. The judge is clearly better when the interval lies above 0.
    """
    measure = coefficient or spearman
    truth, other = _alike(judge, truth), _alike(judge, other)
    first, second = (
        _Pairs(scores, truth, resamples=resamples, seed=seed, confidence=confidence) for scores in (judge, other)
    )
    (value, pictures, models), (other_value, other_pictures, other_models) = (
        pairs.samples(measure) for pairs in (first, second)
    )
    rows = min((len(samples) for samples in (pictures, other_pictures) if len(samples)), default=0)
    difference = _filled(pictures, value, rows) - _filled(other_pictures, other_value, rows)
    return Estimate(
        value=float(value - other_value),
        pictures=interval(difference, confidence),
        models=interval(models - other_models, confidence),
    )


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """Return Pearson's correlation along the last axis; NaN where one side is constant."""
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    varies = (np.ptp(x, axis=-1) > 0) & (np.ptp(y, axis=-1) > 0)
    dx, dy = (values - values.mean(axis=-1, keepdims=True) for values in (x, y))
    scale = np.sqrt((dx * dx).sum(axis=-1) * (dy * dy).sum(axis=-1))
    return np.where(varies, (dx * dy).sum(axis=-1) / np.where(varies, scale, 1), np.nan)


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """Return Spearman's rank correlation along the last axis: Pearson's of the ranks, equal values sharing the mean."""
    return pearson(_ranks(x), _ranks(y))


def kendall(x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """Return Kendall's tau-b along the last axis: the surplus of pairs in equal order, corrected for ties."""
    sx, sy = (np.sign(values[..., :, None] - values[..., None, :]) for values in map(np.asarray, (x, y)))
    scale = np.sqrt((sx * sx).sum(axis=(-2, -1)) * (sy * sy).sum(axis=(-2, -1)))
    return np.where(scale > 0, (sx * sy).sum(axis=(-2, -1)) / np.where(scale > 0, scale, 1), np.nan)


def regret(judge: npt.ArrayLike, truth: npt.ArrayLike) -> Floats:
    """Return the best true score minus the true score of the judge's first choice, along the last axis."""
    judge, truth = np.broadcast_arrays(np.asarray(judge, np.float64), np.asarray(truth, np.float64))
    chosen = np.take_along_axis(truth, judge.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return np.asarray(truth.max(axis=-1) - chosen)


class _Pairs:
    """Two kinds of scores of the same models, resampled over pictures and over models."""

    def __init__(self, judge: Scores, truth: Scores, *, resamples: int, seed: int, confidence: float) -> None:
        self.judge, self.truth, self.confidence = judge, truth, confidence
        number = len(judge.models)
        self.models_RM = np.random.default_rng(seed).integers(0, number, (resamples, number))

    def samples(self, measure: Coefficient) -> tuple[Floats, Floats, Floats]:
        """Return the measure itself, over resampled pictures and over resampled models."""
        judge, truth = self.judge.mean_M, self.truth.mean_M
        models = _by_row(measure, judge[self.models_RM], truth[self.models_RM])
        return measure(judge, truth), self._over_pictures(measure), models

    def estimate(self, measure: Coefficient) -> Estimate:
        value, pictures, models = self.samples(measure)
        return Estimate(
            value=float(value),
            pictures=interval(pictures, self.confidence),
            models=interval(models, self.confidence),
        )

    def _over_pictures(self, measure: Coefficient) -> Floats:
        """Resample where pictures are known; scores that came from elsewhere stay as they are."""
        sides = [scores.resampled_RM for scores in (self.judge, self.truth)]
        rows = [len(side) for side in sides if len(side)]
        if not rows:
            return np.empty(0)
        judge, truth = (
            side[: min(rows)] if len(side) else np.tile(scores.mean_M, (min(rows), 1))
            for side, scores in zip(sides, (self.judge, self.truth), strict=True)
        )
        return _by_row(measure, judge, truth)


def _filled(samples: Floats, value: Floats, rows: int) -> Floats:
    """Return the first samples; where there are none the measure is known only as it is."""
    return samples[:rows] if len(samples) else np.full(rows, value)


def _by_row(measure: Coefficient, judge_RM: Floats, truth_RM: Floats) -> Floats:
    """Measure each row, some at a time: comparing every model with every other takes the square of their number."""
    step = max(1, _CELLS // judge_RM.shape[1] ** 2)
    starts = range(0, len(judge_RM), step)
    return np.concatenate([measure(judge_RM[at : at + step], truth_RM[at : at + step]) for at in starts])


def _alike(judge: Scores, other: Scores) -> Scores:
    if len(judge.models) < 2:
        raise ConfigurationError("one model alone cannot be ranked: give the predictions of at least two")
    return other.of(judge.models)


def _ranks(values: npt.ArrayLike) -> Floats:
    """Return ranks from 1 along the last axis, equal values sharing the mean of theirs."""
    array = np.asarray(values, np.float64)
    one, other = array[..., :, None], array[..., None, :]
    return np.asarray((other < one).sum(axis=-1) + ((other == one).sum(axis=-1) + 1) / 2, np.float64)
