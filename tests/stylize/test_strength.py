"""Strengths: numbers, ranges and their texts, and what copies draw from them."""

from __future__ import annotations

import numpy as np
import pytest

from stylize.errors import ConfigurationError
from stylize.plan import item_seed
from stylize.strength import Strength, draw_strength, parse_strength, show_strength


@pytest.mark.parametrize(
    ("value", "span"),
    [
        (1, (1, 1)),
        (0.7, (0.7, 0.7)),
        ("0.7", (0.7, 0.7)),
        ("0.5-1.2", (0.5, 1.2)),
        (" 0 - 2 ", (0, 2)),
        ((0.5, 1.2), (0.5, 1.2)),
        ([0.25, 0.25], (0.25, 0.25)),
    ],
)
def test_numbers_pairs_and_texts(value: Strength, span: tuple[float, float]) -> None:
    assert parse_strength(value) == span
    assert parse_strength(show_strength(span)) == span


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("much", r"a number or a range such as 0\.5-1\.2, not 'much'"),
        ("0.1-0.2-0.3", "a number or a range"),
        ("", "a number or a range"),
        ((), "a number or a range"),
        (float("nan"), "a number or a range"),
        ("-0.5", "a number or a range"),
        (-0.5, r"between 0 .* and 2 .*, not -0\.5"),
        (2.5, r"between 0 .* and 2 .*, not 2\.5"),
        ("1-3", r"between 0 .* and 2 .*, not 1-3"),
        ("1.2-0.5", r"runs backwards: write 0\.5-1\.2"),
    ],
)
def test_what_is_no_strength_is_refused(value: Strength, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_strength(value)


def test_copies_draw_evenly_and_each_its_own() -> None:
    seeds = [item_seed(0, f"train/{number}", k) for number in range(500) for k in range(2)]
    drawn = [draw_strength((0.5, 1.5), seed) for seed in seeds]
    assert drawn == [draw_strength((0.5, 1.5), seed) for seed in seeds]
    assert 0.5 <= min(drawn) < 0.52
    assert 1.48 < max(drawn) <= 1.5
    assert np.mean(drawn) == pytest.approx(1, abs=0.05)
    assert abs(np.corrcoef(drawn[::2], drawn[1::2])[0, 1]) < 0.15


def test_one_number_is_drawn_exactly() -> None:
    assert draw_strength((0.123456, 0.123456), 5) == 0.123456
