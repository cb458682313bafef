"""How good label pictures are: the confusion matrix of a segmentation, filled picture by picture, and its IoU."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stylize.errors import ConfigurationError

Labels = npt.NDArray[np.integer]


class ConfusionMatrix:
    """Pixels by true and predicted class: `counts[t, p]`, shape [C, C + 1], int64.

    The last column holds predictions that are no class at all: they are wrong, and no class gets them as a false
    positive. Pixels whose truth is no class, such as an ignore index, do not count. The memory is that of the counts,
    however many pictures are added; matrices of the same classes add up.
    """

    def __init__(self, classes: int, counts: npt.NDArray[np.int64] | None = None) -> None:
        self.classes = classes
        self.counts = np.zeros((classes, classes + 1), np.int64) if counts is None else counts

    def update(self, truth_HW: Labels, predicted_HW: Labels) -> None:
        """Add a picture; raises ConfigurationError when the two differ in size."""
        if truth_HW.shape != predicted_HW.shape:
            raise ConfigurationError(
                f"the prediction is {_size(predicted_HW)}, the label {_size(truth_HW)}: predict at the label's size"
            )
        counted = (truth_HW >= 0) & (truth_HW < self.classes)
        predicted = predicted_HW[counted].astype(np.int64)
        predicted[(predicted < 0) | (predicted >= self.classes)] = self.classes
        cells = truth_HW[counted].astype(np.int64) * (self.classes + 1) + predicted
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        return ConfusionMatrix(self.classes, self.counts + other.counts)

    def iou(self) -> npt.NDArray[np.float64]:
        """Return the intersection over union of each class, shape [C]; NaN where truth and prediction have none."""
        return iou(self.counts)

    def mean_iou(self) -> float:
        """Return the mean over the classes that occur; NaN when none does."""
        return float(mean_iou(self.counts))

    def accuracy(self) -> float:
        """Return the share of counted pixels that are right; NaN without any."""
        total = int(self.counts.sum())
        return float(np.trace(self.counts)) / total if total else float("nan")


def iou(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the IoU per class, [..., C], of confusion matrices [..., C, C + 1]."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    union = counts.sum(axis=-1) + counts.sum(axis=-2)[..., :-1] - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def mean_iou(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean IoU, [...], of confusion matrices [..., C, C + 1], over the classes that occur in each."""
    by_class = iou(counts)
    present = ~np.isnan(by_class)
    total = np.where(present, by_class, 0).sum(axis=-1)
    number = present.sum(axis=-1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _size(labels_HW: Labels) -> str:
    return f"{labels_HW.shape[1]}x{labels_HW.shape[0]}"
