"""Confusion counts of many models on one labelled set: every model on every picture, or an error that names the gap."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.evaluation import Course
from pipelines.events import Event
from stylize.datasets.base import Sample
from stylize.errors import BadInput, ConfigurationError
from stylize.evaluation.pairing import Predictions, pair
from stylize.evaluation.segmentation import Comparison
from stylize.labelsets import read_ids
from stylize.storage import Storage

AHEAD = 8  # pictures with the predictions of all models that are in memory
SHOWN = 3  # pictures without a prediction that an error names


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """A set of labelled pictures to score models on; `contents` are what a bootstrap draws, one per frame."""

    name: str
    storage: Storage
    frames: Sequence[tuple[Sample, str]]
    contents: Sequence[str]
    comparison: Comparison


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Confusion counts [models, contents, C, C + 1], summed over the copies of each content."""

    contents: tuple[str, ...]
    counts_MNCP: npt.NDArray[np.int64]
    pictures: int


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """A label and what each model predicts for it."""

    content: int
    label: str
    predictions: tuple[str, ...]


class Job:
    """A labelled set with the predictions of all models, every file found by name before one is opened.

    Raises ConfigurationError when a model misses pictures: a ranking on unequal pictures would be none.
    """

    def __init__(self, labelled: LabelledSet, predictions: Mapping[str, Storage]) -> None:
        self._labelled, self._predictions = labelled, predictions
        self._names = sorted(set(labelled.contents))
        self._frames = _frames(labelled, predictions, {name: place for place, name in enumerate(self._names)})

    def count(self, on_event: Callable[[Event], None]) -> Counted:
        """Compare every label with every prediction; raises ConfigurationError for one that cannot be compared."""
        counter = _Counter(self._labelled, tuple(self._predictions.values()))
        classes = len(self._labelled.comparison.classes)
        counts_MNCP = np.zeros((len(self._predictions), len(self._names), classes, classes + 1), np.int64)
        number = len(self._frames)
        course = Course(kind=f"score {self._labelled.name}", total=number, on_event=on_event, max_failures=0)
        for frame, counts_MCP in course.measured(counter, self._frames, lambda frame: frame.label, AHEAD):
            counts_MNCP[:, frame.content] += counts_MCP
            course.done()
        return Counted(contents=tuple(self._names), counts_MNCP=counts_MNCP, pictures=number)


def model_folders(
    predictions: Mapping[str, str | os.PathLike[str]], name: str, storage_options: Mapping[str, Any] | None
) -> dict[str, Storage]:
    """Return the folder of each model's predictions for the set `name`: its subfolder, or with "" the folder itself."""
    folders = {model: Storage(where, storage_options) for model, where in predictions.items()}
    return {model: folder.sub(name) if name else folder for model, folder in folders.items()}


def _frames(labelled: LabelledSet, predictions: Mapping[str, Storage], places: Mapping[str, int]) -> list[_Frame]:
    keys = {sample.key for sample, _ in labelled.frames}
    found = [_found(labelled, model, folder, keys) for model, folder in predictions.items()]
    return [
        _Frame(content=places[content], label=label, predictions=tuple(paths[place] for paths in found))
        for place, (content, (_, label)) in enumerate(zip(labelled.contents, labelled.frames, strict=True))
    ]


def _found(labelled: LabelledSet, model: str, folder: Storage, keys: set[str]) -> list[str]:
    """Return a model's prediction for every frame, or say which are missing."""
    try:
        pairs = pair(labelled.frames, Predictions(folder, keys))
    except ConfigurationError as error:
        raise ConfigurationError(f"{labelled.name}, model {model}: {error.reason}") from error
    paths = [one.prediction for one in pairs if one.prediction is not None]
    if missing := [one.sample.image for one in pairs if one.prediction is None]:
        some = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        raise ConfigurationError(
            f"{labelled.name}, model {model}: no prediction of {len(missing)} of {len(pairs)} pictures ({some}) in "
            f"{folder.url}: predict every picture with every model"
        )
    return paths


class _Counter:
    """Reads a label once and compares it with all predictions."""

    def __init__(self, labelled: LabelledSet, folders: Sequence[Storage]) -> None:
        self._labels, self._comparison, self._folders = labelled.storage, labelled.comparison, folders

    def __call__(self, frame: _Frame) -> npt.NDArray[np.int64]:
        truth_HW = _read(self._labels, frame.label, self._comparison.truth)
        height, width = truth_HW.shape
        counts = []
        for folder, path in zip(self._folders, frame.predictions, strict=True):
            matrix = self._comparison.matrix()
            predicted_HW = _read(folder, path, lambda ids_HW: self._comparison.predicted(ids_HW, (height, width)))
            matrix.update(truth_HW, predicted_HW)
            counts.append(matrix.counts)
        return np.stack(counts)


def _read(
    storage: Storage, path: str, to_classes: Callable[[npt.NDArray[np.integer]], npt.NDArray[np.uint8]]
) -> npt.NDArray[np.uint8]:
    """Read a label picture as classes; whatever is wrong with it ends the ranking, with its name."""
    try:
        return to_classes(read_ids(storage.read(path)))
    except (BadInput, ConfigurationError) as error:
        raise ConfigurationError(f"{storage.locate(path)}: {error.reason}") from error
