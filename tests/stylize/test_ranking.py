from __future__ import annotations

import numpy as np
import pytest

from stylize.errors import ConfigurationError
from stylize.ranking import Scores, average, draws, known, rank, score, tied_pairs
from stylize.segmentation import ConfusionMatrix, mean_iou

CLASSES = 4
CONTENTS = [f"val/{n:03}" for n in range(40)]


def predictions(error: float, seed: int, contents: list[str] = CONTENTS) -> np.ndarray:
    """Confusion counts [N, C, C + 1] of a model that gets a share of the pixels wrong, more in some pictures."""
    counts = []
    for index, _ in enumerate(contents):
        random = np.random.default_rng([seed, index])
        truth = np.random.default_rng(index).integers(0, CLASSES, (16, 16))
        share = error * np.random.default_rng([7, index]).uniform(0.5, 1.5)
        wrong = random.random(truth.shape) < share
        matrix = ConfusionMatrix(CLASSES)
        matrix.update(truth, np.where(wrong, random.integers(0, CLASSES + 1, truth.shape), truth))
        counts.append(matrix.counts)
    return np.stack(counts)


def scores(errors: dict[str, float], contents: list[str] = CONTENTS, **options: int) -> Scores:
    counts = np.stack([predictions(error, seed, contents) for seed, error in enumerate(errors.values())])
    return score([*errors], counts, contents, **options)


def test_scores_are_the_mean_iou_of_the_summed_counts() -> None:
    found = scores({"a": 0.1, "b": 0.4}, resamples=20)
    assert found.mean_M.tolist() == [float(mean_iou(predictions(e, s).sum(axis=0))) for s, e in ((0, 0.1), (1, 0.4))]
    assert found.by_class_MC.shape == (2, CLASSES)
    assert found.resampled_RM.shape == (20, 2)


def test_a_resample_is_the_mean_iou_of_the_drawn_pictures_repeated() -> None:
    found = scores({"a": 0.3}, resamples=5, seed=3)
    for drawn_N, mean in zip(draws(CONTENTS, 5, 3), found.resampled_RM[:, 0], strict=True):
        repeated = np.repeat(predictions(0.3, 0), drawn_N, axis=0)
        assert len(repeated) == len(CONTENTS)
        assert mean == float(mean_iou(repeated.sum(axis=0)))


def test_copies_of_a_content_are_resampled_together_and_in_any_order() -> None:
    counts = predictions(0.3, 0)
    once = score(["a"], counts[None], CONTENTS, resamples=50)
    twice = score(["a"], np.concatenate([counts, counts])[None], CONTENTS * 2, resamples=50)
    turned = score(["a"], counts[None, ::-1], CONTENTS[::-1], resamples=50)
    assert np.array_equal(once.resampled_RM, twice.resampled_RM)
    assert np.array_equal(once.resampled_RM, turned.resampled_RM)


def test_the_interval_widens_as_pictures_get_fewer() -> None:
    widths = []
    for number in (40, 10):
        low, high = scores({"a": 0.3}, CONTENTS[:number]).interval(0)
        widths.append(high - low)
    assert 1.5 < widths[1] / widths[0] < 3  # the square root of 4, and chance


def test_the_interval_holds_the_true_score_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(100):  # right and wrong pixels of one class: IoU is the share of right ones, 0.7
        right = random.binomial(50, random.beta(7, 3, size=60))
        counts = np.zeros((1, 60, 1, 2), np.int64)
        counts[0, :, 0, 0], counts[0, :, 0, 1] = right, 50 - right
        low, high = score(["a"], counts, [*map(str, range(60))], resamples=400, seed=1).interval(0)
        held += low <= 0.7 <= high
    assert 87 <= held <= 99


def test_models_are_ranked_best_first_and_equal_ones_are_tied() -> None:
    found = rank(scores({"poor": 0.5, "good": 0.1, "also": 0.1, "middle": 0.3}))
    assert [(s.rank, s.model) for s in found][2:] == [(3, "middle"), (4, "poor")]
    assert {s.model for s in found[:2]} == {"good", "also"}
    assert [s.rank for s in found[:2]] == [1, 1]
    assert [s.tied for s in found[:2]] == [(found[1].model,), (found[0].model,)]
    assert all(s.low < s.score < s.high for s in found)
    assert found[0].low > found[2].high


def test_ties_come_from_paired_differences_not_from_overlapping_intervals() -> None:
    """Pictures differ far more than models do; on every picture the one model is a little better than the other."""
    found = rank(scores({"a": 0.30, "b": 0.36}))
    assert found[1].high > found[0].low
    assert [s.rank for s in found] == [1, 2]


def test_a_group_is_measured_against_its_first_model() -> None:
    """a beats c, but b can be told from neither: c opens a group, and both name b."""
    steps_R1 = np.linspace(-1, 1, 2001)[:, None]
    noisy = Scores(
        models=("a", "b", "c"),
        mean_M=np.array([3.0, 2.0, 1.0]),
        by_class_MC=np.empty((3, 0)),
        resampled_RM=np.array([3.0, 2.0, 1.0]) + steps_R1 * [0, 1.5, 0],
    )
    assert [(s.model, s.rank, s.tied) for s in rank(noisy)] == [
        ("a", 1, ("b",)),
        ("b", 1, ("a", "c")),
        ("c", 3, ("b",)),
    ]
    assert [s.rank for s in rank(noisy, confidence=0.5)] == [1, 2, 3]


def test_without_resamples_nothing_can_be_told_apart() -> None:
    found = rank(known({"a": 0.4, "b": 0.6}))
    assert [(s.model, s.rank, s.tied) for s in found] == [("b", 1, ("a",)), ("a", 1, ("b",))]
    assert np.isnan(found[0].low)
    assert tied_pairs(known({"a": 0.4, "b": 0.6})).all()


def test_an_average_weighs_sets_equally_and_resamples_shared_contents_together() -> None:
    near, far = scores({"a": 0.1, "b": 0.2}), scores({"a": 0.4, "b": 0.5})
    both = average([near, far])
    assert both.mean_M.tolist() == ((near.mean_M + far.mean_M) / 2).tolist()
    same = average([near, near])
    assert np.array_equal(same.resampled_RM, near.resampled_RM)
    with pytest.raises(ValueError, match="the same models"):
        average([near, far.of(["b", "a"])])


def test_an_average_by_class_is_over_the_sets_that_have_the_class() -> None:
    one = scores({"a": 0.1}, resamples=2)
    other = Scores(**{**vars(one), "by_class_MC": np.where(np.arange(CLASSES) == 0, np.nan, one.by_class_MC)})
    assert average([one, other]).by_class_MC.tolist() == one.by_class_MC.tolist()
    nowhere = average([other, other]).by_class_MC
    assert np.isnan(nowhere[0]).tolist() == [True, False, False, False]


def test_scores_of_some_models_in_another_order() -> None:
    every = scores({"a": 0.1, "b": 0.2, "c": 0.3}, resamples=10)
    some = every.of(["c", "a"])
    assert some.mean_M.tolist() == every.mean_M[[2, 0]].tolist()
    assert np.array_equal(some.resampled_RM, every.resampled_RM[:, [2, 0]])
    with pytest.raises(ConfigurationError, match="no score of the model 'd': there are a, b, c"):
        every.of(["d"])


def test_what_cannot_be_scored_is_said() -> None:
    with pytest.raises(ConfigurationError, match=r"1 content\(s\) cannot be resampled"):
        score(["a"], predictions(0.1, 0)[None, :2], ["x", "x"])
    with pytest.raises(ConfigurationError, match="hold no class"):
        score(["a"], np.zeros((1, 2, 3, 4), np.int64), ["x", "y"])
    with pytest.raises(ValueError, match="1 models on 3 pictures"):
        score(["a"], np.zeros((1, 2, 3, 4), np.int64), ["x", "y", "z"])
