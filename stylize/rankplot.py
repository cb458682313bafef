"""The picture of a ranking, as one SVG file: models with their intervals and rank groups, proxy against real scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stylize.markup import Child, Html, join, tag

# Scores go in as shares and are shown in percent; a place on paper is in pixels of an SVG of this width.
WIDTH, EDGE = 960, 24
NAMES, RANKS = 264, 96  # left and right of the ladder
ROW, SIDE, GAP = 28, 340, 64  # height of a row, side and distance of scatter plots
RADIUS = 9
INK, SOFT, LINE, STRIPE, ACCENT = "#1d1f24", "#5d626c", "#dcdcd6", "#f2f2ee", "#2f6fd0"
# Told apart by everybody (Okabe and Ito, Color universal design, 2008).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6d31", "#999999")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LONGEST = 28  # letters of a name
_TICKS = 6

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
    parts = [_text(EDGE, 36, title, size=20, weight="650"), _text(EDGE, 58, subtitle, colour=SOFT), ladder]
    for place, scatter in enumerate(scatters):
        left = EDGE + 56 + (place % 2) * (SIDE + GAP + 56)
        if place % 2 == 0:
            top, height = height + 70, height + 70 + SIDE + 84 + 18 * max(len(one.remarks) for one in scatters)
        parts.append(_scatter(scatter, left, top))
    paper = tag("rect", width=str(WIDTH), height=_n(height), fill="#ffffff")
    svg = tag(
        "svg",
        paper,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {_n(height)}",
        width=str(WIDTH),
        height=_n(height),
        font_family=FONT,
    )
    return f"{svg}\n".encode()


class _Axis:
    """Places values on a line of pixels, with round ticks beyond both ends."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        known = [100 * value for value in values if math.isfinite(value)]
        low, high = min(known, default=0.0), max(known, default=1.0)
        self._step = _round_step((high - low) / _TICKS or 1.0)
        self._low = math.floor(low / self._step - 0.25) * self._step
        self._high = math.ceil(high / self._step + 0.25) * self._step
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (100 * value - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the place and the text of each tick."""
        number = round((self._high - self._low) / self._step)
        values = [self._low + place * self._step for place in range(number + 1)]
        return [(self(value / 100), f"{value:.6g}") for value in values]


def _ladder(rows: Sequence[Row], top: float) -> tuple[Html, float]:
    """Return a row per model and the height at which they end."""
    names = list(rows[0].targets)
    values = [value for row in rows for value in (*row.score, *row.targets.values())]
    axis = _Axis(values, EDGE + NAMES, WIDTH - EDGE - RANKS)
    bottom = top + ROW * len(rows)
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    parts: list[Child] = [_legend(colours, top - 14)] if len(names) > 1 else []
    groups = sorted({row.rank for row in rows})
    for place, row in enumerate(rows):
        striped = groups.index(row.rank) % 2 == 0
        parts.append(_stripe(top + ROW * place) if striped else None)
    parts += [_line(x, top, x, bottom, LINE) for x, _ in axis.ticks()]
    for place, row in enumerate(rows):
        opens = place == 0 or rows[place - 1].rank != row.rank
        parts.append(_rung(place + 1, row, opens, axis, colours, top + ROW * (place + 0.5)))
    parts += [_text(x, bottom + 18, text, size=12, colour=SOFT, anchor="middle") for x, text in axis.ticks()]
    parts.append(
        _text((EDGE + NAMES + WIDTH - EDGE - RANKS) / 2, bottom + 38, "mean IoU, %", colour=SOFT, anchor="middle")
    )
    return join(parts), bottom + 52


def _rung(number: int, row: Row, opens: bool, axis: _Axis, colours: Mapping[str, str], y: float) -> Html:
    score, low, high = row.score
    marks = [_dot(axis(value), y, 4, colours[name]) for name, value in row.targets.items() if len(colours) > 1]
    whiskers = _line(axis(low), y, axis(high), y, INK, width=2) if math.isfinite(low) else None
    return join(
        _numbered(EDGE + RADIUS + 4, y, number),
        _text(EDGE + 2 * RADIUS + 14, y + 5, _short(row.model)),
        marks,
        whiskers,
        _dot(axis(score), y, 5.5, INK),
        _text(WIDTH - EDGE - 50, y + 5, f"{100 * score:.1f}", anchor="end"),
        _text(WIDTH - EDGE - 8, y + 5, f"#{row.rank}", colour=SOFT, anchor="end") if opens else None,
    )


def _scatter(scatter: Scatter, left: float, top: float) -> Html:
    bottom, right = top + SIDE, left + SIDE
    across = _Axis([value for _, x, _ in scatter.points for value in x], left, right)
    up = _Axis([value for _, _, y in scatter.points for value in y], bottom, top)
    parts: list[Child] = [_text(left, top - 16, scatter.title, size=16, weight="650")]
    for at, text in across.ticks():
        parts += [_line(at, top, at, bottom, LINE), _text(at, bottom + 18, text, size=12, colour=SOFT, anchor="middle")]
    for at, text in up.ticks():
        parts += [_line(left, at, right, at, LINE), _text(left - 8, at + 4, text, size=12, colour=SOFT, anchor="end")]
    for _, x, y in scatter.points:
        parts += _cross(x, y, across, up)
    parts += [_numbered(across(x[0]), up(y[0]), number) for number, x, y in reversed(scatter.points)]
    parts.append(_text((left + right) / 2, bottom + 40, scatter.across, colour=SOFT, anchor="middle"))
    turned = f"rotate(-90 {_n(left - 46)} {_n((top + bottom) / 2)})"
    parts.append(_text(left - 46, (top + bottom) / 2, scatter.up, colour=SOFT, anchor="middle", transform=turned))
    parts += [_text(left, bottom + 68 + 18 * place, remark, size=13) for place, remark in enumerate(scatter.remarks)]
    return join(parts)


def _cross(x: Interval, y: Interval, across: _Axis, up: _Axis) -> list[Child]:
    """Return the intervals of a point, those that there are."""
    lines: list[Child] = []
    if math.isfinite(x[1]):
        lines.append(_line(across(x[1]), up(y[0]), across(x[2]), up(y[0]), SOFT))
    if math.isfinite(y[1]):
        lines.append(_line(across(x[0]), up(y[1]), across(x[0]), up(y[2]), SOFT))
    return lines


def _legend(colours: Mapping[str, str], y: float) -> Html:
    parts: list[Child] = []
    x = float(EDGE + NAMES)
    for name, colour, radius in [("average", INK, 5.5), *((name, colour, 4) for name, colour in colours.items())]:
        parts += [_dot(x, y - 4, radius, colour), _text(x + 10, y, _short(name), size=13, colour=SOFT)]
        x += 30 + 7.2 * len(_short(name))
    return join(parts)


def _stripe(y: float) -> Html:
    return tag("rect", x=str(EDGE), y=_n(y), width=str(WIDTH - 2 * EDGE), height=str(ROW), fill=STRIPE)


def _numbered(x: float, y: float, number: int) -> Html:
    circle = tag("circle", cx=_n(x), cy=_n(y), r=str(RADIUS), fill=ACCENT, fill_opacity="0.85", stroke="#ffffff")
    return join(circle, _text(x, y + 4, str(number), size=11, colour="#ffffff", anchor="middle", weight="600"))


def _dot(x: float, y: float, radius: float, colour: str) -> Html:
    return tag("circle", cx=_n(x), cy=_n(y), r=_n(radius), fill=colour, stroke="#ffffff")


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1) -> Html:
    return tag("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), stroke=colour, stroke_width=_n(width))


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 14,
    colour: str = INK,
    anchor: str | None = None,
    weight: str | None = None,
    transform: str | None = None,
) -> Html:
    return tag(
        "text",
        text,
        x=_n(x),
        y=_n(y),
        font_size=str(size),
        fill=colour,
        text_anchor=anchor,
        font_weight=weight,
        transform=transform,
    )


def _round_step(step: float) -> float:
    """Return the next round number: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
