"""Numbers as people read them: counts, sizes and durations, for the command line and for reports."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Spell a number of things: `1 unit`, `13 units`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def size(number: float) -> str:
    """Spell a number of bytes in decimal units: `812 B`, `1.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def spell(seconds: float) -> str:
    """Spell a duration: `8.2 s`, `48 s`, `4 min 10 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
