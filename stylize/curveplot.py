"""The picture of a training as one SVG file: figures over the images seen, one panel below the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stylize.markup import Child, Html, join
from stylize.svg import COLOURS, LINE, SOFT, Axis, curve, dot, line, page, text

WIDTH, EDGE = 960, 24
LEFT = EDGE + 56  # room for the numbers of the axis
PLOT, GAP = 180, 92  # height of a panel, and what lies between two
POINTS = 300  # of a curve; more are averaged
DOTS = 60  # up to so many points are marked

Row = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A title, and the names of the figures that are drawn in it."""

    title: str
    figures: Sequence[str]


def draw(title: str, subtitle: str, rows: Sequence[Row], panels: Sequence[Panel]) -> bytes:
    """Return the picture of rows that hold `images` and some of the figures; panels without any are left out."""
    parts: list[Child] = [text(EDGE, 36, title, size=20, weight="650"), text(EDGE, 58, subtitle, colour=SOFT)]
    top = 112.0
    for panel in panels:
        curves = {name: points for name in panel.figures if (points := _points(rows, name))}
        if curves:
            parts.append(_panel(panel.title, curves, top))
            top += PLOT + GAP
    return page(WIDTH, top - GAP + 64, *parts)


def _panel(title: str, curves: Mapping[str, Sequence[tuple[float, float]]], top: float) -> Html:
    bottom, right = top + PLOT, WIDTH - EDGE
    across = Axis([0.0, *(x for points in curves.values() for x, _ in points)], LEFT, right, ticks=8, room=False)
    up = Axis([y for points in curves.values() for _, y in points], bottom, top, ticks=4, room=False)
    parts: list[Child] = [text(LEFT, top - 16, title, size=16, weight="650")]
    for at, label in up.ticks():
        parts += [line(LEFT, at, right, at, LINE), text(LEFT - 8, at + 4, label, size=12, colour=SOFT, anchor="end")]
    for at, label in across.ticks():
        parts += [line(at, top, at, bottom, LINE), text(at, bottom + 18, label, size=12, colour=SOFT, anchor="middle")]
    parts.append(text((LEFT + right) / 2, bottom + 38, "thousand images seen", size=13, colour=SOFT, anchor="middle"))
    for place, points in enumerate(curves.values()):
        colour = COLOURS[place % len(COLOURS)]
        placed = [(across(x), up(y)) for x, y in points]
        parts.append(curve(placed, colour))
        parts += [dot(x, y, 3.5, colour) for x, y in placed] if len(placed) <= DOTS else []
    if len(curves) > 1:
        parts.append(_legend(list(curves), right, top - 16))
    return join(parts)


def _legend(names: Sequence[str], right: float, y: float) -> Html:
    parts: list[Child] = []
    x = right
    for place, name in reversed(list(enumerate(names))):
        x -= 7.4 * len(name)
        parts.append(text(x, y, name.replace("_", " "), size=13, colour=SOFT))
        parts.append(dot(x - 9, y - 4, 4, COLOURS[place % len(COLOURS)]))
        x -= 30
    return join(parts)


def _points(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    """Return (thousand images, value) where there is one; of many, the means of neighbours."""
    points = [(row["images"] / 1000, row[name]) for row in rows if math.isfinite(row.get(name, math.nan))]
    size = math.ceil(len(points) / POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size or 1)]
    return [(sum(x for x, _ in some) / len(some), sum(y for _, y in some) / len(some)) for some in groups]
