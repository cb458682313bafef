"""How far a style is moved: one number, or a range that each copy draws its own from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from stylize.errors import ConfigurationError

Strength = float | tuple[float, float] | str
Span = tuple[float, float]

LARGEST = 2.0
_DIGITS = 4  # a drawn strength is a number that people read


def parse_strength(value: Strength) -> Span:
    """Return the (low, high) of `0.7`, `(0.5, 1.2)` or texts such as "0.7" and "0.5-1.2"; equal for one number.

    Raises ConfigurationError for anything that is not within 0 (the content's style) and 2.
    """
    try:
        parts: Sequence[str | float] = (
            value.split("-") if isinstance(value, str) else value if isinstance(value, Sequence) else (value,)
        )
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, 2) or not all(map(math.isfinite, numbers)):
        raise ConfigurationError(f"the strength must be a number or a range such as 0.5-1.2, not {value!r}")
    low, high = numbers[0], numbers[-1]
    if not 0 <= low <= LARGEST or not 0 <= high <= LARGEST:
        raise ConfigurationError(
            f"the strength must be between 0 (the content's style) and {LARGEST:g} "
            f"(1 is the exemplar's, more goes beyond it), not {show_strength((low, high))}"
        )
    if low > high:
        raise ConfigurationError(f"the strength's range runs backwards: write {show_strength((high, low))}")
    return low, high


def show_strength(span: Span) -> str:
    """Spell a strength as it is given on the command line."""
    low, high = span
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def draw_strength(span: Span, seed: int) -> float:
    """Return the strength of one copy, evenly distributed over the range; equal seeds give equal numbers.

    Args:
        seed: the copy's own (`plan.item_seed`).
    """
    low, high = span
    if low == high:
        return low
    digest = hashlib.blake2b(seed.to_bytes(8, "little"), digest_size=8, person=b"stylize-strength").digest()
    return round(low + (high - low) * int.from_bytes(digest, "little") / 2**64, _DIGITS)
