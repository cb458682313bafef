"""Which prediction and which label file belong to a frame: predictions by their names, labels by their kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stylize.datasets.base import Dataset
from stylize.datasets.labels import label_kind, promised
from stylize.datasets.matching import leading
from stylize.datasets.tree import Sample, is_image, is_visible, stem
from stylize.errors import BadInput, ConfigurationError
from stylize.labelsets import LABEL_SETS, LabelSet, described_set
from stylize.storage import Storage

_SET_OF = {"train-ids": "cityscapes19", "label-ids": "cityscapes34"}
_NO_IDS = frozenset({"colour", "instances"})


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A labelled frame with its prediction, or without one; `label` is relative to the dataset."""

    sample: Sample
    label: str
    prediction: str | None


class Predictions:
    """The label pictures of a folder by the names of the frames they belong to.

    A prediction has the name of its picture, or of its label file, or begins with what these have in common:
    `aachen_000000_000019_leftImg8bit.png`, `..._gtFine_labelTrainIds.png` and `aachen_000000_000019_pred.png` are all
    found. Of several, the one in folders of the same names counts; the folders may be left out where names are unique.
    """

    def __init__(self, storage: Storage, keys: Collection[str] = ()) -> None:
        self.storage = storage
        self.paths = [path for path in storage.list() if is_visible(path) and is_image(path)]
        if not self.paths:
            raise ConfigurationError(f"no label pictures in {storage.url}: give the folder that holds the predictions")
        self._exact: dict[str, list[str]] = {}
        self._by_key: dict[str, list[str]] = {}
        for path in self.paths:
            self._exact.setdefault(stem(path), []).append(path)
            key = next((name for name in leading(stem(path)) if name in keys), None)
            if key is not None:
                self._by_key.setdefault(key, []).append(path)

    def find(self, names: Sequence[str], key: str | None = None) -> str | None:
        """Return the prediction of a frame, given its files, the best name first; None when there is none.

        Raises ConfigurationError when several fit equally well.
        """
        for name in names:
            if found := self._exact.get(stem(name)):
                return self._nearest(found, name)
        return self._nearest(self._by_key[key], names[0]) if key in self._by_key else None

    def _nearest(self, found: Sequence[str], name: str) -> str:
        shared = [len(_folders(path) & _folders(name)) for path in found]
        best = [path for path, number in zip(found, shared, strict=True) if number == max(shared)]
        if len(best) > 1:
            raise ConfigurationError(
                f"{best[0]} and {best[1]} in {self.storage.url} could both be the prediction of {name}: "
                "keep one kind of picture per frame, in the dataset's own folders"
            )
        return best[0]


def pair(samples: Iterable[tuple[Sample, str]], predictions: Predictions) -> list[Pair]:
    """Bring labelled frames and predictions together.

    Raises ConfigurationError when no frame has a prediction, or two frames would share one.
    """
    pairs, taken = [], dict[str, str]()
    for sample, label in samples:
        found = predictions.find((sample.image, label), sample.key)
        if found is not None and taken.setdefault(found, sample.image) != sample.image:
            raise ConfigurationError(
                f"{found} in {predictions.storage.url} would be the prediction of {taken[found]} and of "
                f"{sample.image}: put predictions into the dataset's own folders"
            )
        pairs.append(Pair(sample=sample, label=label, prediction=found))
    if not taken:
        raise ConfigurationError(
            f"none of the {len(pairs)} labelled pictures, such as {pairs[0].sample.image}, has a prediction in "
            f"{predictions.storage.url}, which holds {predictions.paths[0]}: name predictions after their pictures"
        )
    return pairs


def labelled(dataset: Dataset, kind: str | None = None) -> tuple[list[tuple[Sample, str]], str]:
    """Return the frames that have a label of one kind, each with its file, and the kind.

    Without `kind`, the only one there is, or Cityscapes' train ids before its label ids. Raises ConfigurationError when
    there are no labels, or the choice is open.
    """
    kinds = Counter(label_kind(s, path) for s in dataset.samples for path in s.labels if is_image(path))
    chosen = _chosen_kind(kinds, kind, dataset.storage.url)
    frames = []
    for sample in dataset.samples:
        its = [path for path in sample.labels if is_image(path) and label_kind(sample, path) == chosen]
        if len(its) > 1:
            raise ConfigurationError(
                f"{its[0]} and {its[1]} are both {chosen} of {sample.image}: take one of them out of the dataset"
            )
        frames += [(sample, path) for path in its]
    return frames, chosen


def _chosen_kind(kinds: Counter[str], wanted: str | None, url: str) -> str:
    if not kinds:
        raise ConfigurationError(f"no label pictures in {url}: give a dataset with labels, or correct --layout")
    if wanted is not None:
        if wanted not in kinds:
            raise ConfigurationError(f"no labels of kind {wanted!r} in {url}: there are {', '.join(sorted(kinds))}")
        return wanted
    candidates = [kind for kind in kinds if promised(kind) not in _NO_IDS] or list(kinds)
    for verdict in ("train-ids", "label-ids"):
        if of_verdict := [kind for kind in candidates if promised(kind) == verdict]:
            candidates = of_verdict
            break
    if len(candidates) > 1:
        raise ConfigurationError(
            f"several kinds of labels in {url}: choose with --label-kind {' or '.join(sorted(candidates))}"
        )
    return candidates[0]


def own_set(dataset: Dataset, kind: str) -> LabelSet | None:
    """Return the label set that a dataset's labels follow: by their kind's name, by its classes.json, by layout."""
    verdict = promised(kind)
    if verdict is not None and verdict in _SET_OF:
        return LABEL_SETS[_SET_OF[verdict]]
    described = _described(dataset)
    if described is not None:
        return described_set(described, dataset.storage.locate("classes.json"))
    return LABEL_SETS["cityscapes19"] if dataset.layout == "bdd100k" else None


def _described(dataset: Dataset) -> Any:
    """Return a parsed classes.json that lists classes; any other of that name is the user's own business."""
    if "classes.json" not in dataset.extras:
        return None
    try:
        described = dataset.storage.read_json("classes.json")
    except BadInput:
        return None
    return described if isinstance(described, dict) and isinstance(described.get("classes"), list) else None


def _folders(path: str) -> set[str]:
    return set(path.split("/")[:-1])
