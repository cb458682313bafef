from __future__ import annotations

import math
from xml.etree import ElementTree

from stylize.curveplot import POINTS, Panel, draw
from stylize.svg import COLOURS, SOFT

SVG = "{http://www.w3.org/2000/svg}"
PANELS = [Panel(title="distance", figures=["frechet"]), Panel(title="losses", figures=["l1", "mse"])]


def parse(data: bytes) -> ElementTree.Element:
    root = ElementTree.fromstring(data)
    assert b"nan" not in data
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    for x, y in (place for one in curves(root) for place in one):
        assert 0 < x < width
        assert 0 < y < height
    return root


def curves(root: ElementTree.Element) -> list[list[tuple[float, float]]]:
    lines = (one.attrib["points"].split() for one in root.iter(f"{SVG}polyline"))
    return [[(float(x), float(y)) for x, y in (place.split(",") for place in line)] for line in lines]


def texts(root: ElementTree.Element) -> list[str]:
    return [str(element.text) for element in root.iter(f"{SVG}text")]


def test_each_figure_is_a_curve_over_the_images() -> None:
    rows = [{"images": 1000.0 * n, "frechet": 100.0 / n, "l1": 1.0, "mse": 0.1 * n} for n in range(1, 6)]
    root = parse(draw("Training", "of <five>", rows, PANELS))
    falling, level, rising = curves(root)
    assert [y for _, y in falling] == sorted(y for _, y in falling), "down on paper is more of y"
    assert len({y for _, y in level}) == 1
    assert [y for _, y in rising] == sorted((y for _, y in rising), reverse=True)
    assert [x for x, _ in falling] == sorted(x for x, _ in falling)
    assert "0" in texts(root)
    assert "-1" not in texts(root), "nobody saw less than no images"
    assert {"Training", "of <five>", "distance", "losses", "l1", "mse", "thousand images seen"} <= set(texts(root))
    assert "frechet" not in texts(root), "one curve needs no legend"


def test_panels_without_figures_are_left_out() -> None:
    root = parse(draw("Training", "", [{"images": 10.0, "l1": 1.0, "frechet": math.nan}], PANELS))
    assert "distance" not in texts(root)
    assert len(curves(root)) == 1
    parse(draw("Training", "", [], PANELS))


def test_many_points_are_averaged() -> None:
    rows = [{"images": 100.0 * n, "l1": float(n % 2)} for n in range(10 * POINTS)]
    root = parse(draw("Training", "", rows, PANELS))
    (points,) = curves(root)
    assert len(points) == POINTS
    assert len({y for _, y in points}) == 1
    assert not list(root.iter(f"{SVG}circle"))


def test_a_legend_names_the_colours() -> None:
    rows = [{"images": 1.0, "l1": 1.0, "mse": 2.0}, {"images": 2.0, "l1": 1.5, "mse": 2.0}]
    root = parse(draw("Training", "", rows, [Panel(title="losses", figures=["l1", "mse"])]))
    legend = {e.text: float(e.attrib["x"]) for e in root.iter(f"{SVG}text") if e.text in ("l1", "mse")}
    dots = {e.attrib["fill"]: float(e.attrib["cx"]) for e in root.iter(f"{SVG}circle") if e.attrib["r"] == "4"}
    assert 0 < legend["l1"] - dots[COLOURS[0]] < 12
    assert 0 < legend["mse"] - dots[COLOURS[1]] < 12
    assert SOFT not in dots
