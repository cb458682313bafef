"""A great many texts known by their digests: 16 bytes each to remember, some 40 to search, and no objects."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_LOW = (1 << 64) - 1


class Digests:
    """Texts, numbered as they come; once in 10^22 sets of a hundred million are two of them taken for one.

    Add them all before asking: the first question after `add` sorts.
    """

    def __init__(self) -> None:
        self._high, self._low = array("Q"), array("Q")
        self._index: tuple[array[int], array[int], npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self._high)

    def add(self, text: str) -> None:
        """Remember one more text."""
        high, low = _digest(text)
        self._high.append(high)
        self._low.append(low)
        self._index = None

    def find(self, text: str) -> int | None:
        """Return the number of the first text that equals this one, None when there is none."""
        wanted_high, wanted_low = _digest(text)
        high, low, order = self._sorted()
        place = bisect_left(high, wanted_high)
        while place < len(high) and high[place] == wanted_high:
            if low[place] == wanted_low:
                return int(order[place])
            place += 1
        return None

    def firsts(self) -> npt.NDArray[np.int64]:
        """Return for each text the number of the first that equals it, which is its own when nothing came before."""
        high, low, order = self._sorted()
        highs, lows = np.frombuffer(high, np.uint64), np.frombuffer(low, np.uint64)
        begins = np.ones(len(order), bool)
        begins[1:] = (highs[1:] != highs[:-1]) | (lows[1:] != lows[:-1])
        first = np.empty_like(order)
        first[order] = order[begins][np.cumsum(begins) - 1]
        return first

    def repeated(self) -> Iterator[int]:
        """Yield the numbers of the texts that equal an earlier one, in order."""
        yield from np.flatnonzero(self.firsts() != np.arange(len(self))).tolist()

    def _sorted(self) -> tuple[array[int], array[int], npt.NDArray[np.int64]]:
        """Return both halves of the digests in their order, equal ones as they came, and the numbers of the texts."""
        if self._index is None:
            high, low = np.frombuffer(self._high, np.uint64), np.frombuffer(self._low, np.uint64)
            order = np.lexsort((low, high))
            # bisect compares items of an array ten times faster than those of numpy.
            self._index = array("Q", high[order].tobytes()), array("Q", low[order].tobytes()), order
        return self._index


def _digest(text: str) -> tuple[int, int]:
    number = int.from_bytes(hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).digest(), "little")
    return number >> 64, number & _LOW
