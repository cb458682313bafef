"""Labelled datasets in memory, at the size at which the reference trainer sees them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylize.datasets.base import open_dataset
from stylize.datasets.tree import Sample, is_image
from stylize.images import Pixels, decode_label, decode_rgb
from stylize.labelsets import IdMapping, LabelSet, identity, label_set

Labels = npt.NDArray[np.uint8]


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
    to_classes = mapping or identity(classes_of(path))

    def load(sample: Sample) -> tuple[Pixels, Labels, Labels]:
        image = Image.fromarray(decode_rgb(dataset.storage.read(sample.image)))
        full = to_classes(decode_label(dataset.storage.read(_label(sample))))
        size = (max(16, round(image.width * height / image.height / 16) * 16), height)
        label = Image.fromarray(full).resize(size, Image.Resampling.NEAREST)
        return np.asarray(image.resize(size, Image.Resampling.BOX)), np.asarray(label), full

    with ThreadPoolExecutor(2) as threads:
        images, labels, full = zip(*threads.map(load, dataset.samples), strict=True)
    ids = tuple(sample.id for sample in dataset.samples)
    return Frames(ids=ids, images=list(images), labels=list(labels), full=list(full))


def classes_of(dataset: str | os.PathLike[str]) -> LabelSet:
    """Return the label set that a dataset's classes.json describes."""
    return label_set(os.path.join(dataset, "classes.json"))


def _label(sample: Sample) -> str:
    return next(path for path in sample.labels if is_image(path))
