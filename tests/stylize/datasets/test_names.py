"""Names as bytes: what strings in a list would give."""

from __future__ import annotations

import random
import sys

from stylize.datasets.names import Files, Names

TEXTS = ["b/ä.png", "", "a", "b/a.png", "𝄞.png", "a-1.png", "a.png", "b/a.png"]


def test_names_read_like_a_list() -> None:
    names = Names(TEXTS)
    assert list(names) == TEXTS
    assert len(names) == len(TEXTS)
    assert [names[n] for n in range(len(TEXTS))] == TEXTS
    assert (names[-1], names[1:4], names[::-2]) == (TEXTS[-1], TEXTS[1:4], TEXTS[::-2])
    assert "a.png" in names
    assert "c" not in names
    assert not names.is_sorted
    assert list(Names()) == []


def test_names_sort_like_strings() -> None:
    assert [TEXTS[n] for n in Names(TEXTS).order()] == sorted(TEXTS)
    assert list(Names.in_order(TEXTS)) == list(Names.in_order(sorted(TEXTS))) == sorted(TEXTS)
    assert list(Names.in_order([])) == []
    rng = random.Random(0)
    many = ["".join(rng.choices("ab/._é\U0001f600", k=6)) for _ in range(3000)]
    assert list(Names.in_order(many)) == sorted(many)


def test_names_cost_their_bytes() -> None:
    texts = [f"images/train/{n:08d}.png" for n in range(20_000)]
    names = Names(texts)
    assert sys.getsizeof(names._bytes) + sys.getsizeof(names._ends) < 20_000 * (25 + 8) * 1.2


def test_files_know_their_numbers() -> None:
    files = Files(Names(TEXTS), [6, 2, 0])
    assert list(files) == ["a.png", "a", "b/ä.png"]
    assert list(files.numbered()) == [(6, "a.png"), (2, "a"), (0, "b/ä.png")]
    assert (files[1], files[-2:], len(files)) == ("a", ["a", "b/ä.png"], 3)
