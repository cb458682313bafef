from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from stylize.errors import FatalError
from stylize.evenplan import EvenPool
from stylize.plan import Picture


def pictures(number: int, prefix: str = "p") -> list[Picture]:
    return [Picture(id=f"{prefix}{n:03}") for n in range(number)]


def dealt(
    exemplars: list[Picture], contents: list[Picture], copies: int, *, seed: int = 0, intra: bool = False
) -> dict[str, list[str]]:
    pool = EvenPool(exemplars, contents, copies=copies, seed=seed, intra=intra)
    return {content.id: [e.id for e in pool.choose(content, copies, seed)] for content in contents}


def spread(hands: dict[str, list[str]], exemplars: list[Picture]) -> int:
    used = Counter(name for hand in hands.values() for name in hand)
    numbers = [used[exemplar.id] for exemplar in exemplars]
    return max(numbers) - min(numbers)


@pytest.mark.parametrize("intra", [True, False])
def test_exemplars_are_used_equally_often_and_differ_within_a_content(intra: bool) -> None:
    for number in range(2 if intra else 1, 8):
        exemplars = pictures(number)
        for copies in (1, 2, 3, 4):
            for contents in range(2, number + 1 if intra else 12):
                hands = dealt(exemplars, pictures(contents), copies, seed=contents, intra=intra)
                assert spread(hands, exemplars) <= 1
                if copies <= number - intra:
                    assert all(len(set(hand)) == copies for hand in hands.values())
                if intra:
                    assert not any(name in hand for name, hand in hands.items())


def test_one_exemplar_styles_everything() -> None:
    assert dealt(pictures(1, "dusk"), pictures(5), 2) == {p.id: ["dusk000", "dusk000"] for p in pictures(5)}


def test_listing_order_does_not_matter_but_the_seed_does() -> None:
    exemplars, contents = pictures(7, "e"), pictures(50)
    first = dealt(exemplars, contents, 2, seed=1)
    for listed in (exemplars, contents):
        random.Random(3).shuffle(listed)
    assert dealt(exemplars, contents, 2, seed=1) == first
    other = dealt(exemplars, contents, 2, seed=2)
    assert sum(first[name] != other[name] for name in first) > 30


def test_contents_that_follow_one_another_get_no_pattern() -> None:
    hands = dealt(pictures(4, "e"), pictures(400), 1)
    names = [hands[p.id][0] for p in pictures(400)]
    assert 60 < sum(one == other for one, other in pairwise(names)) < 140  # 100 by chance


def test_equal_bytes_are_the_same_picture_whatever_they_are_called() -> None:
    exemplars = [Picture(id=f"e{n}", sha256=str(n)) for n in range(3)]
    contents = [Picture(id=f"c{n}", sha256=str(n % 6)) for n in range(12)]
    hands = dealt(exemplars, contents, 2)
    assert spread(hands, exemplars) <= 1
    assert not any(f"e{content.sha256}" in hands[content.id] for content in contents)
    alike = [Picture(id="x", sha256="s"), Picture(id="y", sha256="s"), Picture(id="z", sha256="t")]
    assert all(sorted(hand) in (["x", "z"], ["y", "z"]) for hand in dealt(alike, pictures(4), 2).values())


def test_a_picture_never_gets_itself_even_at_the_cost_of_evenness() -> None:
    exemplars = [Picture(id="e0", sha256="0"), Picture(id="e1", sha256="1")]
    contents = [Picture(id=f"c{n}", sha256="0") for n in range(9)]
    assert {name for hand in dealt(exemplars, contents, 1).values() for name in hand} == {"e1"}
    with pytest.raises(FatalError, match=r"c\d: 1 exemplar.*never its own exemplar"):
        dealt(exemplars[:1], contents, 1)


def test_reserves_are_others_than_what_was_dealt() -> None:
    contents = pictures(6)
    pool = EvenPool(contents, contents, copies=2, seed=0, intra=True)
    for content in contents:
        drawn = pool.draw(content, 2, 0, reserve=2)
        assert [draw[0] for draw in drawn] == pool.choose(content, 2, 0)
        assert all(len(set(draw)) == 3 and content not in draw for draw in drawn)


def test_a_pool_answers_only_for_what_it_dealt() -> None:
    pool = EvenPool(pictures(3, "e"), pictures(2), copies=1, seed=0, intra=False)
    for content, copies, seed in ((Picture(id="other"), 1, 0), (pictures(1)[0], 2, 0), (pictures(1)[0], 1, 1)):
        with pytest.raises(ValueError, match="not what was dealt for"):
            pool.choose(content, copies, seed)
