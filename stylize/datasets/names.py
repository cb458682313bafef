"""File names by the million: one run of bytes in the order of the names, instead of one Python object each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


class Names(Sequence[str]):
    """Texts that take their UTF-8 bytes and 8 more; an index makes a string, a slice a list."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")
        self.is_sorted = True
        last = ""
        for text in texts:
            self._bytes += text.encode()
            self._ends.append(len(self._bytes))
            self.is_sorted = self.is_sorted and last <= text
            last = text

    @classmethod
    def in_order(cls, texts: Iterable[str]) -> Names:
        """Return the names sorted; those that come in order, as listings do, cost nothing more."""
        names = cls(texts)
        return names if names.is_sorted else cls(names[number] for number in names.order().data)

    def order(self) -> npt.NDArray[np.uint64]:
        """Return the numbers of the names, sorted by name."""
        starts = np.concatenate([np.zeros(1, np.int64), np.frombuffer(self._ends, np.int64)])
        buffers = pa.py_buffer(starts), pa.py_buffer(self._bytes)
        order: npt.NDArray[np.uint64] = pc.sort_indices(
            pa.LargeStringArray.from_buffers(len(self), *buffers)
        ).to_numpy()
        return order

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if index < 0:
            index = range(len(self))[index]
        return self._bytes[self._ends[index - 1] if index else 0 : self._ends[index]].decode()

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self._ends:
            yield self._bytes[start:end].decode()
            start = end


class Files(Sequence[str]):
    """Some of the names of a listing, with their numbers in it."""

    def __init__(self, names: Names, numbers: Sequence[int]) -> None:
        self.names = names
        self.numbers = numbers

    def numbered(self) -> Iterator[tuple[int, str]]:
        """Yield each name with its number in the listing."""
        return zip(self.numbers, self, strict=True)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self.names[number] for number in self.numbers[index]]
        return self.names[self.numbers[index]]

    def __iter__(self) -> Iterator[str]:
        return map(self.names.__getitem__, self.numbers)
