"""What a layout is, and how images and their labels are brought together."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stylize.datasets.names import Names
from stylize.datasets.samples import Samples
from stylize.datasets.tree import Tree, is_image, sample_id, stem
from stylize.digests import Digests
from stylize.packed import inner
from stylize.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a layout makes of a tree."""

    samples: Samples
    orphans: tuple[tuple[str, str], ...] = ()
    """(split, path) of each label whose image is missing."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A convention of names: how to recognise it and how to read it.

    Where files lie in shards, `unpack` makes the tree of their addresses first (see `stylize.packed`).
    """

    name: str
    example: str
    recognise: Callable[[Tree], bool]
    collect: Callable[[Tree], Found]
    unpack: Callable[[Storage, Tree], Tree] | None = None


class Matcher:
    """Brings images and labels together that lie in one group (split, city, ...) and share a key.

    Linear in files. Files are numbers in the listing, keys are digests: some 70 bytes per image and 8 per label.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known = Digests()  # of group and key of each image
        self._images, self._keys, self._splits = array("I"), array("H"), array("H")
        self._split_numbers: dict[str, int] = {}
        self._labels, self._owners = array("I"), array("I")  # a label's number, and the first image with its key
        self._orphans: list[tuple[str, str]] = []

    def add_image(self, group: str, key: str, number: int, split: str) -> None:
        """Take an image, whose basename begins with `key`; several may share a key (the strengths of one fog)."""
        self._known.add(_identity(group, key))
        self._images.append(number)
        self._keys.append(len(key))
        self._splits.append(self._split_numbers.setdefault(split, len(self._split_numbers)))

    def attach(self, group: str, number: int, path: str) -> bool:
        """Give a label to the images of a group that it is named after, once all are known; say whether there are."""
        for key in leading(stem(path)):
            owner = self._known.find(_identity(group, key))
            if owner is not None:
                self._labels.append(number)
                self._owners.append(owner)
                return True
        return False

    def add_label(self, group: str, number: int, path: str, split: str = "") -> None:
        """Take a label after all images; one without an image is an orphan, unless it is no picture."""
        if not self.attach(group, number, path):
            self.add_orphan(path, split)

    def add_orphan(self, path: str, split: str) -> None:
        """Note a label that no image is known for, if it is a picture."""
        if is_image(path):
            self._orphans.append((split, path))

    @property
    def any_labels(self) -> bool:
        """Whether any label has found its image."""
        return len(self._labels) > 0

    def found(self, note: str = "") -> Found:
        """Return the samples, sorted by id; to be called once, after all files."""
        owner = self._known.firsts().astype(np.uint32)
        self._known = Digests()  # no longer needed, and sorting the ids wants as much memory
        labels, owners = np.frombuffer(self._labels, np.uint32), np.frombuffer(self._owners, np.uint32)
        by_owner = np.lexsort((labels, owners))  # the listing is sorted, and so are the labels of an image
        order, whole = self._by_id()
        owner = owner[order]
        samples = Samples(
            names=self._names,
            images=np.frombuffer(self._images, np.uint32)[order],
            keys=np.frombuffer(self._keys, np.uint16)[order],
            whole=whole,
            splits=np.frombuffer(self._splits, np.uint16)[order],
            split_names=tuple(self._split_numbers),
            first=np.searchsorted(owners[by_owner], owner, "left").astype(np.uint32),
            last=np.searchsorted(owners[by_owner], owner, "right").astype(np.uint32),
            labels=labels[by_owner],
        )
        return Found(samples=samples, orphans=tuple(sorted(self._orphans)), note=note)

    def _by_id(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
        """Return the images in order of their ids, and whether each id is the whole path, as of `a.png` and `a.jpg`."""
        whole = np.zeros(len(self._images), bool)
        ids = Names(sample_id(self._names[number]) for number in self._images)
        order = ids.order()
        for first, second in pairwise(order.data):
            if ids[first] == ids[second]:
                whole[[first, second]] = True
        if whole.any():
            paths = zip(whole.data, map(self._names.__getitem__, self._images), strict=True)
            order = Names(inner(path) if clash else sample_id(path) for clash, path in paths).order()
        return order, whole[order]


def leading(name: str) -> Iterator[str]:
    """Yield the beginnings of a name that may be a key, the longest first: they end where it ends, at a `_` or `.`."""
    end = len(name)
    while end > 0:
        yield name[:end]
        end = max(name.rfind("_", 0, end), name.rfind(".", 0, end))


def _identity(group: str, key: str) -> str:
    return f"{group}\0{key}"
