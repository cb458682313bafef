"""All samples of a dataset as numbers into one listing of its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from stylize.datasets.names import Names
from stylize.datasets.tree import Sample, sample_id
from stylize.packed import inner


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples(Sequence[Sample]):
    """Samples sorted by id: 17 bytes each and 4 per label, beside the names; an index makes a `Sample`, a slice a list.

    `labels[first[n]:last[n]]` are the labels of sample n; several samples may share theirs.
    """

    names: Names
    images: npt.NDArray[np.uint32]
    keys: npt.NDArray[np.uint16]
    """Lengths: a key is the beginning of its image's basename."""
    whole: npt.NDArray[np.bool_]
    """Whether the id is the whole path of the image, with its extension."""
    splits: npt.NDArray[np.uint16]
    split_names: Sequence[str]
    first: npt.NDArray[np.uint32]
    last: npt.NDArray[np.uint32]
    labels: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return self._sample(*(column[index].item() for column in self._columns()))

    def __iter__(self) -> Iterator[Sample]:
        return starmap(self._sample, zip(*(column.data for column in self._columns()), strict=True))

    def _columns(self) -> tuple[npt.NDArray[Any], ...]:
        return self.images, self.keys, self.whole, self.splits, self.first, self.last

    def _sample(self, number: int, key: int, whole: bool, split: int, first: int, last: int) -> Sample:
        image = self.names[number]
        start = image.rfind("/") + 1
        return Sample(
            id=inner(image) if whole else sample_id(image),
            image=image,
            labels=tuple(self.names[label] for label in self.labels.data[first:last]),
            split=self.split_names[split],
            key=image[start : start + key],
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Samples) and len(self) == len(other) and all(map(Sample.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def ids(self) -> Iterator[str]:
        """Yield the ids."""
        for number, whole in zip(self.images.data, self.whole.data, strict=True):
            yield inner(self.names[number]) if whole else sample_id(self.names[number])

    def per_split(self, *, labelled: bool = False) -> dict[str, int]:
        """Return the number of samples, or of those with labels, of each split that has any, sorted by name."""
        chosen = self.splits[self.last > self.first] if labelled else self.splits
        counts = Counter({self.split_names[n]: int(count) for n, count in enumerate(np.bincount(chosen)) if count})
        return dict(sorted(counts.items()))

    def head(self, limit: int | None) -> Samples:
        """Return the first so many samples, or all."""
        return self._only(slice(limit))

    def of_splits(self, wanted: Collection[str]) -> Samples:
        """Return the samples of some splits."""
        return self._only(np.array([name in wanted for name in self.split_names], bool)[self.splits])

    def _only(self, chosen: Any) -> Samples:
        columns = ("images", "keys", "whole", "splits", "first", "last")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})
