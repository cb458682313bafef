"""Exemplars in columns: they come out as they went in."""

from __future__ import annotations

import hashlib

import pytest

from pipelines.exemplars import Exemplar, Exemplars
from stylize.cache import Entry
from stylize.plan import ExemplarPool, Picture

IMAGES = {"a/b": "a/b.png", "c.jpg": "c.jpg", "d": "d.JPEG", "é": "é.png"}


def sha256(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()


def entries() -> list[tuple[Entry, str]]:
    return [
        (Entry(id=id, image=image, labels=(), split="", key="", unit=unit), sha256(id))
        for unit, (id, image) in enumerate(IMAGES.items())
    ]


def test_exemplars_come_out_as_they_went_in() -> None:
    plain = [
        Exemplar(id=id, sha256=sha256(id), unit=unit, image=image) for unit, (id, image) in enumerate(IMAGES.items())
    ]
    exemplars = Exemplars(entries())
    assert list(exemplars) == plain
    assert [(one.unit, one.image) for one in exemplars] == list(enumerate(IMAGES.values()))
    assert (exemplars[-1], exemplars[1:3], len(exemplars)) == (plain[-1], plain[1:3], 4)
    with pytest.raises(IndexError):
        exemplars[4]
    assert list(Exemplars([])) == []


@pytest.mark.parametrize("intra", [True, False])
def test_a_pool_draws_the_same_from_them(intra: bool) -> None:
    exemplars = Exemplars(entries())
    assert ExemplarPool(exemplars, intra=intra, in_order=True).exemplars is exemplars
    pictures = [Picture(id=one.id, sha256=one.sha256) for one in exemplars]
    for seed in range(20):
        columns = ExemplarPool(exemplars, intra=intra, in_order=True).draw(pictures[1], 3, seed, reserve=2)
        plain = ExemplarPool(reversed(pictures), intra=intra).draw(pictures[1], 3, seed, reserve=2)
        assert [[one.id for one in drawn] for drawn in columns] == [[one.id for one in drawn] for drawn in plain]
