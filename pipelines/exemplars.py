"""The exemplars a plan draws from: names, hashes and places of all of them, in columns instead of objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

from stylize.cache import Entry
from stylize.datasets.names import Names
from stylize.packed import inner
from stylize.plan import Picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemplar(Picture):
    """A style exemplar and where it is: the shard with its codes, and its file, relative to its dataset."""

    unit: int = field(compare=False)
    image: str = field(compare=False)


class Exemplars(Sequence[Exemplar]):
    """Exemplars in order of their ids: 46 bytes each and those of the id; an index makes an object, a slice a list.

    Those inside shards take their addresses and 8 bytes more (all of a cache are in shards, or none).
    """

    def __init__(self, entries: Iterable[tuple[Entry, str]]) -> None:
        """Take the entries of a cache, sorted by id as it lists them, with the sha256 of their files."""
        self._hashes = bytearray()
        self._units, self._endings = array("I"), array("H")
        self._texts: dict[str, int] = {}  # of the endings, such as ".png"
        self._shards, self._ends = bytearray(), array("Q")  # what stands before the name in an address
        self._ids = Names(map(self._take, entries))

    def _take(self, item: tuple[Entry, str]) -> str:
        entry, sha256 = item
        self._hashes += bytes.fromhex(sha256)
        self._units.append(entry.unit)
        name = inner(entry.image)
        if name != entry.image:
            self._shards += entry.image.removesuffix(name).encode()
            self._ends.append(len(self._shards))
        # An id is the path of its image, mostly without the extension.
        self._endings.append(self._texts.setdefault(name.removeprefix(entry.id), len(self._texts)))
        return entry.id

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> Exemplar: ...
    @overload
    def __getitem__(self, index: slice) -> list[Exemplar]: ...
    def __getitem__(self, index: int | slice) -> Exemplar | list[Exemplar]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        id = self._ids[number]
        return Exemplar(
            id=id,
            sha256=self._hashes[32 * number : 32 * number + 32].hex(),
            unit=self._units[number],
            image=self._shard(number) + id + self._endings_by_number[self._endings[number]],
        )

    def _shard(self, number: int) -> str:
        if not self._ends:
            return ""
        return self._shards[self._ends[number - 1] if number else 0 : self._ends[number]].decode()

    @cached_property
    def _endings_by_number(self) -> list[str]:
        return list(self._texts)
