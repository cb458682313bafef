"""Charts of a report, drawn with plain boxes so that they fit any screen: bars, histograms, before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from stylize.markup import Child, Html, tag

FEWEST, COLUMNS = 8, 32  # about as many as a histogram may have, by the number of its values
CLOSE = 0.2  # share of a plot's width within which two texts would meet on a phone
MARGIN = 0.08  # share of a plot's width in which a text would reach over its edge
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


def bars(values: Mapping[str, tuple[float, str]], *, long_names: bool = False) -> Html:
    """Return horizontal bars, the longest full: name -> (length, the text beside it). `long_names` get more room."""
    longest = max((value for value, _ in values.values()), default=0.0) or 1.0
    lines = [
        tag(
            "div",
            tag("span", name),
            tag("span", tag("i", style=f"width:{_percent(value / longest)}"), class_="track"),
            tag("b", spelled),
        )
        for name, (value, spelled) in values.items()
    ]
    return tag("div", *lines, class_="bars long" if long_names else "bars")


def histogram(
    counts: Mapping[float, float], unit: str, *, marks: Mapping[str, float] | None = None, step: float = STEPS[0]
) -> Html:
    """Return a histogram of value -> count, its bins joined to eight to thirty; `marks` are values with names.

    No bin is narrower than `step`, which is 1 for whole numbers.
    """
    low, width, heights = _binned(counts, step)
    if not heights:
        return tag("p", "nothing to show")
    high, highest = low + width * len(heights), max(heights)
    columns = [
        tag(
            "i",
            style=f"height:{_percent(height / highest)}",
            title=f"{_short(low + width * place)} to {_short(low + width * (place + 1))} {unit}: {height:.0f}",
        )
        for place, height in enumerate(heights)
    ]
    lines = _marks({f"{name} {_short(value)}": (value - low) / (high - low) for name, value in (marks or {}).items()})
    peak = tag("span", f"highest bar: {highest:,.0f}".replace(",", " "))
    most = low + width * heights.index(highest)
    spoken = (
        f"Histogram from {_short(low)} to {_short(high)} {unit}; most values lie between {_short(most)} and "
        f"{_short(most + width)} {unit}."
    )
    ends = tag("div", tag("span", f"{_short(low)} {unit}"), peak, tag("span", f"{_short(high)} {unit}"), class_="ends")
    marked = tag("div", *lines, class_="marks") if lines else None
    plot = tag("div", tag("div", *columns, class_="columns"), marked, class_="plot" if lines else "plot bare")
    return tag("div", plot, ends, class_="histogram", role="img", aria_label=spoken)


def dumbbells(rows: Sequence[tuple[str, float, float, Child]], unit: str, names: tuple[str, str]) -> Html:
    """Return a line per row from a value before to one after on a common scale: (name, before, after, remark)."""
    values = [value for _, before, after, _ in rows for value in (before, after) if math.isfinite(value)]
    low, high = math.floor(min(values, default=0.0) - 0.5), math.ceil(max(values, default=1.0) + 0.5)
    key = tag("p", tag("i", class_="before"), names[0], tag("i", class_="after"), names[1], class_="key")
    lines = [_dumbbell(name, before, after, remark, low, high) for name, before, after, remark in rows]
    return tag("div", key, *lines, _scale(low, high, unit), class_="dumbbells")


def intervals(rows: Sequence[tuple[str, float, float, float, Child]], unit: str) -> Html:
    """Return a line per row with a dot and its interval on a common scale: (name, value, low, high, remark)."""
    values = [value for _, *three, _ in rows for value in three if math.isfinite(value)]
    low, high = math.floor(min(values, default=0.0) - 0.5), math.ceil(max(values, default=1.0) + 0.5)
    lines = []
    for name, value, first, last, remark in rows:
        dot, left, right = ((place - low) / (high - low) for place in (value, first, last))
        known = math.isfinite(left) and math.isfinite(right)
        span = tag("i", class_="line", style=f"left:{_percent(left)};width:{_percent(right - left)}") if known else None
        mark = tag("i", class_="after small", style=f"left:{_percent(dot)}", title=f"{value:.1f}")
        lines.append(tag("div", tag("span", name), tag("span", span, mark, class_="track"), tag("b", remark)))
    return tag("div", *lines, _scale(low, high, unit), class_="dumbbells")


def _scale(low: float, high: float, unit: str) -> Html:
    ends = tag("span", tag("span", f"{_short(low)} {unit}"), tag("span", f"{_short(high)} {unit}"), class_="ends")
    return tag("div", tag("span"), ends, tag("b"), class_="scale")


def _marks(places: Mapping[str, float]) -> list[Html]:
    """Return dashed lines with their texts above them; of two that are close one is raised, so that neither hides."""
    shown: list[Html] = []
    last, raised = -1.0, True
    for text, place in sorted(places.items(), key=lambda item: item[1]):
        if 0 <= place <= 1:
            raised = not raised if place - last < CLOSE else False
            last = place
            side = "first" if place < MARGIN else "last" if place > 1 - MARGIN else ""
            classes = " ".join(filter(None, (side, "raised" if raised else "")))
            shown.append(tag("span", tag("em", text, class_=classes or None), style=f"left:{_percent(place)}"))
    return shown


def _dumbbell(name: str, before: float, after: float, remark: Child, low: float, high: float) -> Html:
    start, end = ((value - low) / (high - low) for value in (before, after))
    left, right = min(start, end), max(start, end)
    line = tag("i", class_="line", style=f"left:{_percent(left)};width:{_percent(right - left)}")
    dots = [
        tag("i", class_=kind, style=f"left:{_percent(place)}", title=f"{value:.1f}")
        for kind, place, value in (("before", start, before), ("after", end, after))
    ]
    return tag("div", tag("span", name), tag("span", line, *dots, class_="track"), tag("b", remark))


def _binned(counts: Mapping[float, float], step: float) -> tuple[float, float, list[float]]:
    """Join bins to at most `COLUMNS` of a round width; return the lowest edge, the width and the heights."""
    if not counts:
        return 0.0, 1.0, []
    lowest, highest = min(counts), max(counts)
    span = highest - lowest
    columns = min(COLUMNS, max(FEWEST, 2 * math.sqrt(sum(counts.values()))))  # few values have no fine distribution
    wide = (width for width in STEPS if width >= step and span / width <= columns)
    width = next(wide, max(span / columns, STEPS[-1]))
    first = math.floor(lowest / width + 1e-6)
    heights = [0.0] * (math.floor(highest / width + 1e-6) - first + 1)
    for value, count in counts.items():
        heights[math.floor(value / width + 1e-6) - first] += count
    return first * width, width, heights


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
