"""The strokes that plots are made of: an SVG page, lines, dots, texts and axes with round ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stylize.markup import Child, Html, tag

INK, SOFT, LINE = "#1d1f24", "#5d626c", "#dcdcd6"
# Told apart by everybody (Okabe and Ito, Color universal design, 2008).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6d31", "#999999")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
TICKS = 6  # about as many on an axis


class Axis:
    """Places values on a line of pixels, with round ticks beyond both ends; values that are not finite do not count.

    With a `scale` of 100 shares are shown in percent; without `room` a value at a round end lies on that end.
    """

    def __init__(
        self,
        values: Sequence[float],
        start: float,
        end: float,
        *,
        scale: float = 1,
        ticks: int = TICKS,
        room: bool = True,
    ) -> None:
        known = [scale * value for value in values if math.isfinite(value)]
        low, high = min(known, default=0.0), max(known, default=1.0)
        self._step = _round_step((high - low) / ticks or 1.0)
        margin = 0.25 if room else 0.0
        self._low = math.floor(low / self._step - margin) * self._step
        self._high = max(math.ceil(high / self._step + margin) * self._step, self._low + self._step)
        self._start, self._end, self._scale = start, end, scale

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        return self._place(self._scale * value)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the place and the text of each tick."""
        steps = round((self._high - self._low) / self._step)
        values = [self._low + place * self._step for place in range(steps + 1)]
        return [(self._place(value), f"{value:.6g}") for value in values]

    def _place(self, shown: float) -> float:
        return self._start + (shown - self._low) / (self._high - self._low) * (self._end - self._start)


def page(width: float, height: float, *parts: Child) -> bytes:
    """Return a white UTF-8 SVG file that needs nothing else."""
    paper = tag("rect", width=digits(width), height=digits(height), fill="#ffffff")
    svg = tag(
        "svg",
        paper,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {digits(width)} {digits(height)}",
        width=digits(width),
        height=digits(height),
        font_family=FONT,
    )
    return f"{svg}\n".encode()


def dot(x: float, y: float, radius: float, colour: str) -> Html:
    """Return a dot with a white rim."""
    return tag("circle", cx=digits(x), cy=digits(y), r=digits(radius), fill=colour, stroke="#ffffff")


def line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1) -> Html:
    """Return a straight line."""
    return tag(
        "line", x1=digits(x1), y1=digits(y1), x2=digits(x2), y2=digits(y2), stroke=colour, stroke_width=digits(width)
    )


def curve(points: Sequence[tuple[float, float]], colour: str, *, width: float = 2) -> Html:
    """Return a line through points."""
    places = " ".join(f"{digits(x)},{digits(y)}" for x, y in points)
    return tag(
        "polyline", points=places, fill="none", stroke=colour, stroke_width=digits(width), stroke_linejoin="round"
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 14,
    colour: str = INK,
    anchor: str | None = None,
    weight: str | None = None,
    transform: str | None = None,
) -> Html:
    """Return a line of text on a baseline."""
    return tag(
        "text",
        words,
        x=digits(x),
        y=digits(y),
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


def digits(value: float) -> str:
    """Return a place or a length as it is written."""
    return f"{value:.1f}".removesuffix(".0")
