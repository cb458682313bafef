from __future__ import annotations

import numpy as np
import pytest

from stylize.images import Pixels
from stylize.uneven import make_uneven

CONTENT: Pixels = np.full((120, 200, 3), 100, np.uint8)
MADE: Pixels = np.full((120, 200, 3), (160, 60, 100), np.uint8)


def test_the_style_varies_by_as_much_as_was_asked_for() -> None:
    made = np.stack([make_uneven(MADE, CONTENT, 0.2, seed) for seed in range(8)]).astype(float)
    taken = (made[..., 0] - 100) / 60  # how much of the change there is
    assert taken.mean() == pytest.approx(1, abs=0.05)
    assert taken.std() == pytest.approx(0.2, rel=0.2)


def test_colours_move_together_and_what_did_not_change_stays() -> None:
    made = make_uneven(MADE, CONTENT, 0.2, 0).astype(float)
    assert np.abs((made[..., 0] - 100) * -40 / 60 - (made[..., 1] - 100)).max() < 2
    assert (made[..., 2] == 100).all()
    assert np.array_equal(make_uneven(CONTENT, CONTENT, 0.2, 0), CONTENT)


def test_it_follows_from_the_seed_and_nothing_of_it_is_none() -> None:
    assert np.array_equal(make_uneven(MADE, CONTENT, 0.2, 1), make_uneven(MADE, CONTENT, 0.2, 1))
    assert not np.array_equal(make_uneven(MADE, CONTENT, 0.2, 1), make_uneven(MADE, CONTENT, 0.2, 2))
    assert make_uneven(MADE, CONTENT, 0.0, 1) is MADE


def test_colours_end_where_they_end() -> None:
    white, black = np.full_like(CONTENT, 255), np.zeros_like(CONTENT)
    made = make_uneven(white, black, 1.0, 0)
    assert made.min() < 200
    assert (made == 255).mean() > 0.3
