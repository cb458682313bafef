"""Pages are whole, load nothing and hold their pictures."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from stylize.images import decode_rgb, encode
from stylize.reporting import (
    LIMIT,
    MOST_BYTES,
    MOST_PICTURES,
    Shown,
    code,
    commands,
    data_uri,
    figure,
    fitted,
    folded,
    footer,
    gallery,
    links,
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
            links({"s": "<S>"}),
            section("S", subtitle("sub"), text("t ", code("<c>")), lead="why", name="s"),
            folded("more", text("hidden")),
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
    for expected in ("<title>", "<h1>", "<one>", "<a & b>", "<c>", "# what", "odd", "end", "<S>", "hidden"):
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


def test_a_picture_keeps_to_its_bytes_whatever_it_shows() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1100, 560, 3), np.uint8)
    data = base64.b64decode(data_uri(noise).partition(",")[2])
    assert len(data) <= MOST_BYTES
    height, width = decode_rgb(data).shape[:2]
    assert 100 < width <= 560
    assert height / width == pytest.approx(1100 / 560, rel=0.02)


def test_the_bounds_keep_to_the_limit() -> None:
    assert MOST_PICTURES * MOST_BYTES * 4 / 3 < 0.95 * LIMIT


def test_a_page_of_the_most_pictures_keeps_to_the_limit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 560, 3), np.uint8)
    one = figure(Shown(picture=noise, caption="noise"))
    assert len(page("t", *[one] * MOST_PICTURES)) < LIMIT


def test_small_pictures_are_finer() -> None:
    for (height, width), quality in (((96, 128), 93), ((480, 640), 84)):
        original = picture(3, height, width)
        data = base64.b64decode(data_uri(original).partition(",")[2])
        assert data == encode(original, "jpeg", quality=quality)


def test_a_picture_without_alt_speaks_its_caption() -> None:
    assert 'alt="&lt;cap&gt;"' in figure(Shown(picture=picture(1), caption="<cap>"))
    assert 'width="40"' in figure(Shown(picture=picture(1), caption="x"))


def test_browsers_are_told_to_run_no_other_script() -> None:
    made = page("t", text("x")).decode()
    assert "default-src 'none'" in made.replace("&#x27;", "'")
    assert "script-src 'sha256-" in made.replace("&#x27;", "'")
