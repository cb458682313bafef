"""The picture of a ranking, as one SVG file: models with their intervals and rank groups, proxy against real scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stylize.markup import Child, Html, join, tag
from stylize.svg import COLOURS, INK, LINE, SOFT, Axis, digits, dot, line, page, text

# Scores go in as shares and are shown in percent; a place on paper is in pixels of an SVG of this width.
WIDTH, EDGE = 960, 24
NAMES, RANKS = 264, 96  # left and right of the ladder
ROW, SIDE, GAP = 28, 340, 64  # height of a row, side and distance of scatter plots
RADIUS = 9
STRIPE, ACCENT = "#f2f2ee", "#2f6fd0"
_LONGEST = 28  # letters of a name

Interval = tuple[float, float, float]
"""A score with the ends of its interval, NaN where there is none."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model in the ladder, best first: its rank, its average score and what it scores on each target."""

    model: str
    rank: int
    score: Interval
    targets: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Scores against real ones: (number of the row, judge's score, real score) of each model, and remarks below."""

    title: str
    across: str
    up: str
    points: Sequence[tuple[int, Interval, Interval]]
    remarks: Sequence[str]


def draw(title: str, subtitle: str, rows: Sequence[Row], scatters: Sequence[Scatter] = ()) -> bytes:
    """Return the picture as a UTF-8 SVG file that needs nothing else."""
    ladder, height = _ladder(rows, 96)
    parts = [text(EDGE, 36, title, size=20, weight="650"), text(EDGE, 58, subtitle, colour=SOFT), ladder]
    for place, scatter in enumerate(scatters):
        left = EDGE + 56 + (place % 2) * (SIDE + GAP + 56)
        if place % 2 == 0:
            top, height = height + 70, height + 70 + SIDE + 84 + 18 * max(len(one.remarks) for one in scatters)
        parts.append(_scatter(scatter, left, top))
    return page(WIDTH, height, *parts)


def _ladder(rows: Sequence[Row], top: float) -> tuple[Html, float]:
    """Return a row per model and the height at which they end."""
    names = list(rows[0].targets)
    values = [value for row in rows for value in (*row.score, *row.targets.values())]
    axis = Axis(values, EDGE + NAMES, WIDTH - EDGE - RANKS, scale=100)
    bottom = top + ROW * len(rows)
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    parts: list[Child] = [_legend(colours, top - 14)] if len(names) > 1 else []
    groups = sorted({row.rank for row in rows})
    for place, row in enumerate(rows):
        striped = groups.index(row.rank) % 2 == 0
        parts.append(_stripe(top + ROW * place) if striped else None)
    parts += [line(x, top, x, bottom, LINE) for x, _ in axis.ticks()]
    for place, row in enumerate(rows):
        opens = place == 0 or rows[place - 1].rank != row.rank
        parts.append(_rung(place + 1, row, opens, axis, colours, top + ROW * (place + 0.5)))
    parts += [text(x, bottom + 18, label, size=12, colour=SOFT, anchor="middle") for x, label in axis.ticks()]
    parts.append(
        text((EDGE + NAMES + WIDTH - EDGE - RANKS) / 2, bottom + 38, "mean IoU, %", colour=SOFT, anchor="middle")
    )
    return join(parts), bottom + 52


def _rung(number: int, row: Row, opens: bool, axis: Axis, colours: Mapping[str, str], y: float) -> Html:
    score, low, high = row.score
    marks = [dot(axis(value), y, 4, colours[name]) for name, value in row.targets.items() if len(colours) > 1]
    whiskers = line(axis(low), y, axis(high), y, INK, width=2) if math.isfinite(low) else None
    return join(
        _numbered(EDGE + RADIUS + 4, y, number),
        text(EDGE + 2 * RADIUS + 14, y + 5, _short(row.model)),
        marks,
        whiskers,
        dot(axis(score), y, 5.5, INK),
        text(WIDTH - EDGE - 50, y + 5, f"{100 * score:.1f}", anchor="end"),
        text(WIDTH - EDGE - 8, y + 5, f"#{row.rank}", colour=SOFT, anchor="end") if opens else None,
    )


def _scatter(scatter: Scatter, left: float, top: float) -> Html:
    bottom, right = top + SIDE, left + SIDE
    across = Axis([value for _, x, _ in scatter.points for value in x], left, right, scale=100)
    up = Axis([value for _, _, y in scatter.points for value in y], bottom, top, scale=100)
    parts: list[Child] = [text(left, top - 16, scatter.title, size=16, weight="650")]
    for at, label in across.ticks():
        parts += [line(at, top, at, bottom, LINE), text(at, bottom + 18, label, size=12, colour=SOFT, anchor="middle")]
    for at, label in up.ticks():
        parts += [line(left, at, right, at, LINE), text(left - 8, at + 4, label, size=12, colour=SOFT, anchor="end")]
    for _, x, y in scatter.points:
        parts += _cross(x, y, across, up)
    parts += [_numbered(across(x[0]), up(y[0]), number) for number, x, y in reversed(scatter.points)]
    parts.append(text((left + right) / 2, bottom + 40, scatter.across, colour=SOFT, anchor="middle"))
    turned = f"rotate(-90 {digits(left - 46)} {digits((top + bottom) / 2)})"
    parts.append(text(left - 46, (top + bottom) / 2, scatter.up, colour=SOFT, anchor="middle", transform=turned))
    parts += [text(left, bottom + 68 + 18 * place, remark, size=13) for place, remark in enumerate(scatter.remarks)]
    return join(parts)


def _cross(x: Interval, y: Interval, across: Axis, up: Axis) -> list[Child]:
    """Return the intervals of a point, those that there are."""
    lines: list[Child] = []
    if math.isfinite(x[1]):
        lines.append(line(across(x[1]), up(y[0]), across(x[2]), up(y[0]), SOFT))
    if math.isfinite(y[1]):
        lines.append(line(across(x[0]), up(y[1]), across(x[0]), up(y[2]), SOFT))
    return lines


def _legend(colours: Mapping[str, str], y: float) -> Html:
    parts: list[Child] = []
    x = float(EDGE + NAMES)
    for name, colour, radius in [("average", INK, 5.5), *((name, colour, 4) for name, colour in colours.items())]:
        parts += [dot(x, y - 4, radius, colour), text(x + 10, y, _short(name), size=13, colour=SOFT)]
        x += 30 + 7.2 * len(_short(name))
    return join(parts)


def _stripe(y: float) -> Html:
    return tag("rect", x=str(EDGE), y=digits(y), width=str(WIDTH - 2 * EDGE), height=str(ROW), fill=STRIPE)


def _numbered(x: float, y: float, number: int) -> Html:
    circle = tag(
        "circle", cx=digits(x), cy=digits(y), r=str(RADIUS), fill=ACCENT, fill_opacity="0.85", stroke="#ffffff"
    )
    return join(circle, text(x, y + 4, str(number), size=11, colour="#ffffff", anchor="middle", weight="600"))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
