"""Pages are whole, load nothing and hold their pictures."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from stylize.images import decode_rgb
from stylize.reporting import (
    Shown,
    code,
    commands,
    data_uri,
    fitted,
    footer,
    gallery,
    masthead,
    page,
    remark,
    rows,
    section,
    subtitle,
    table,
    text,
    tiles,
)
from tests.pages import Page
from tests.pipelines.helpers import picture


def test_a_page_of_every_block() -> None:
    shown = Shown(picture=picture(1), caption="<a & b>", alt='"quoted"', mark="result")
    made = Page(
        page(
            "<title>",
            masthead("kicker", "<h1>", "lead", badge="finished"),
            tiles([("1", "<one>")]),
            section("S", subtitle("sub"), text("t ", code("<c>")), lead="why"),
            gallery([shown, shown], 2),
            rows(("Content", "Result"), [(shown, shown)]),
            table(("a", "b"), [("1", code("2"))]),
            commands("# what", "stylize demo"),
            remark("odd"),
            footer("end"),
        )
    )
    assert made.is_self_contained()
    assert len(made.sources) == 4
    assert made.commands == ["stylize demo"]
    for expected in ("<title>", "<h1>", "<one>", "<a & b>", "<c>", "# what", "odd", "end"):
        assert expected in made.text


def test_a_picture_travels_in_its_uri() -> None:
    original = picture(3, 60, 80)
    again = decode_rgb(base64.b64decode(data_uri(original).partition(",")[2]))
    assert np.abs(again.astype(int) - original).mean() < 3


@pytest.mark.parametrize(
    ("size", "expected"),
    [((30, 40), (30, 40)), ((300, 400), (75, 100)), ((1000, 10), (200, 2)), ((3, 2000), (1, 100))],
)
def test_pictures_fit(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fitted(np.zeros((*size, 3), np.uint8), 100).shape[:2] == expected
