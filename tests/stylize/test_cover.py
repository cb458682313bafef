from __future__ import annotations

import numpy as np
import pytest

from stylize.cover import Cover, add_cover, cover_of, scene_of
from stylize.images import Pixels
from stylize.regions import GROUND, SKY
from tests.stylize.test_regions import HEIGHT, WIDTH, street


def clouded(
    deviation: float = 25, seed: int = 3, ground: int = 95, sky: tuple[int, int, int] = (120, 125, 135)
) -> Pixels:
    """Return a street whose sky has clouds of 6 to 12 pixels, made without any code of ours."""
    picture, parts_HW = street(sky)
    cells_HW = np.random.default_rng(seed).normal(0, deviation, (HEIGHT // 10, WIDTH // 10)).repeat(10, 0).repeat(10, 1)
    for axis in (0, 1):
        cells_HW = sum(np.roll(cells_HW, step, axis) for step in range(10)) / 10
    made = picture.astype(float)
    made[parts_HW == SKY] += cells_HW[parts_HW == SKY][:, None]
    made[parts_HW == GROUND] += ground - 90
    return np.clip(made, 0, 255).astype(np.uint8)


def test_a_blank_sky_gets_the_clouds_and_the_colour_of_its_exemplar() -> None:
    content, parts_HW = street()
    exemplar = cover_of(clouded())
    made = add_cover(content, scene_of(content), exemplar, 1.0, seed=0)
    own, lacking = cover_of(made).parts[0], cover_of(content).parts[0]
    assert np.abs(own.colour_C - exemplar.parts[0].colour_C).max() < 12
    before, after, wanted = (float(np.linalg.norm(one.uneven_S)) for one in (lacking, own, exemplar.parts[0]))
    assert before < 0.1 * wanted
    assert 0.4 * wanted < after < wanted
    fronts_HW = (parts_HW != SKY) & (parts_HW != GROUND)
    assert np.abs(made[fronts_HW].astype(int) - content[fronts_HW]).mean() < 1.5


def test_the_ground_takes_the_colour_of_the_exemplars_ground_and_no_shapes() -> None:
    content, parts_HW = street()
    snowy = cover_of(clouded(deviation=0, ground=215, sky=(230, 235, 240)))
    made = add_cover(content, scene_of(content), snowy, 1.0, seed=0)
    ground_HW = parts_HW == GROUND
    moved = made[ground_HW].astype(float) - content[ground_HW]
    assert np.median(moved) == pytest.approx(125, abs=4)
    assert np.percentile(moved, 90) - np.percentile(moved, 50) < 2
    half = add_cover(content, scene_of(content), snowy, 0.5, seed=0)
    assert np.median(half[ground_HW].astype(float) - content[ground_HW]) == pytest.approx(62, abs=4)


def test_a_sky_that_is_cloudy_gets_no_more_clouds() -> None:
    content = clouded(seed=5)
    made = add_cover(content, scene_of(content), cover_of(clouded(deviation=8)), 1.0, seed=0)
    assert np.abs(made.astype(int) - content).mean() < 2


def test_shapes_follow_from_the_seed() -> None:
    content, _ = street()
    scene, exemplar = scene_of(content), cover_of(clouded())
    first, again, other = (add_cover(content, scene, exemplar, 1.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert add_cover(content, scene, exemplar, 0.0, 1) is content


def test_what_the_exemplar_does_not_show_stays() -> None:
    content, _ = street()
    blind = cover_of(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    only_ground = Cover(parts=(blind.parts[0], cover_of(content).parts[1]))
    assert blind.parts[0].share < 0.05
    made = add_cover(content, scene_of(content), only_ground, 1.0, seed=0)
    assert np.abs(made.astype(int) - content).mean() < 1 + 80 * blind.parts[0].share


def test_the_scene_is_the_contents_and_not_the_copys() -> None:
    content, parts_HW = street()
    dark = (content * 0.1).astype(np.uint8)  # nothing can be told apart in it any more
    made = add_cover(dark, scene_of(content), cover_of(clouded()), 1.0, seed=0)
    assert np.median(made[parts_HW == SKY]) > 100
    assert np.median(made[parts_HW == 2]) < 20


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 50, 3), (300, 2, 3)])
def test_tiny_pictures_are_taken(shape: tuple[int, int, int]) -> None:
    tiny = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert add_cover(tiny, scene_of(tiny), cover_of(clouded()), 1.0, 0).shape == shape
    content, _ = street()
    assert add_cover(content, scene_of(content), cover_of(tiny), 1.0, 0).shape == content.shape
