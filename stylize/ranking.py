"""Models in order of their mean IoU: scores from confusion counts by picture, their bootstrap over contents, and ties.

Legend of the shape suffixes: M models, N pictures, R resamples, C classes, P = C + 1 predictions (the last: no class).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylize.errors import ConfigurationError
from stylize.segmentation import iou, mean_iou

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.integer]

RESAMPLES = 2000
CONFIDENCE = 0.95
_CELLS = 1 << 22  # of the resampled confusion matrices that are in memory at once: 32 MB


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Mean IoU of models, in 0..1, with that of each class (NaN: it does not occur) and of each bootstrap resample.

    `resampled_RM` has no rows when nothing is known but the scores themselves.
    """

    models: tuple[str, ...]
    mean_M: Floats
    by_class_MC: Floats
    resampled_RM: Floats

    def of(self, models: Sequence[str]) -> Scores:
        """Return the scores of these models in this order; raises ConfigurationError when one has none."""
        if missing := [model for model in models if model not in self.models]:
            raise ConfigurationError(f"no score of the model {missing[0]!r}: there are {', '.join(self.models)}")
        places = [self.models.index(model) for model in models]
        return Scores(
            models=tuple(models),
            mean_M=self.mean_M[places],
            by_class_MC=self.by_class_MC[places],
            resampled_RM=self.resampled_RM[:, places],
        )

    def interval(self, place: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the percentile interval of one model's score."""
        return interval(self.resampled_RM[:, place], confidence)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A model's place: its rank from 1, its score with an interval, and every model that cannot be told from it."""

    model: str
    rank: int
    score: float
    low: float
    high: float
    tied: tuple[str, ...]


def score(
    models: Sequence[str],
    counts_MNCP: Counts,
    contents: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Scores:
    """Return the scores of models from the confusion counts of each picture, [M, N, C, C + 1].

    A resample draws contents with replacement and takes all pictures of each: copies of one content are no independent
    evidence. All models meet the same draws, and so does every set of pictures with the same contents, whichever order
    and number of copies it has: differences and averages are paired. Raises ConfigurationError when there is nothing to
    resample or a model has no counted pixel.
    """
    counts = np.asarray(counts_MNCP)
    if counts.ndim != 4 or counts.shape[:2] != (len(models), len(contents)) or counts.shape[3] != counts.shape[2] + 1:
        raise ValueError(f"counts of {len(models)} models on {len(contents)} pictures are not {counts.shape}")
    names, place_N = np.unique(np.asarray(contents, dtype=np.str_), return_inverse=True)
    if len(names) < 2:
        raise ConfigurationError(f"{len(names)} content(s) cannot be resampled: a ranking needs at least 2")
    draws_RN = draws(names.tolist(), resamples, seed)[:, place_N]
    totals_MCP = counts.sum(axis=1, dtype=np.int64)
    mean_M = mean_iou(totals_MCP)
    if np.isnan(mean_M).any():
        raise ConfigurationError("the labels of these pictures hold no class: check the ids and the ignore index")
    resampled = [_resampled(model_counts, draws_RN) for model_counts in counts]
    return Scores(
        models=tuple(models),
        mean_M=mean_M,
        by_class_MC=iou(totals_MCP),
        resampled_RM=np.stack(resampled, axis=1) if resampled else np.empty((resamples, 0)),
    )


def average(several: Sequence[Scores]) -> Scores:
    """Return the mean over several sets of pictures, each of equal weight, of the same models in the same order."""
    if len({scores.models for scores in several}) != 1:
        raise ValueError("an average needs scores of the same models")
    by_class_SMC = np.stack([scores.by_class_MC for scores in several])
    present_SMC = ~np.isnan(by_class_SMC)
    number_MC = present_SMC.sum(axis=0)
    total_MC = np.where(present_SMC, by_class_SMC, 0).sum(axis=0)
    rows = min(len(scores.resampled_RM) for scores in several)
    return Scores(
        models=several[0].models,
        mean_M=np.mean([scores.mean_M for scores in several], axis=0),
        by_class_MC=np.where(number_MC > 0, total_MC / np.maximum(number_MC, 1), np.nan),
        resampled_RM=np.mean([scores.resampled_RM[:rows] for scores in several], axis=0),
    )


def known(values: dict[str, float]) -> Scores:
    """Return scores that were measured elsewhere, of which no resamples are known."""
    return Scores(
        models=tuple(values),
        mean_M=np.array([*values.values()], np.float64),
        by_class_MC=np.empty((len(values), 0)),
        resampled_RM=np.empty((0, len(values))),
    )


def rank(scores: Scores, *, confidence: float = CONFIDENCE) -> tuple[Standing, ...]:
    """Return the models, best first, with ties named as ties.

    Two models are tied when the percentile interval of their paired difference holds 0, or nothing can be resampled.
    The best model and all that are tied with it have rank 1. The best of the others opens the next group, whose rank is
    one more than the models before it (1, 1, 3), and so on: whoever has a worse rank than a group is clearly worse than
    its first model. Tied models may end in different groups, so each names all that it is tied with.
    """
    order = sorted(range(len(scores.models)), key=lambda place: (-scores.mean_M[place], scores.models[place]))
    tied = tied_pairs(scores, confidence)
    standings: list[Standing] = []
    leader = group = 0
    for position, place in enumerate(order):
        if position == 0 or not tied[leader, place]:
            leader, group = place, position + 1
        low, high = scores.interval(place, confidence)
        others = tuple(scores.models[other] for other in order if other != place and tied[place, other])
        standings.append(
            Standing(
                model=scores.models[place],
                rank=group,
                score=float(scores.mean_M[place]),
                low=low,
                high=high,
                tied=others,
            )
        )
    return tuple(standings)


def tied_pairs(scores: Scores, confidence: float = CONFIDENCE) -> npt.NDArray[np.bool_]:
    """Return which models cannot be told apart, [M, M]: the interval of their paired difference holds 0."""
    number = len(scores.models)
    tied = np.ones((number, number), np.bool_)
    for place in range(number):
        difference_RM = scores.resampled_RM - scores.resampled_RM[:, place : place + 1]
        if len(difference_RM):
            low_M, high_M = np.quantile(difference_RM, _tails(confidence), axis=0)
            tied[place] = (low_M <= 0) & (high_M >= 0)
    return tied


def interval(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the percentile interval of resampled values, NaN left out; NaN without any."""
    finite = values[~np.isnan(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, _tails(confidence))
    return float(low), float(high)


def draws(contents: Sequence[str], resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Return how often each content is in each resample, [R, N]; equal names in equal order give equal draws."""
    digest = hashlib.blake2b(digest_size=16, person=b"stylize-rank")
    for field in (str(seed), *contents):
        data = field.encode()
        digest.update(len(data).to_bytes(4, "little") + data)
    random = np.random.default_rng(int.from_bytes(digest.digest(), "little"))
    number = len(contents)
    return random.multinomial(number, np.full(number, 1 / number), size=resamples)


def _resampled(counts_NCP: Counts, draws_RN: npt.NDArray[np.int64]) -> Floats:
    """Return the mean IoU of each resample, [R]. Sums of counts are exact in float64, so no order of adding matters."""
    number, classes, predictions = counts_NCP.shape
    cells_NK = counts_NCP.reshape(number, -1)
    used_K = cells_NK.any(axis=0)  # most confusions never happen
    cells_NU = cells_NK[:, used_K].astype(np.float64)
    step = max(1, _CELLS // used_K.size)
    means = []
    for start in range(0, len(draws_RN), step):
        chunk_RN = draws_RN[start : start + step]
        totals_RK = np.zeros((len(chunk_RN), used_K.size), np.int64)
        totals_RK[:, used_K] = np.rint(chunk_RN.astype(np.float64) @ cells_NU)
        means.append(mean_iou(totals_RK.reshape(-1, classes, predictions)))
    return np.concatenate(means)


def _tails(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2
