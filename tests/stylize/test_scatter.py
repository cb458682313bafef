"""Scatter charts: every point in its place, its number readable, and said for those who cannot see it."""

from __future__ import annotations

import re

from stylize.scatter import BOTTOM, LEFT, RIGHT, TOP, Point, scatter, side_by_side

POINTS = [
    Point(number=1, name="extra & more", x=0.4, y=0.35, marked=True),
    Point(number=2, name="day", x=0.45, y=0.2),
    Point(number=3, name="small", x=0.3, y=0.1),
]


def places(chart: str) -> list[tuple[float, float]]:
    """The circles by the number of their point."""
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', chart)
    numbers = re.findall(r">(\d)</text></g>", chart)
    return [place for _, place in sorted(zip(numbers, [(float(x), float(y)) for x, y in found], strict=True))]


def test_points_are_in_their_places() -> None:
    first, second, third = places(scatter(POINTS, "by day, %", "in truth, %", "what is shown"))
    assert third[0] < first[0] < second[0]
    assert first[1] < second[1] < third[1], "up is more"
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in (first, second, third))


def test_a_chart_says_what_it_shows_and_escapes_names() -> None:
    chart = scatter(POINTS, "by day, %", "in truth, %", "what is shown")
    assert 'aria-label="what is shown"' in chart
    assert "<title>extra &amp; more: 40.0 % and 35.0 %</title>" in chart
    assert chart.count('class="point marked"') == 1


def test_points_that_are_all_alike_have_a_scale_too() -> None:
    alike = [Point(number=number, name="x", x=0.5, y=0.5) for number in (1, 2)]
    assert places(scatter(alike, "a", "b", "c"))[0] == places(scatter(alike, "a", "b", "c"))[1]


def test_charts_stand_beside_one_another_with_titles_and_words() -> None:
    chart = scatter(POINTS, "a", "b", "c")
    both = side_by_side([("By day", chart, "Spearman 1"), ("By proxies", chart, "Spearman 0")])
    assert both.count("<svg") == 2
    assert "<h3>By proxies</h3>" in both
