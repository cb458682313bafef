"""The evaluation of predicted label pictures against a dataset's labels: IoU by class, its mean, and accuracy."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.evaluation import Course, Evaluation, check
from pipelines.events import Event, Note
from pipelines.events import ignore as silence
from stylize.datasets.base import open_dataset
from stylize.errors import BadInput, ConfigurationError, NotFound
from stylize.evaluation.pairing import Pair, Predictions, labelled, pair
from stylize.evaluation.segmentation import ClassScore, Comparison, by_class, choose
from stylize.evaluation.tables import finite, publish_json, table
from stylize.labelsets import read_ids
from stylize.segmentation import ConfusionMatrix
from stylize.spelling import count
from stylize.storage import Storage

COLUMNS = ("id", "prediction", "pixels", "mean_iou", "accuracy")
AHEAD = 16  # pictures read before they are counted


@dataclass(frozen=True, kw_only=True)
class SegmentationScore(Evaluation):
    """Scores of predictions, all in 0..1; `matrix` holds the counts they come from."""

    predictions: str
    dataset: str
    label_set: str
    matrix: ConfusionMatrix
    by_class: tuple[ClassScore, ...]

    @property
    def mean_iou(self) -> float:
        """The mean IoU over the classes that occur."""
        return self.matrix.mean_iou()

    @property
    def accuracy(self) -> float:
        """The share of pixels that are right."""
        return self.matrix.accuracy()

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        classes = {
            score.name: finite({k: v for k, v in asdict(score).items() if k != "name"}) for score in self.by_class
        }
        return {
            "predictions": self.predictions,
            "dataset": self.dataset,
            "label_set": self.label_set,
            **finite({"mean_iou": self.mean_iou, "accuracy": self.accuracy}),
            "classes": classes,
            "confusion": self.matrix.counts.tolist(),
            **super().as_dict(),
        }


def evaluate_segmentation(
    predictions: str | os.PathLike[str],
    dataset: str | os.PathLike[str],
    *,
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    classes: str | None = None,
    label_kind: str | None = None,
    label_mapping: str | Mapping[str, Any] | None = None,
    prediction_mapping: str | Mapping[str, Any] | None = None,
    ignore: Sequence[int] = (),
    ignore_unknown: bool = False,
    resize: bool = False,
    json: str | os.PathLike[str] | None = None,
    csv: str | os.PathLike[str] | None = None,
    max_failures: int = 0,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] = silence,
) -> SegmentationScore:
    """Score predicted label pictures against the labels of a dataset.

    Predictions are found by the names of their pictures or labels. A picture without prediction, or whose files cannot
    be read, is recorded as failed and does not count.

    Args:
        predictions: folder or URL of label pictures, of ids and not of colours.
        dataset: folder or URL with the labels; what `mix` wrote serves as well.
        layout, split, limit: which pictures, as everywhere.
        classes: the label set that is scored: camvid11, cityscapes19, cityscapes34 or a classes.json; by default what
            the mappings or the dataset say.
        label_kind: which labels, where a picture has several, such as "gtFine_labelIds".
        label_mapping, prediction_mapping: how the ids of the files become those of `classes`: "cityscapes19:camvid11",
            a JSON file of ids, or such a mapping itself.
        ignore: further ids of the label files that do not count.
        ignore_unknown: take ids that no mapping knows as of no class, instead of refusing them.
        resize: bring predictions of another size to their label's, by nearest neighbour.
        json, csv: files or URLs for the result, and for a table of one row per picture.
        max_failures: with more failed pictures than this the exit code of the score is 3.
        storage_options: passed to fsspec for all URLs.

    Raises:
        ConfigurationError: the two do not fit: no predictions of these names, unknown ids, another size.
    """
    check(limit=limit, max_failures=max_failures)
    opened = open_dataset(dataset, layout=layout, split=split, storage_options=storage_options)
    frames, kind = labelled(opened, label_kind)
    if len(frames) < len(opened):
        on_event(Note(text=f"{len(opened) - len(frames)} of {count(len(opened), 'picture')} have no label; left out"))
    comparison = choose(
        opened,
        kind,
        classes=classes,
        label_mapping=label_mapping,
        prediction_mapping=prediction_mapping,
        ignore=ignore,
        resize=resize,
        unknown="ignore" if ignore_unknown else "refuse",
        storage_options=storage_options,
    )
    folder = Storage(predictions, storage_options)
    found = Predictions(folder, {sample.key for sample, _ in frames})
    pairs = pair(frames[:limit], found)
    counter = _Counter(opened.storage, folder, comparison)
    total = comparison.matrix()
    with table(csv, (*COLUMNS, *comparison.classes.classes), storage_options) as add:
        course = Course(kind="evaluate segmentation", total=len(pairs), on_event=on_event, max_failures=max_failures)
        for one, matrix in course.measured(counter, pairs, lambda one: one.sample.id, AHEAD):
            total = total + matrix
            course.done()
            add(_row(one, matrix, comparison))
        ended = course.ended()
    score = SegmentationScore(
        **ended,
        predictions=folder.url,
        dataset=opened.storage.url,
        label_set=comparison.classes.name,
        matrix=total,
        by_class=by_class(total, comparison.classes),
    )
    if json is not None:
        publish_json(json, score.as_dict(), storage_options)
    return score


class _Counter:
    """Reads a label and its prediction and counts them."""

    def __init__(self, dataset: Storage, predictions: Storage, comparison: Comparison) -> None:
        self._dataset, self._predictions, self._comparison = dataset, predictions, comparison

    def __call__(self, one: Pair) -> ConfusionMatrix:
        if one.prediction is None:
            raise BadInput(f"missing prediction: none in {self._predictions.url} has the name of {one.sample.image}")
        truth_HW = self._mapped(self._dataset, one.label, self._comparison.truth)
        height, width = truth_HW.shape
        predicted_HW = self._mapped(
            self._predictions, one.prediction, lambda ids_HW: self._comparison.predicted(ids_HW, (height, width))
        )
        matrix = self._comparison.matrix()
        matrix.update(truth_HW, predicted_HW)
        return matrix

    def _mapped(
        self,
        storage: Storage,
        path: str,
        to_classes: Callable[[npt.NDArray[np.integer]], npt.NDArray[np.uint8]],
    ) -> npt.NDArray[np.uint8]:
        """Read a label picture; one that is broken is this picture's fault, wrong ids or sizes are the command's."""
        try:
            ids_HW = read_ids(storage.read(path))
        except NotFound:
            raise
        except BadInput as error:
            raise BadInput(f"unreadable label: {path}: {error.reason}") from error
        try:
            return to_classes(ids_HW)
        except (BadInput, ConfigurationError) as error:
            raise ConfigurationError(f"{storage.locate(path)}: {error.reason}") from error


def _row(one: Pair, matrix: ConfusionMatrix, comparison: Comparison) -> dict[str, Any]:
    return {
        "id": one.sample.id,
        "prediction": one.prediction,
        "pixels": int(matrix.counts.sum()),
        "mean_iou": matrix.mean_iou(),
        "accuracy": matrix.accuracy(),
        **dict(zip(comparison.classes.classes, map(float, matrix.iou()), strict=True)),
    }
