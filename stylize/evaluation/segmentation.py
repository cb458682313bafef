"""How good predicted label pictures are: what is compared with what, counted picture by picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylize.datasets.base import Dataset
from stylize.errors import ConfigurationError
from stylize.evaluation.pairing import own_set
from stylize.labelsets import IGNORE, IdMapping, Ids, LabelSet, between, id_mapping, label_set
from stylize.segmentation import ConfusionMatrix

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How the ids of label files and of predictions become classes of one set, and which of these are scored.

    A class that no label id leads to is not scored: where it is predicted, the prediction is wrong, and no more.
    """

    labels: IdMapping
    predictions: IdMapping
    resize: bool = False
    unknown: str = "refuse"

    @property
    def classes(self) -> LabelSet:
        return self.labels.target

    def truth(self, ids_HW: npt.NDArray[np.integer]) -> Ids:
        """Return a label file's classes, `IGNORE` where nothing is scored; raises BadInput for unknown ids."""
        return self.labels(ids_HW, unknown=self.unknown)

    def predicted(self, ids_HW: npt.NDArray[np.integer], size: tuple[int, int]) -> Ids:
        """Return a prediction's classes at a label's size (height, width).

        Raises BadInput for unknown ids, ConfigurationError for another size where resizing was not asked for.
        """
        classes_HW = self.predictions(ids_HW, unknown=self.unknown)
        classes_HW[~np.isin(classes_HW, list(self.labels.reached))] = IGNORE
        if classes_HW.shape == size:
            return classes_HW
        if not self.resize:
            height, width = classes_HW.shape
            raise ConfigurationError(
                f"is {width}x{height}, its label {size[1]}x{size[0]}: predict at the label's size, or pass --resize"
            )
        return np.asarray(Image.fromarray(classes_HW).resize((size[1], size[0]), Image.Resampling.NEAREST))

    def matrix(self) -> ConfusionMatrix:
        """Return an empty confusion matrix of the scored set."""
        return ConfusionMatrix(len(self.classes))


def choose(
    dataset: Dataset,
    kind: str,
    *,
    classes: str | None = None,
    label_mapping: str | Mapping[str, Any] | None = None,
    prediction_mapping: str | Mapping[str, Any] | None = None,
    ignore: Collection[int] = (),
    resize: bool = False,
    unknown: str = "refuse",
    storage_options: Mapping[str, Any] | None = None,
) -> Comparison:
    """Choose what is scored and how ids get there.

    Scored is the set `classes`, or what a mapping leads to, or the set that the labels follow by their names or the
    dataset's classes.json (of Cityscapes' 34 the 19 that it scores). Raises ConfigurationError where nothing says it.
    """
    own = own_set(dataset, kind)
    target = _target(classes, label_mapping, prediction_mapping, own, storage_options)
    if target is None:
        raise ConfigurationError(
            f"what do the ids in {dataset.storage.url} mean? name what is scored: --classes camvid11, cityscapes19, "
            "or a classes.json"
        )
    if label_mapping is None and own is not None:
        labels = between(own, target)
    else:
        labels = id_mapping(label_mapping, target=target, storage_options=storage_options)
    predictions = id_mapping(prediction_mapping, target=target, storage_options=storage_options)
    return Comparison(labels=labels.without(ignore), predictions=predictions, resize=resize, unknown=unknown)


def _target(
    classes: str | None,
    label_mapping: str | Mapping[str, Any] | None,
    prediction_mapping: str | Mapping[str, Any] | None,
    own: LabelSet | None,
    storage_options: Mapping[str, Any] | None,
) -> LabelSet | None:
    if classes is not None:
        return label_set(classes, storage_options=storage_options)
    for mapping in (label_mapping, prediction_mapping):
        if isinstance(mapping, str) and ":" in mapping and not mapping.lstrip().startswith("{"):
            return label_set(mapping.partition(":")[2], storage_options=storage_options)
    if own is not None and own.name == "cityscapes34":
        return label_set("cityscapes19")
    return own


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """One class: IoU, recall and precision in 0..1 (NaN where there is none), and its share of the pixels."""

    name: str
    iou: float
    recall: float
    precision: float
    share: float


def by_class(matrix: ConfusionMatrix, classes: LabelSet) -> tuple[ClassScore, ...]:
    """Return the scores of each class in the order of the set."""
    counts = matrix.counts.astype(np.float64)
    right, true, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)[:-1]
    columns = zip(
        classes.classes,
        matrix.iou(),
        _ratio(right, true),
        _ratio(right, predicted),
        _ratio(true, np.full_like(true, true.sum())),
        strict=True,
    )
    return tuple(
        ClassScore(name=name, iou=float(iou), recall=float(recall), precision=float(precision), share=float(share))
        for name, iou, recall, precision, share in columns
    )


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
