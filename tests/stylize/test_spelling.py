"""Numbers are spelled for people."""

from __future__ import annotations

import pytest

from stylize.spelling import count, size, spell


@pytest.mark.parametrize(("number", "text"), [(0, "0 units"), (1, "1 unit"), (13, "13 units")])
def test_count(number: int, text: str) -> None:
    assert count(number, "unit") == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")]
)
def test_size(number: float, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(9.99, "10.0 s"), (48, "48 s"), (250, "4 min 10 s"), (7500, "2 h 05 min")]
)
def test_spell(seconds: float, text: str) -> None:
    assert spell(seconds) == text
