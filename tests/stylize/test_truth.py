"""The measurement against true renders says what it should of pictures whose distances are known."""

from __future__ import annotations

import numpy as np
import pytest

from stylize.truth import Comparison, by_condition, closeness, compare, judge


def grey(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def test_a_known_distance() -> None:
    full, low = closeness(grey(100), grey(110))
    assert full == pytest.approx(20 * np.log10(255 / 10), abs=1e-3)
    assert low == pytest.approx(full, abs=1e-3)


def test_blur_forgives_fine_detail_only() -> None:
    stripes = grey(100)
    stripes[:, ::2] = 120
    full, low = closeness(stripes, grey(110))
    assert full < 30
    assert low > 45


def test_nearer_and_farther_pairs_are_counted() -> None:
    near = compare("night", grey(200), grey(60), grey(50))
    far = compare("fog", grey(60), grey(200), grey(50))
    assert (near.result, near.result_low) > (near.content, near.content_low)
    verdict = judge([near, near, near, far])
    assert (verdict.pairs, verdict.closer, verdict.closer_low) == (4, 0.75, 0.75)
    assert verdict.content == pytest.approx((3 * near.content + far.content) / 4)
    conditions = by_condition([near, far])
    assert list(conditions) == ["night", "fog"]
    assert (conditions["night"].closer, conditions["fog"].closer) == (1, 0)


def test_no_change_is_not_nearer() -> None:
    assert judge([Comparison(condition="rain", content=10, content_low=12, result=10, result_low=12)]).closer == 0


def test_nothing_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        judge([])
