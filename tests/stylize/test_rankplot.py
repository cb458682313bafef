from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from stylize.rankplot import COLOURS, INK, Row, Scatter, draw

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    Row(model="good", rank=1, score=(0.6, 0.55, 0.65), targets={"dusk": 0.5, "fog": 0.7}),
    Row(model="<fair> & square", rank=1, score=(0.58, 0.5, 0.6), targets={"dusk": 0.48, "fog": 0.68}),
    Row(model="poor", rank=3, score=(0.2, 0.1, 0.3), targets={"dusk": 0.1, "fog": 0.3}),
]


def parse(data: bytes) -> ElementTree.Element:
    root = ElementTree.fromstring(data)
    assert b"nan" not in data
    assert b"inf" not in data
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    for circle in root.iter(f"{SVG}circle"):
        assert 0 < float(circle.attrib["cx"]) < width
        assert 0 < float(circle.attrib["cy"]) < height
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in root.iter(f"{SVG}text")]


def dots(root: ElementTree.Element, colour: str) -> list[tuple[float, float]]:
    found = (e for e in root.iter(f"{SVG}circle") if e.attrib["fill"] == colour)
    return [(float(e.attrib["cx"]), float(e.attrib["cy"])) for e in found]


def test_the_ladder_names_models_ranks_and_targets() -> None:
    root = parse(draw("Three models", "all alike", ROWS))
    found = texts(root)
    assert {"Three models", "all alike", "good", "<fair> & square", "poor", "dusk", "fog", "average"} <= set(found)
    assert [text for text in found if text.startswith("#")] == ["#1", "#3"]  # where a group opens
    assert {"60.0", "58.0", "20.0"} <= set(found)


def test_scores_lie_where_the_axis_says() -> None:
    root = parse(draw("", "", ROWS))
    ticks = {
        float(e.text or ""): float(e.attrib["x"]) for e in root.iter(f"{SVG}text") if e.attrib["font-size"] == "12"
    }
    low, high = min(ticks), max(ticks)
    assert low <= 10
    assert high >= 70
    scale = (ticks[high] - ticks[low]) / (high - low)
    expected = [ticks[low] + scale * (score - low) for score in (60, 58, 20)]
    assert [x for x, _ in dots(root, INK)[1:]] == pytest.approx(expected, abs=0.1)  # the first is the legend's
    assert len(dots(root, COLOURS[0])) == len(dots(root, COLOURS[1])) == 4


def test_one_target_needs_no_marks_of_its_own() -> None:
    rows = [Row(model="a", rank=1, score=(0.5, 0.4, 0.6), targets={"dusk": 0.5})]
    root = parse(draw("", "", rows))
    assert dots(root, COLOURS[0]) == []
    assert "average" not in texts(root)


def test_scores_without_intervals_and_all_alike_are_drawn() -> None:
    alone = (0.5, math.nan, math.nan)
    rows = [Row(model=name, rank=1, score=alone, targets={"dusk": 0.5}) for name in "ab"]
    parse(draw("", "", rows, [Scatter(title="t", across="x", up="y", points=[(1, alone, alone)], remarks=[])]))


def test_points_of_a_scatter_carry_the_numbers_of_the_rows() -> None:
    points = [(1, (0.6, 0.5, 0.7), (0.3, 0.2, 0.4)), (2, (0.2, 0.1, 0.3), (0.5, math.nan, math.nan))]
    scatter = Scatter(title="By proxy", across="proxy", up="real", points=points, remarks=["Spearman 0.5", "and more"])
    one, two = (parse(draw("", "", ROWS, [scatter] * number)) for number in (1, 2))
    assert {"By proxy", "proxy", "real", "Spearman 0.5", "and more"} <= set(texts(one))
    assert (texts(one).count("1"), texts(two).count("1")) == (2, 3)
    three = parse(draw("", "", ROWS, [scatter] * 3))
    assert float(three.attrib["height"]) > float(two.attrib["height"]) == float(one.attrib["height"])


def test_long_names_are_cut() -> None:
    rows = [Row(model="x" * 60, rank=1, score=(0.5, 0.4, 0.6), targets={"dusk": 0.5})]
    assert "x" * 27 + "…" in texts(parse(draw("", "", rows)))
