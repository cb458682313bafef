"""The exemplars a plan draws from: names, hashes and places of all of them, in columns instead of objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

from stylize.cache import Entry
from stylize.datasets.names import Names
from stylize.plan import Picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemplar(Picture):
    """A style exemplar and where it is: the shard with its codes, and its file, relative to its dataset."""

    unit: int = field(compare=False)
    image: str = field(compare=False)


class Exemplars(Sequence[Exemplar]):
    """Exemplars in order of their ids: 46 bytes each and those of the id; an index makes an object, a slice a list."""

    def __init__(self, entries: Iterable[tuple[Entry, str]]) -> None:
        """Take the entries of a cache, sorted by id as it lists them, with the sha256 of their files."""
        self._hashes = bytearray()
        self._units, self._endings = array("I"), array("H")
        self._texts: dict[str, int] = {}  # of the endings, such as ".png"
        self._ids = Names(map(self._take, entries))

    def _take(self, item: tuple[Entry, str]) -> str:
        entry, sha256 = item
        self._hashes += bytes.fromhex(sha256)
        self._units.append(entry.unit)
        # An id is the path of its image, mostly without the extension.
        self._endings.append(self._texts.setdefault(entry.image.removeprefix(entry.id), len(self._texts)))
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
            image=id + self._endings_by_number[self._endings[number]],
        )

    @cached_property
    def _endings_by_number(self) -> list[str]:
        return list(self._texts)
