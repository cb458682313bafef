"""A scatter chart for reports: numbered points on two scales, in the colours of the page, readable on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stylize.markup import Child, Html, tag
from stylize.svg import Axis, digits

WIDTH, HEIGHT = 360, 330
LEFT, RIGHT, TOP, BOTTOM = 52, 348, 14, 278  # edges of the plot
RADIUS = 10
TICKS = 4


@dataclass(frozen=True, kw_only=True)
class Point:
    """A thing with two values: its number on the chart, and its name for those who point at it."""

    number: int
    name: str
    x: float
    y: float
    marked: bool = False


def scatter(points: Sequence[Point], across: str, up: str, spoken: str) -> Html:
    """Return a chart of points whose values are shares, shown in percent; `across` and `up` name the scales.

    `marked` points stand out. `spoken` says what the chart shows to those who cannot see it.
    """
    x_axis = Axis([point.x for point in points], LEFT, RIGHT, scale=100, ticks=TICKS)
    y_axis = Axis([point.y for point in points], BOTTOM, TOP, scale=100, ticks=TICKS)
    parts: list[Child] = []
    for at, text in x_axis.ticks():
        parts += [_line(at, TOP, at, BOTTOM), _text(at, BOTTOM + 18, text, "middle")]
    for at, text in y_axis.ticks():
        parts += [_line(LEFT, at, RIGHT, at), _text(LEFT - 8, at + 4, text, "end")]
    middle = (TOP + BOTTOM) / 2
    parts.append(_text((LEFT + RIGHT) / 2, HEIGHT - 8, across, "middle"))
    parts.append(_text(14, middle, up, "middle", transform=f"rotate(-90 14 {digits(middle)})"))
    # The first numbers are drawn last, on top of the others.
    parts += [_point(point, x_axis(point.x), y_axis(point.y)) for point in sorted(points, key=lambda p: -p.number)]
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=spoken, class_="scatter")


def side_by_side(charts: Sequence[tuple[str, Html, Child]]) -> Html:
    """Return charts, each (title, chart, text below), beside one another where there is room."""
    cells = [tag("div", tag("h3", title), chart, tag("p", below)) for title, chart, below in charts]
    return tag("div", *cells, class_="scatters")


def _point(point: Point, x: float, y: float) -> Html:
    circle = tag("circle", cx=digits(x), cy=digits(y), r=str(RADIUS))
    number = _text(x, y + 4, str(point.number), "middle")
    title = tag("title", f"{point.name}: {100 * point.x:.1f} % and {100 * point.y:.1f} %")
    return tag("g", title, circle, number, class_="point marked" if point.marked else "point")


def _line(x1: float, y1: float, x2: float, y2: float) -> Html:
    return tag("line", x1=digits(x1), y1=digits(y1), x2=digits(x2), y2=digits(y2))


def _text(x: float, y: float, text: str, anchor: str, *, transform: str | None = None) -> Html:
    return tag("text", text, x=digits(x), y=digits(y), text_anchor=anchor, transform=transform)
