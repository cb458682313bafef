"""Which exemplar styles which picture: pure functions of the seed and of names, never of listing order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, TypeVar

from stylize.errors import FatalError


@dataclass(frozen=True, kw_only=True, order=True, slots=True)
class Picture:
    """A picture as the plan sees it: its id and, when known, the SHA-256 of its bytes ("" when not)."""

    id: str
    sha256: str = ""

    @property
    def identity(self) -> str:
        """What copies of one picture have in common."""
        return self.sha256 or self.id


def item_seed(seed: int, content_id: str, k: int) -> int:
    """Return the 63-bit integer that all randomness of one output picture comes from.

    Equal arguments give equal numbers on every machine; ids may hold any characters (the fields are length-prefixed).
    """
    digest = hashlib.blake2b(digest_size=8, person=b"stylize-plan")
    for field in (str(seed), content_id, str(k)):
        data = field.encode()
        digest.update(len(data).to_bytes(4, "little") + data)
    return int.from_bytes(digest.digest(), "little") >> 1


P = TypeVar("P", bound=Picture)


class ExemplarPool(Generic[P]):
    """The exemplars of one run, sorted by id so that the order in which they were listed cannot matter.

    `intra` says that contents and exemplars come from the same dataset: then equal ids are the same picture. In an
    extra-source pool ids are names of another dataset and only equal bytes make a picture its own exemplar.

    A sequence that is `in_order` already is used as it is and not held a second time.
    """

    def __init__(self, exemplars: Iterable[P], *, intra: bool, in_order: bool = False) -> None:
        self.exemplars: Sequence[P]
        self.exemplars = exemplars if in_order and isinstance(exemplars, Sequence) else sorted(exemplars)
        self.intra = intra

    def choose(self, content: Picture, copies: int, seed: int) -> list[P]:
        """Return one exemplar for each of the copies 0..copies-1 of a content picture.

        No exemplar is the content picture itself; the copies get different exemplars until all are used, then a new
        round begins. Copy k does not depend on how many copies follow it. Raises FatalError when none is left.
        """
        chosen: list[P] = []
        used: set[str] = set()
        for k in range(copies):
            number = item_seed(seed, content.id, k)
            exemplar = next(self._walk(content, number, used), None)
            if exemplar is None:
                used.clear()
                exemplar = next(self._walk(content, number, used), None)
            if exemplar is None:
                raise FatalError(self._nothing_left(content))
            used.add(exemplar.identity)
            chosen.append(exemplar)
        return chosen

    def draw(self, content: Picture, copies: int, seed: int, reserve: int = 0) -> list[list[P]]:
        """Return for each copy its exemplar, as `choose` does, and up to `reserve` further ones to take in its place.

        The reserve is found on a walk of its own copy. It shares none with the copies before, nor with their reserves,
        unless there are no others; it holds each picture once and changes no exemplar.
        """
        drawn: list[list[P]] = []
        used: set[str] = set()
        spare: set[str] = set()
        for k, exemplar in enumerate(self.choose(content, copies, seed)):
            number = item_seed(seed, content.id, k)
            used.add(exemplar.identity)
            others = self._walk(content, number, used | spare)
            further = chain(others, self._walk(content, number, {exemplar.identity}))
            kept = list(islice(_distinct(further), reserve))
            spare.update(other.identity for other in kept)
            drawn.append([exemplar, *kept])
        return drawn

    def _walk(self, content: Picture, number: int, without: set[str]) -> Iterator[P]:
        """Yield the allowed exemplars on a walk that visits every exemplar once."""
        count = len(self.exemplars)
        if count == 0:
            return
        start, stride = number % count, _stride(number // count, count)
        for step in range(count):
            exemplar = self.exemplars[(start + step * stride) % count]
            if exemplar.identity not in without and not self._same(content, exemplar):
                yield exemplar

    def _same(self, content: Picture, exemplar: Picture) -> bool:
        same_bytes = content.sha256 != "" and content.sha256 == exemplar.sha256
        return same_bytes or (self.intra and content.id == exemplar.id)

    def _nothing_left(self, content: Picture) -> str:
        found = f"{len(self.exemplars)} exemplar(s)" if self.exemplars else "no exemplars"
        remedy = "add pictures to the dataset or take exemplars from another cache with --styles"
        if not self.intra:
            remedy = "give --styles a cache with other pictures"
        return f"{content.id}: {found}, and a picture is never its own exemplar; {remedy}"


def exemplar_for(content_id: str, k: int, exemplar_ids: Iterable[str], seed: int, intra: bool) -> str:
    """Return the id of the exemplar of copy k of a content picture, whatever the order of `exemplar_ids`."""
    pool = ExemplarPool((Picture(id=name) for name in exemplar_ids), intra=intra)
    return pool.choose(Picture(id=content_id), k + 1, seed)[k].id


def _distinct(pictures: Iterable[P]) -> Iterator[P]:
    seen: set[str] = set()
    for picture in pictures:
        if picture.identity not in seen:
            seen.add(picture.identity)
            yield picture


def _stride(number: int, count: int) -> int:
    """Return a step in 1..count that is coprime with count, so that walking with it visits everything once."""
    stride = number % count + 1
    while math.gcd(stride, count) != 1:
        stride = stride % count + 1
    return stride
