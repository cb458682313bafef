"""Charts show the numbers they are given, at the right place."""

from __future__ import annotations

import re

import pytest

from stylize.charts import bars, dumbbells, histogram
from tests.pages import Page


def widths(markup: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf"{name}:([\d.]+)%", markup)]


def test_the_longest_bar_is_full() -> None:
    chart = bars({"model": (3.0, "3 s"), "<read>": (0.75, "0.8 s")})
    assert widths(chart, "width") == [100, 25]
    assert Page(chart.encode()).text == "model 3 s <read> 0.8 s"


def test_bars_of_nothing_are_empty() -> None:
    assert widths(bars({"a": (0, "0")}), "width") == [0]
    assert Page(bars({}).encode()).text == ""


def test_every_value_is_in_its_bin_and_bins_stay_few() -> None:
    counts = {round(20 + place / 10, 1): 1.0 for place in range(200)}
    chart = histogram(counts, "dB")
    titles = re.findall(r'title="([\d.]+) to ([\d.]+) dB: (\d+)"', chart)
    assert len(titles) <= 32
    assert sum(int(count) for _, _, count in titles) == 200
    assert titles[0] == ("20", "21", "10")


@pytest.mark.parametrize("value", [24.3, 0.0, 1000.0])
def test_one_value_alone_makes_one_full_bar(value: float) -> None:
    assert widths(histogram({value: 5.0}, "dB", marks={"median": value}), "height") == [100]


def test_no_values_are_said_to_be_none() -> None:
    assert "nothing to show" in histogram({}, "dB")


def test_marks_stand_at_their_values() -> None:
    chart = histogram({0.0: 1.0, 9.9: 1.0}, "dB", marks={"median": 5.0, "far": 50.0})
    (place,) = widths(chart, "left")
    assert place == pytest.approx(50, abs=2)
    assert "far" not in chart


def test_dumbbells_share_a_scale_and_show_a_loss_too() -> None:
    chart = dumbbells([("night", 10.0, 15.0, "good"), ("rain", 15.0, 12.0, "bad")], "dB", ("before", "after"))
    lefts = widths(chart, "left")
    assert lefts[1] < lefts[2]
    assert lefts[4] > lefts[5]
    assert all(width > 0 for width in widths(chart, "width"))
    assert Page(chart.encode()).text == "before after night good rain bad 9 dB 16 dB"
