from __future__ import annotations

import math

import numpy as np
import pytest

from stylize.errors import ConfigurationError
from stylize.segmentation import ConfusionMatrix, iou, mean_iou


def matrix(truth: list[int], predicted: list[int], classes: int = 3) -> ConfusionMatrix:
    result = ConfusionMatrix(classes)
    result.update(np.array([truth], np.uint8), np.array([predicted], np.uint8))
    return result


def test_iou_is_intersection_over_union() -> None:
    found = matrix([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0])
    assert found.iou().tolist() == [2 / 4, 2 / 3, 0.0]
    assert found.mean_iou() == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)
    assert found.accuracy() == 4 / 6


def test_ignored_pixels_do_not_count() -> None:
    assert matrix([0, 11, 255], [0, 1, 2]).counts.sum() == 1


def test_a_prediction_of_no_class_is_wrong_but_nobodys_false_positive() -> None:
    found = matrix([0, 0, 1], [0, 255, 1])
    assert found.iou()[:2].tolist() == [1 / 2, 1.0]


def test_a_class_that_does_not_occur_has_no_iou() -> None:
    found = matrix([0, 1], [0, 1])
    assert math.isnan(found.iou()[2])
    assert found.mean_iou() == 1.0
    assert math.isnan(ConfusionMatrix(3).mean_iou())
    assert math.isnan(ConfusionMatrix(3).accuracy())


def test_matrices_add_up() -> None:
    whole = matrix([0, 1, 2, 2], [0, 2, 2, 1])
    parts = matrix([0, 1], [0, 2]) + matrix([2, 2], [2, 1])
    assert np.array_equal(whole.counts, parts.counts)


def test_many_matrices_at_once() -> None:
    one, two = matrix([0, 1], [0, 1]), matrix([0, 1], [1, 1])
    counts = np.stack([one.counts, two.counts])
    assert np.array_equal(iou(counts)[1], two.iou(), equal_nan=True)
    assert mean_iou(counts).tolist() == [one.mean_iou(), two.mean_iou()]


def test_sizes_must_agree() -> None:
    with pytest.raises(ConfigurationError, match="the prediction is 3x1, the label 2x1"):
        matrix([0, 1], [0, 1, 1])
