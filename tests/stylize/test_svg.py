from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from stylize.svg import Axis, digits, page, text


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 10.0], ["-2", "0", "2", "4", "6", "8", "10", "12"]),
        ([0.21, 0.24, math.nan], ["0.205", "0.21", "0.215", "0.22", "0.225", "0.23", "0.235", "0.24", "0.245"]),
        ([5.0], ["4", "5", "6"]),
        ([], ["-0.2", "0", "0.2", "0.4", "0.6", "0.8", "1", "1.2"]),
    ],
)
def test_an_axis_has_round_ticks_around_its_values(values: list[float], labels: list[str]) -> None:
    axis = Axis(values, 100, 300)
    assert [label for _, label in axis.ticks()] == labels
    places = [place for place, _ in axis.ticks()]
    assert (places[0], places[-1]) == pytest.approx((100, 300))
    assert all(100 <= axis(value) <= 300 for value in values if math.isfinite(value))


def test_an_axis_without_room_ends_at_its_values() -> None:
    axis = Axis([0.0, 3.9], 0, 100, room=False)
    assert [label for _, label in axis.ticks()] == ["0", "1", "2", "3", "4"]
    assert Axis([5.0], 0, 100, room=False)(5.0) == 0


def test_shares_are_shown_in_percent() -> None:
    axis = Axis([0.5, 0.6], 0, 100, scale=100)
    ticks = {label: place for place, label in axis.ticks()}
    assert axis(0.5) == pytest.approx(ticks["50"])


def test_a_page_is_a_whole_file_and_words_are_no_markup() -> None:
    root = ElementTree.fromstring(page(200, 100.5, text(1, 2, "<b> & co")))
    assert root.attrib["viewBox"] == "0 0 200 100.5"
    assert root[1].text == "<b> & co"


def test_places_are_short() -> None:
    assert [digits(value) for value in (3.0, 2.25, -0.5)] == ["3", "2.2", "-0.5"]
