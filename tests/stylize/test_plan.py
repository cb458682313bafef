from __future__ import annotations

import random

import pytest

from stylize.errors import FatalError
from stylize.plan import ExemplarPool, Picture, exemplar_for, item_seed

IDS = [f"train/{number:03d}" for number in range(20)]


def test_the_order_of_the_list_does_not_matter():
    shuffled = random.Random(1).sample(IDS, len(IDS))
    for content in IDS:
        for k in range(3):
            assert exemplar_for(content, k, shuffled, 7, True) == exemplar_for(content, k, IDS, 7, True)


def test_no_picture_is_its_own_exemplar():
    pool = ExemplarPool((Picture(id=name) for name in IDS), intra=True)
    for content in IDS:
        assert content not in {exemplar.id for exemplar in pool.choose(Picture(id=content), 40, 0)}


def test_equal_bytes_are_the_same_picture_whatever_their_names():
    exemplars = [Picture(id="a", sha256="1"), Picture(id="b", sha256="1"), Picture(id="c", sha256="2")]
    for intra in (True, False):
        pool = ExemplarPool(exemplars, intra=intra)
        assert {chosen.id for chosen in pool.choose(Picture(id="x", sha256="1"), 5, 0)} == {"c"}


def test_copies_get_different_exemplars_while_there_are_enough_and_then_start_again():
    pool = ExemplarPool((Picture(id=name) for name in IDS), intra=True)
    chosen = [exemplar.id for exemplar in pool.choose(Picture(id=IDS[3]), 38, 5)]
    others = sorted(set(IDS) - {IDS[3]})
    assert sorted(chosen[:19]) == others
    assert sorted(chosen[19:]) == others


def test_more_copies_leave_the_first_ones_as_they_are():
    pool = ExemplarPool((Picture(id=name) for name in IDS), intra=True)
    content = Picture(id=IDS[0])
    assert pool.choose(content, 10, 3)[:4] == pool.choose(content, 4, 3)


def test_a_reserve_changes_no_exemplar_and_holds_others():
    pool = ExemplarPool((Picture(id=name) for name in IDS), intra=True)
    for content in (Picture(id=name) for name in IDS):
        drawn = pool.draw(content, 3, 4, reserve=2)
        assert [draw[0] for draw in drawn] == pool.choose(content, 3, 4)
        assert [len(draw) for draw in drawn] == [3, 3, 3]
        spare = [exemplar for draw in drawn for exemplar in draw[1:]]
        assert len({*spare}) == 6
        assert content not in spare
        for k, draw in enumerate(drawn):  # nor what an earlier copy has
            assert not {*draw[1:]} & {other[0] for other in drawn[: k + 1]}
        assert pool.draw(content, 1, 4, reserve=2) == drawn[:1]


def test_a_small_pool_gives_a_smaller_reserve_and_repeats_before_it_gives_none():
    pictures = [Picture(id=name, sha256=name[0]) for name in ("a", "a2", "b", "c", "d")]
    drawn = ExemplarPool(pictures, intra=True).draw(Picture(id="x", sha256="d"), 3, 1, reserve=4)
    for draw in drawn:
        assert sorted(exemplar.sha256 for exemplar in draw) == ["a", "b", "c"]
    alone = ExemplarPool(pictures[:2], intra=True).draw(Picture(id="x"), 1, 1, reserve=2)
    assert [len(draw) for draw in alone] == [1]


def test_ids_of_another_dataset_may_repeat_ours():
    assert exemplar_for("train/000", 0, ["train/000"], 0, intra=False) == "train/000"


def test_one_picture_alone_has_no_exemplar():
    with pytest.raises(FatalError, match=r"only: 1 exemplar\(s\), and a picture is never its own.*--styles"):
        exemplar_for("only", 0, ["only"], 0, intra=True)
    with pytest.raises(FatalError, match="no exemplars"):
        exemplar_for("only", 0, [], 0, intra=False)


def test_seeds_and_contents_spread_over_all_exemplars():
    drawn = [exemplar_for(content, 0, IDS, seed, True) for seed in range(50) for content in IDS]
    counts = {name: drawn.count(name) for name in IDS}
    assert min(counts.values()) > 20  # 50 each on average
    assert max(counts.values()) < 100


def test_item_seed_tells_fields_apart_and_is_fixed():
    seeds = [item_seed(0, "a", 0), item_seed(0, "a", 1), item_seed(1, "a", 0), item_seed(0, "b", 0)]
    seeds += [item_seed(11, "a", 0), item_seed(1, "1a", 0), item_seed(1, "a0", 0)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    # A change of this number changes every stylized dataset that was ever made.
    assert item_seed(0, "train/0001TP_006690", 0) == 801691392094506161
