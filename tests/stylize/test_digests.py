"""Digests: found, first and repeated texts as a dict would tell them."""

from __future__ import annotations

import random

from stylize.digests import Digests


def digests(*texts: str) -> Digests:
    known = Digests()
    for text in texts:
        known.add(text)
    return known


def test_texts_are_found_by_their_first_number() -> None:
    known = digests("b", "a", "b", "", "ä")
    assert [known.find(text) for text in ("a", "b", "", "ä", "c", "A")] == [1, 0, 3, 4, None, None]
    known.add("c")
    assert (known.find("c"), len(known)) == (5, 6)
    assert digests().find("a") is None


def test_repetitions() -> None:
    known = digests("b", "a", "b", "c", "a", "b")
    assert known.firsts().tolist() == [0, 1, 0, 3, 1, 0]
    assert list(known.repeated()) == [2, 4, 5]
    assert list(digests("a", "b").repeated()) == list(digests().repeated()) == []


def test_many_texts() -> None:
    rng = random.Random(1)
    texts = [str(rng.randrange(4000)) for _ in range(5000)]
    known = digests(*texts)
    assert known.firsts().tolist() == [texts.index(text) for text in texts]
    assert all(known.find(str(n)) == (texts.index(str(n)) if str(n) in texts else None) for n in range(0, 4000, 37))


def test_halves_of_digests_are_both_compared(monkeypatch) -> None:
    from stylize import digests as module

    monkeypatch.setattr(module, "_digest", lambda text: (7, int(text)))  # all begin alike
    known = digests("3", "1", "2", "1")
    assert [known.find(str(n)) for n in range(5)] == [None, 1, 2, 0, None]
    assert list(known.repeated()) == [3]
