"""The labelled sets that models are scored on: proxy sets with the contents behind their copies, and plain datasets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipelines import provenance
from pipelines.events import Event, Note
from pipelines.fingerprint import MANIFEST
from pipelines.proxyscores import Counted, LabelledSet
from stylize.datasets.base import Dataset, open_dataset
from stylize.errors import ConfigurationError
from stylize.evaluation.pairing import labelled
from stylize.evaluation.segmentation import choose
from stylize.spelling import count
from stylize.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How label files and predictions are read; the words are those of `stylize evaluate segmentation`."""

    classes: str | None = None
    label_kind: str | None = None
    label_mapping: str | Mapping[str, Any] | None = None
    prediction_mapping: str | Mapping[str, Any] | None = None
    ignore: Sequence[int] = ()
    ignore_unknown: bool = False
    resize: bool = False
    storage_options: Mapping[str, Any] | None = None

    def open(self, name: str, dataset: Dataset, contents: Mapping[str, str] | None = None) -> LabelledSet:
        """Return a labelled set; `contents` names the content of each picture, those without one are left out."""
        frames, kind = labelled(dataset, self.label_kind)
        known = contents if contents is not None else {sample.image: sample.id for sample, _ in frames}
        kept = [(sample, label) for sample, label in frames if sample.image in known]
        return LabelledSet(
            name=name,
            storage=dataset.storage,
            frames=kept,
            contents=[known[sample.image] for sample, _ in kept],
            comparison=choose(
                dataset,
                kind,
                classes=self.classes,
                label_mapping=self.label_mapping,
                prediction_mapping=self.prediction_mapping,
                ignore=self.ignore,
                resize=self.resize,
                unknown="ignore" if self.ignore_unknown else "refuse",
                storage_options=self.storage_options,
            ),
        )


def proxy_sets(storage: Storage, record: Mapping[str, Any], reading: Reading) -> dict[str, LabelledSet]:
    """Open the targets of `proxy.json`, all for the classes of the first.

    Raises ConfigurationError when there is none or one is not finished.
    """
    if not record["targets"]:
        raise ConfigurationError(f"{storage.url} holds no target yet: run the same `stylize proxy build` again")
    sets: dict[str, LabelledSet] = {}
    for name in record["targets"]:
        target = storage.sub(name)
        if not target.exists(MANIFEST):
            raise ConfigurationError(
                f"the target {name} of {storage.url} is not finished: run the same `stylize proxy build` again"
            )
        dataset = open_dataset(target.url, layout=record["labels"]["layout"], storage_options=reading.storage_options)
        sets[name] = reading.open(f"proxy {name}", dataset, _contents(target))
        reading = replace(reading, classes=sets[name].comparison.classes.name)
    return sets


def plain_set(
    name: str, where: str | os.PathLike[str], reading: Reading, *, layout: str = "auto", split: str | None = None
) -> LabelledSet:
    """Open a labelled dataset, each of whose pictures is a content of its own."""
    dataset = open_dataset(where, layout=layout, split=split, storage_options=reading.storage_options)
    return reading.open(name, dataset)


def in_common(counted: Mapping[str, Counted], on_event: Callable[[Event], None]) -> dict[str, Counted]:
    """Return the counts of the contents that every target has, so that all are resampled together."""
    shared = sorted(set.intersection(*(set(one.contents) for one in counted.values())))
    largest = max(len(one.contents) for one in counted.values())
    if len(shared) < largest:
        verb = "is" if largest - len(shared) == 1 else "are"
        text = f"{count(largest - len(shared), 'content')} failed in some target and {verb} left out of all"
        on_event(Note(text=text))
    return {name: _only(one, shared) for name, one in counted.items()}


def _only(counted: Counted, contents: Sequence[str]) -> Counted:
    places = (
        [counted.contents.index(content) for content in contents] if len(contents) < len(counted.contents) else None
    )
    counts_MNCP = counted.counts_MNCP if places is None else counted.counts_MNCP[:, np.array(places, np.int64)]
    return replace(counted, contents=tuple(contents), counts_MNCP=counts_MNCP)


def _contents(target: Storage) -> dict[str, str]:
    """Return the content that each picture of a mix was made from, by its path."""
    files = (provenance.read_rows(target.read(path)) for path in target.list("provenance"))
    return {row["image"]: row["content"] for rows in files for row in rows}
