from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from stylize.agreement import agree, kendall, lead, pearson, regret, spearman
from stylize.errors import ConfigurationError
from stylize.ranking import Scores, known


def sampled(values: list[float], noise: float, seed: int = 0, models: str = "abcdefghijkl") -> Scores:
    """Scores whose resamples scatter by `noise`, independently from model to model."""
    random = np.random.default_rng(seed)
    mean_M = np.array(values)
    return Scores(
        models=tuple(models[: len(values)]),
        mean_M=mean_M,
        by_class_MC=np.empty((len(values), 0)),
        resampled_RM=mean_M + noise * random.standard_normal((500, len(values))),
    )


@pytest.mark.parametrize(
    ("ours", "theirs"), [(pearson, stats.pearsonr), (spearman, stats.spearmanr), (kendall, stats.kendalltau)]
)
def test_coefficients_are_those_of_scipy_also_with_ties(ours: Callable, theirs: Callable) -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        x, y = random.integers(0, 6, (2, 9)).astype(float)
        y[2:5] = x[2:5]
        assert float(ours(x, y)) == pytest.approx(float(theirs(x, y)[0]), abs=1e-12)


@pytest.mark.parametrize("ours", [pearson, spearman, kendall])
def test_coefficients_of_many_rows_at_once_and_of_a_constant(ours: Callable) -> None:
    rows = np.random.default_rng(2).random((5, 2, 7))
    together = ours(rows[:, 0], rows[:, 1])
    assert together.tolist() == pytest.approx([float(ours(x, y)) for x, y in rows])
    assert ours(rows[:, 0], rows[0, 1]).shape == (5,)
    assert np.isnan(ours(np.full(7, 0.1), rows[0, 0]))


def test_regret_is_what_the_choice_costs() -> None:
    assert float(regret([1, 3, 2], [0.5, 0.4, 0.7])) == pytest.approx(0.3)
    assert float(regret([1, 2, 3], [0.5, 0.4, 0.7])) == 0
    assert regret([[1, 0], [0, 1]], [0.5, 0.4]).tolist() == [0, pytest.approx(0.1)]


def test_agreement_pairs_models_by_name() -> None:
    judge = known({"a": 1.0, "b": 2.0, "c": 3.0})
    truth = known({"c": 0.9, "a": 0.1, "b": 0.5, "d": 1.0})
    found = agree(judge, truth)
    assert (found.spearman.value, found.kendall.value, found.regret.value) == (1, 1, 0)
    assert (found.chosen, found.best, found.models) == ("c", "c", 3)
    with pytest.raises(ConfigurationError, match="no score of the model 'd'"):
        agree(truth, judge)
    with pytest.raises(ConfigurationError, match="one model alone"):
        agree(known({"a": 1.0}), truth)


def test_uncertainty_over_pictures_needs_resamples_of_either_side() -> None:
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    exact, noisy = known(dict(zip("abcdef", values, strict=True))), sampled(values, 0.1)
    assert np.isnan(agree(exact, exact).spearman.pictures).all()
    for judge, truth in ((exact, noisy), (noisy, exact), (noisy, sampled(values, 0.1, seed=1))):
        found = agree(judge, truth)
        assert found.spearman.value == pytest.approx(1)
        assert found.spearman.pictures[0] < 0.9
        assert found.regret.pictures[1] > 0
    assert agree(exact, exact).spearman.models[0] == pytest.approx(1)


def test_uncertainty_over_models_shrinks_with_more_models() -> None:
    def width(number: int) -> float:
        random = np.random.default_rng(3)
        true = random.random(number)
        seen = true + 0.3 * random.standard_normal(number)
        names = [f"m{n}" for n in range(number)]
        judge, truth = (known(dict(zip(names, values, strict=True))) for values in (seen, true))
        low, high = agree(judge, truth, resamples=400).pearson.models
        return high - low

    assert width(80) < 0.7 * width(20)


def test_the_interval_over_models_is_that_of_scipys_bootstrap() -> None:
    random = np.random.default_rng(4)
    true = random.random(15)
    seen = true + 0.2 * random.standard_normal(15)
    names = [f"m{n}" for n in range(15)]
    found = agree(known(dict(zip(names, seen, strict=True))), known(dict(zip(names, true, strict=True))))
    theirs = stats.bootstrap(
        (seen, true),
        lambda x, y: stats.pearsonr(x, y)[0],
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        random_state=0,
    )
    assert found.pearson.models == pytest.approx(tuple(theirs.confidence_interval), abs=0.06)


def test_the_lead_of_one_judge_over_another() -> None:
    truth = sampled([0.1 * n for n in range(12)], 0.01)
    good = sampled([0.1 * n for n in (1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 10)], 0.01, seed=1)
    bad = sampled([0.1 * n for n in (5, 0, 9, 2, 11, 4, 7, 6, 1, 8, 3, 10)], 0.01, seed=2)
    found = lead(good, bad, truth)
    assert found.value == pytest.approx(agree(good, truth).spearman.value - agree(bad, truth).spearman.value)
    assert found.pictures[0] > 0
    assert found.models[0] > 0
    assert lead(good, good, truth).models == (0, 0)
    assert lead(bad, good, truth, coefficient=kendall).value < 0


def test_the_lead_over_a_judge_of_whom_only_scores_are_known() -> None:
    names = "abcdef"
    truth = known({name: 0.1 * n for n, name in enumerate(names)})
    other = known({name: -0.1 * n for n, name in enumerate(names)})
    judge = sampled([0.1 * n for n in range(6)], 0.05, models=names)
    found = lead(judge, other, truth)
    assert found.value == pytest.approx(2)
    assert 1.5 < found.pictures[0] < found.pictures[1] <= 2
    assert lead(other, judge, truth).pictures == pytest.approx((-found.pictures[1], -found.pictures[0]))
    assert np.isnan(lead(truth, other, truth).pictures).all()
