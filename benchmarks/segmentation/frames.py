"""Labelled datasets in memory, at the size at which the reference trainer sees them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylize.datasets.base import Dataset, open_dataset
from stylize.datasets.labels import label_kind, promised
from stylize.datasets.tree import Sample
from stylize.errors import ConfigurationError
from stylize.evaluation.pairing import labelled, own_set
from stylize.images import Pixels, decode_rgb
from stylize.labelsets import IdMapping, LabelSet, between, id_mapping, identity, label_set, read_ids

Labels = npt.NDArray[np.uint8]
KINDS = {"cityscapes19": "train-ids", "cityscapes34": "label-ids"}


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Pictures and labels of one size; `full` are the labels at their own size, for measuring."""

    ids: tuple[str, ...]
    images: list[Pixels]
    labels: list[Labels]
    full: list[Labels]

    def __len__(self) -> int:
        return len(self.ids)


def load_frames(
    path: str | os.PathLike[str], height: int, *, split: str | None = None, mapping: IdMapping | None = None
) -> Frames:
    """Read a labelled dataset with its pictures `height` high, a multiple of 16 wide.

    Labels that are no class become `labelsets.IGNORE`. `mapping` brings other label sets to that of the network;
    without it the dataset's classes.json says what its ids are.
    """
    dataset = open_dataset(path, split=split)
    return _load(dataset, labelled(dataset)[0], height, mapping or identity(classes_of(path)))


def load_target(
    path: str | os.PathLike[str], height: int, classes: LabelSet, *, labels: str = "", ids: str = "*"
) -> Frames:
    """Read a labelled target, its ids brought to `classes`, as `load_frames` does; frames without a label are left out.

    `labels` names the label set or a JSON file of ids; "" takes what the names of the label files or classes.json say.
    `ids` is a pattern for the frames to take, such as `rgb_anon/fog/val/*`. Raises ConfigurationError with a remedy.
    """
    dataset = open_dataset(path)
    frames, kind = labelled(dataset, _kind(dataset, labels))
    kept = [(sample, label) for sample, label in frames if fnmatchcase(sample.id, ids)]
    if not kept:
        raise ConfigurationError(f"no labelled frame in {path} is called {ids!r}: ids look like {frames[0][0].id}")
    own = own_set(dataset, kind)
    if labels:
        return _load(dataset, kept, height, id_mapping(labels, target=classes))
    if own is None:
        raise ConfigurationError(f"what do the ids in {path} mean? name their set after it, as {path},cityscapes19")
    return _load(dataset, kept, height, between(own, classes))


def _kind(dataset: Dataset, labels: str) -> str | None:
    """Return the kind of label files that hold ids of the set `labels`, where their names tell."""
    kinds = {label_kind(sample, path) for sample in dataset.samples for path in sample.labels}
    fitting = [kind for kind in kinds if labels and promised(kind) == KINDS.get(labels.partition(":")[0], "")]
    return fitting[0] if len(fitting) == 1 else None


def _load(dataset: Dataset, frames: list[tuple[Sample, str]], height: int, to_classes: IdMapping) -> Frames:
    def load(frame: tuple[Sample, str]) -> tuple[Pixels, Labels, Labels]:
        sample, path = frame
        image = Image.fromarray(decode_rgb(dataset.storage.read(sample.image)))
        full = to_classes(read_ids(dataset.storage.read(path)))
        size = (max(16, round(image.width * height / image.height / 16) * 16), height)
        label = Image.fromarray(full).resize(size, Image.Resampling.NEAREST)
        return np.asarray(image.resize(size, Image.Resampling.BOX)), np.asarray(label), full

    with ThreadPoolExecutor(2) as threads:
        images, labels, full = zip(*threads.map(load, frames), strict=True)
    names = tuple(sample.id for sample, _ in frames)
    return Frames(ids=names, images=list(images), labels=list(labels), full=list(full))


def classes_of(dataset: str | os.PathLike[str]) -> LabelSet:
    """Return the label set that a dataset's classes.json describes."""
    return label_set(os.path.join(dataset, "classes.json"))
