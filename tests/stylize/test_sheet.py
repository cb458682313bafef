from __future__ import annotations

import numpy as np
import pytest

from stylize.sheet import GAP, MARGIN, PAPER, Cell, contact_sheet, evenly

RED, BLUE = (np.full((60, 80, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 200)))


def test_pictures_lie_side_by_side_with_margins_all_around():
    sheet = contact_sheet(("A", "B"), [[Cell(picture=RED), Cell(picture=BLUE)]] * 2, width=80)
    assert sheet.shape[1] == 2 * MARGIN + 2 * 80 + GAP
    assert (sheet[:MARGIN, :MARGIN] == PAPER).all()
    assert (sheet[-MARGIN:] == PAPER).all()
    assert (sheet[:, -MARGIN:] == PAPER).all()
    for colour, left in (((200, 0, 0), MARGIN), ((0, 0, 200), MARGIN + 80 + GAP)):
        found = (sheet == colour).all(2)
        assert found.sum() == 2 * 60 * 80
        assert found[:, left : left + 80].sum() == found.sum()


def test_pictures_of_any_size_are_brought_to_one_width():
    wide = np.full((100, 2000, 3), (0, 200, 0), np.uint8)
    sheet = contact_sheet(("A", "B"), [[Cell(picture=RED), Cell(picture=wide)]], width=80)
    rows, columns = np.nonzero((sheet == (0, 200, 0)).all(2))
    assert columns.max() - columns.min() + 1 == 80
    assert rows.max() - rows.min() + 1 == 4


def test_captions_are_written_and_stay_in_their_cell():
    plain = contact_sheet(("A", "B"), [[Cell(picture=RED), Cell(picture=BLUE)]], width=80)
    long = contact_sheet(("A", "B"), [[Cell(picture=RED, caption="x" * 400), Cell(picture=BLUE)]], width=80)
    changed = np.nonzero((plain != long).any(2))[1]
    assert changed.size > 0
    assert changed.max() < MARGIN + 80


@pytest.mark.parametrize(("count", "wanted"), [(0, 8), (3, 8), (8, 8), (305, 8), (9, 1)])
def test_evenly(count, wanted):
    chosen = evenly(count, wanted)
    assert len(set(chosen)) == len(chosen) == min(count, wanted)
    assert all(0 <= index < count for index in chosen)
    assert chosen == sorted(chosen)
