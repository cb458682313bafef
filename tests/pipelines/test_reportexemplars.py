"""Conditions are named by what tells exemplars apart, and no more of them than a chart can bear."""

from __future__ import annotations

import pytest

from pipelines.reportexemplars import OTHERS, copies_by_condition, naming


def named(*sources: str, whole: str = "all") -> dict[str, str]:
    name = naming(dict.fromkeys(sources, 1), whole)
    return {source: name(source) for source in sources}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (("fog/1.jpg", "rain/1.jpg"), ["fog", "rain"]),
        (("rgb/fog/train/a/1.png", "rgb/night/train/b/1.png"), ["fog", "night"]),
        (("1.jpg", "2.jpg"), ["all", "all"]),
        (("train/0001TP_1.png", "train/0001TP_2.png", "train/0016E5_1.png", "val/0016E5_2.png"), ["0001TP"] * 2),
        (("a_1.png", "b_1.png", "c_1.png"), ["all"] * 3),
        (("1.jpg", "night/2.jpg"), ["all", "all"]),
    ],
)
def test_the_first_folder_that_differs_names_the_condition(sources: tuple[str, ...], expected: list[str]) -> None:
    assert list(named(*sources).values())[: len(expected)] == expected


def test_of_too_many_conditions_the_rarest_are_joined() -> None:
    used = {f"city{number:02d}/{frame}.png": 40 - number for number in range(30) for frame in range(2)}
    name = naming(used, "all")
    copies = copies_by_condition(used, name)
    assert len(copies) == 12
    assert copies["city00"] == 80
    assert name("city29/0.png") == OTHERS
    assert copies[OTHERS] == sum(2 * (40 - number) for number in range(11, 30))


def test_an_exemplar_beyond_the_plan_is_of_the_others() -> None:
    name = naming({"fog/1.jpg": 1, "rain/1.jpg": 1}, "all")
    assert name("snow/1.jpg") == OTHERS


def test_no_exemplars_are_of_one_condition() -> None:
    assert naming({}, "all")("x/y.jpg") == "all"
