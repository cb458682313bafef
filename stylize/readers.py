"""A PyTorch dataset of originals and their stylized copies, for trainers that mix them as they go.

import stylize
from torch.utils.data import DataLoader

dataset = stylize.MixedDataset("camvid", ["dusk", "fog"], p=0.5, split="train", transform=augment)
for epoch in range(100):
    dataset.set_epoch(epoch)
    for batch in DataLoader(dataset, batch_size=8, shuffle=True, num_workers=4):
        step(batch.image, batch.label)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from stylize.copies import Place, open_copies
from stylize.datasets.base import Dataset, open_dataset
from stylize.errors import ConfigurationError
from stylize.evaluation.pairing import labelled
from stylize.images import decode_label, decode_rgb
from stylize.plan import item_seed
from stylize.storage import Storage


class Item(NamedTuple):
    """A picture as a `MixedDataset` draws it.

    Attributes:
        image: `[3, H, W]`, uint8.
        label: ids `[H, W]`, int64; `[3, H, W]` for a label in colours, `[0]` without labels.
        copy: 0 for the original, n for its n-th copy, counted over all outputs in the order they were given.
        id: of the original.
        path: where it was read from.
    """

    image: Tensor
    label: Tensor
    copy: int
    id: str
    path: str


class Files(NamedTuple):
    """The files of an original or of a copy: the storage's number, the picture, and the label or ""."""

    storage: int
    image: str
    label: str


class MixedDataset(data.Dataset[Any]):
    """One item per original; each epoch it is the original or, with probability `p`, one of its copies.

    Which one follows from seed, epoch and id alone: not from workers, their number, the order or how often one asks. A
    picture without copies is always the original. Works with any workers of a `DataLoader`: `set_epoch` reaches
    those that are running.

    Args:
        originals: the dataset that the copies were made of, a folder or URL of any layout.
        copies: one output of `mix` or several, of any format.
        p: how often an item that has copies is one of them, 0 to 1; all its copies are equally likely.
        seed: start of all draws.
        layout, split: how to read the originals and which part of them, see `stylize.open_dataset`.
        label_kind: which labels, where there are several kinds, such as `gtFine_labelTrainIds`.
        labels: False for pictures alone.
        flagged: whether copies count whose content score stayed too low (see `mix`).
        transform: called with each `Item`; what it returns is what the dataset gives.
        storage_options: passed to fsspec for all URLs.

    Raises:
        ConfigurationError: an argument does not fit, or the copies are not of these originals.
    """

    def __init__(
        self,
        originals: Place,
        copies: Place | Sequence[Place],
        *,
        p: float = 0.5,
        seed: int = 0,
        layout: str = "auto",
        split: str | None = None,
        label_kind: str | None = None,
        labels: bool = True,
        flagged: bool = True,
        transform: Callable[[Item], Any] | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        if not 0 <= p <= 1:
            raise ConfigurationError(f"p is the probability of a copy, between 0 and 1, not {p:g}")
        if label_kind is not None and not labels:
            raise ConfigurationError("a kind of label means nothing without labels: leave one of the two out")
        self.p, self.seed, self.transform = p, seed, transform
        dataset = open_dataset(originals, layout=layout, split=split, storage_options=storage_options)
        self._storages: list[Storage] = [dataset.storage]
        self._ids, self._originals = _originals(dataset, label_kind, labels=labels)
        self._copies: list[list[Files]] = [[] for _ in self._ids]
        places = {id: index for index, id in enumerate(self._ids)}
        for out in open_copies(copies, storage_options=storage_options):
            self._storages.append(out.storage)
            for sample, row in out.of(dataset):
                index = places.get(sample.id)
                if index is None or (row.flagged and not flagged):
                    continue
                label = self._originals[index].label
                files = Files(len(self._storages) - 1, row.image, label and out.label_of(row, sample, label))
                self._copies[index].append(files)
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self._ids)

    def set_epoch(self, epoch: int) -> None:
        """Draw anew: call it before each epoch, also while workers are running."""
        self._epoch.fill_(epoch)

    def copies_of(self, index: int) -> int:
        """Return how many copies an item has."""
        return len(self._copies[index])

    def drawn(self, index: int) -> int:
        """Return which copy an item is in this epoch, 0 for the original, without reading it."""
        copies = len(self._copies[index])
        chance = random.Random(item_seed(self.seed, self._ids[index], int(self._epoch)))
        if chance.random() >= self.p or not copies:
            return 0
        return 1 + chance.randrange(copies)

    def __getitem__(self, index: int) -> Any:
        """Return an item of this epoch; raises `BadInput` for a picture or label that cannot be read."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        index %= len(self)
        copy = self.drawn(index)
        files = self._copies[index][copy - 1] if copy else self._originals[index]
        storage = self._storages[files.storage]
        image = torch.from_numpy(np.ascontiguousarray(decode_rgb(storage.read(files.image)).transpose(2, 0, 1)))
        label = _label(storage, files.label) if files.label else torch.empty(0, dtype=torch.int64)
        item = Item(image, label, copy, self._ids[index], storage.locate(files.image))
        return item if self.transform is None else self.transform(item)


def _originals(dataset: Dataset, kind: str | None, *, labels: bool) -> tuple[list[str], list[Files]]:
    """Return ids and files of the pictures that have a label of a kind, or of all."""
    if not labels:
        return [sample.id for sample in dataset.samples], [Files(0, sample.image, "") for sample in dataset.samples]
    frames, _ = labelled(dataset, kind)
    return [sample.id for sample, _ in frames], [Files(0, sample.image, label) for sample, label in frames]


def _label(storage: Storage, path: str) -> Tensor:
    ids = decode_label(storage.read(path))
    ids = ids if ids.ndim == 2 else ids.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(ids).astype(np.int64))
