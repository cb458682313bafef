"""The evaluation of a mix: by its provenance, each output against the content and the exemplar it was made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines import commits, provenance
from pipelines.backbone import backbone, roomy
from pipelines.evaluation import Course, Evaluation, check
from pipelines.events import Event
from pipelines.events import ignore as silence
from pipelines.fingerprint import load
from pipelines.provenance import Row
from pipelines.worklist import chunks
from stylize.errors import BadInput, ConfigurationError, StylizeError
from stylize.evaluation.features import Backbone
from stylize.evaluation.pairing import Predictions
from stylize.evaluation.stylization import StylizationJudge, Triple, compare_predictions
from stylize.evaluation.tables import Distribution, finite, publish_json, table
from stylize.guard import content_score
from stylize.images import Pixels, decode_rgb, to_model
from stylize.labelsets import read_ids
from stylize.models.bundle import best_device
from stylize.segmentation import ConfusionMatrix
from stylize.storage import Storage

HEIGHT, LEAST = 192, 32  # of the pictures when they are compared; smaller ones are compared at their own height
COLUMNS = ("image", "content", "exemplar", "k")


@dataclass(frozen=True, kw_only=True)
class StylizationScore(Evaluation):
    """What became of contents, by measure; pictures are compared at `size` (height, width).

    `measures` holds, per output: `content_score`, the guard's; `structure` and `edges`, the agreement with the content,
    at most 1; `agreement`, the share of pixels that a segmenter sees as before; and the distances to the exemplar, by
    `colour_` in Lab and by `features_` of a network: of the `content`, of the `output`, of the one before among the
    `exemplars`, and what share of the way was `reached`. The mapping `reached` has the shares of the mean distances;
    `frechet` the distances of contents and of outputs to the exemplars as sets. `agreement` counts the segmenter's ids
    before (rows) and after (columns).
    """

    out: str
    size: tuple[int, int]
    measures: Mapping[str, Distribution]
    reached: Mapping[str, float]
    frechet: Mapping[str, float]
    agreement: ConfusionMatrix | None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "out": self.out,
            "size": list(self.size),
            "measures": {name: values.as_dict() for name, values in self.measures.items()},
            "style_reached": finite(self.reached),
            "frechet_distance_to_exemplars": {"features": Backbone.name, **finite(self.frechet)},
            "predictions": None if self.agreement is None else _agreement(self.agreement),
            **super().as_dict(),
        }


def evaluate_stylization(
    out: str | os.PathLike[str],
    *,
    dataset: str | os.PathLike[str] | None = None,
    exemplars: str | os.PathLike[str] | None = None,
    predictions_before: str | os.PathLike[str] | None = None,
    predictions_after: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    height: int = HEIGHT,
    batch_size: int = 8,
    device: str | None = None,
    json: str | os.PathLike[str] | None = None,
    csv: str | os.PathLike[str] | None = None,
    max_failures: int = 0,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] = silence,
) -> StylizationScore:
    """Measure what stylized pictures kept of their contents, and how much of their exemplars' style they took on.

    Args:
        out: what `mix` wrote or is writing, a folder or URL.
        dataset, exemplars: where the datasets of the contents and of the exemplars are now, if not where they were.
        predictions_before, predictions_after: a segmenter's label pictures of the contents and of the outputs, named
            after these pictures, of whatever ids; for the agreement of the two.
        limit: only the first so many outputs.
        height: pixels to which pictures are brought before they are compared, at least 32; smaller ones keep their own
            height. Large ones show blur and grain too.
        batch_size: pictures per pass of the network.
        device: torch device; by default the GPU if there is one.
        json, csv: files or URLs for the result, and for a table of one row per picture.
        max_failures: with more failed pictures than this the exit code of the score is 3.
        storage_options: passed to fsspec for all URLs.

    Raises:
        ConfigurationError: this is no output of `mix`, or the predictions do not fit.
    """
    check(limit=limit, max_failures=max_failures, batch_size=batch_size)
    if height < LEAST:
        raise ConfigurationError(f"the height must be at least {LEAST} pixels, not {height}")
    made = _Made(Storage(out, storage_options), limit, height)
    segmenter = _segmenter(predictions_before, predictions_after, storage_options)
    reader = _Reader(made, dataset, exemplars, segmenter)
    where = best_device(device)
    network = backbone(where, on_event, "no feature statistics and no Frechet distances")
    judge = StylizationJudge(network, where, segmented=segmenter is not None)
    with table(csv, (*COLUMNS, *judge.measures), storage_options) as add, roomy():
        course = Course(kind="evaluate stylization", total=made.count, on_event=on_event, max_failures=max_failures)
        read = course.measured(reader, made.rows(), lambda row: str(row["image"]), ahead=2 * batch_size)
        for batch in chunks(read, batch_size):
            for (row, _), found in zip(batch, judge([triple for _, triple in batch]), strict=True):
                course.done()
                add({**{name: row[name] for name in COLUMNS}, **found})
        ended = course.ended()
    score = StylizationScore(
        **ended,
        out=made.storage.url,
        size=made.frame,
        measures=judge.measures,
        reached=judge.reached(),
        frechet=judge.frechet(),
        agreement=judge.agreement,
    )
    if json is not None:
        publish_json(json, score.as_dict(), storage_options)
    return score


class _Made:
    """The outputs of a mix, by its commit records and its provenance; the run may be unfinished."""

    def __init__(self, storage: Storage, limit: int | None, height: int) -> None:
        self.storage = storage
        self.run = load(storage)
        if self.run["kind"] != "mix":
            raise ConfigurationError(f"{storage.url} is a run of {self.run['kind']!r}: give a folder that `mix` wrote")
        records = commits.read_many(storage, sorted(commits.committed(storage)))
        self._units = [(record.unit, record.rows) for record in records if record.rows]
        total = sum(rows for _, rows in self._units)
        if not total:
            raise ConfigurationError(
                f"no pictures in {storage.url} yet: run the same `stylize mix` again, it continues"
            )
        self.count = total if limit is None else min(total, limit)
        first = next(self.rows())
        height = min(height, int(first["height"]))
        self.frame = height, round(height * first["width"] / first["height"])

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the provenance in order."""
        every = (
            row for unit, _ in self._units for row in provenance.read_rows(self.storage.read(provenance.path_of(unit)))
        )
        return islice(every, self.count)


class _Segmenter:
    """Compares what a segmenter said of a content and of its output."""

    def __init__(self, before: Predictions, after: Predictions) -> None:
        self._before, self._after = before, after

    def __call__(self, row: Row) -> ConfusionMatrix:
        before_HW = self._read(self._before, [row["content_source"]])
        after_HW = self._read(self._after, [row["image"], *row["labels"]])
        try:
            return compare_predictions(before_HW, after_HW)
        except ConfigurationError:
            (height, width), (rows, columns) = before_HW.shape, after_HW.shape
            raise ConfigurationError(
                f"the prediction of {row['content_source']} is {width}x{height}, that of {row['image']} "
                f"{columns}x{rows}: predict both at one size"
            ) from None

    def _read(self, predictions: Predictions, names: Sequence[str]) -> npt.NDArray[np.integer]:
        path = predictions.find(names)
        if path is None:
            raise BadInput(f"missing prediction: none in {predictions.storage.url} has the name of {names[0]}")
        try:
            return read_ids(predictions.storage.read(path))
        except BadInput as error:
            raise BadInput(f"unreadable prediction: {path}: {error.reason}") from error


class _Reader:
    """Reads the three pictures of a row of the provenance at the size they are compared at."""

    def __init__(
        self,
        made: _Made,
        dataset: str | os.PathLike[str] | None,
        exemplars: str | os.PathLike[str] | None,
        segmenter: _Segmenter | None,
    ) -> None:
        options = made.storage.options
        self._out, self._frame, self._segmenter = made.storage, made.frame, segmenter
        self._contents = Storage(dataset or made.run["sources"]["dataset"], options)
        styles = made.run["sources"].get("styles")
        if exemplars is not None:
            self._exemplars = Storage(exemplars, options)
        elif styles is None:
            self._exemplars = self._contents
        else:
            self._exemplars = Storage(_dataset_of(styles, options), options)

    def __call__(self, row: Row) -> Triple:
        content_HWC = self._read(self._contents, row["content_source"])
        output_HWC = self._read(self._out, row["image"])
        exemplar_HWC = self._read(self._exemplars, row["exemplar_source"])
        return Triple(
            content_CHW=to_model(content_HWC, *self._frame),
            output_CHW=to_model(output_HWC, *self._frame),
            exemplar=row["exemplar"],
            exemplar_CHW=to_model(exemplar_HWC, *self._frame),
            score=content_score(content_HWC, output_HWC),
            agreement=None if self._segmenter is None else self._segmenter(row),
        )

    def _read(self, storage: Storage, path: str) -> Pixels:
        try:
            return decode_rgb(storage.read(path))
        except BadInput as error:
            raise BadInput(f"unreadable picture: {storage.locate(path)}: {error.reason}") from error


def _dataset_of(styles: str, options: Mapping[str, Any]) -> str:
    try:
        return str(load(Storage(styles, options))["sources"]["dataset"])
    except StylizeError as error:
        raise ConfigurationError(
            f"the exemplars' cache {styles} is gone ({error}): say where their pictures are, with --exemplars"
        ) from error


def _segmenter(
    before: str | os.PathLike[str] | None,
    after: str | os.PathLike[str] | None,
    storage_options: Mapping[str, Any] | None,
) -> _Segmenter | None:
    if before is None and after is None:
        return None
    if before is None or after is None:
        raise ConfigurationError("give --predictions-before and --predictions-after together, or neither")
    return _Segmenter(Predictions(Storage(before, storage_options)), Predictions(Storage(after, storage_options)))


def _agreement(matrix: ConfusionMatrix) -> dict[str, Any]:
    """Return how far a segmenter's predictions agree before and after, in all and by id."""
    iou = {str(number): float(value) for number, value in enumerate(matrix.iou()) if not np.isnan(value)}
    return {**finite({"agreement": matrix.accuracy(), "mean_iou": matrix.mean_iou()}), "iou": finite(iou)}
