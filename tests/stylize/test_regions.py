from __future__ import annotations

import numpy as np
import pytest

from stylize import scenes
from stylize.corridor import HORIZON, depth
from stylize.images import Pixels
from stylize.regions import FRONTS, GROUND, SKY, regions_of, sure

HEIGHT, WIDTH = 180, 240


def street(sky: tuple[int, int, int] = (230, 235, 240), wide: bool = False) -> tuple[Pixels, np.ndarray]:
    """Return a street of three colours, with some noise, and what is where; `wide` has low fronts under a wide sky."""
    down_H1 = ((np.arange(HEIGHT) + 0.5) / HEIGHT - HORIZON)[:, None]
    aside_1W = np.abs(np.arange(WIDTH) + 0.5 - WIDTH / 2)[None] / HEIGHT
    parts_HW = np.full((HEIGHT, WIDTH), FRONTS)
    parts_HW[np.broadcast_to(-down_H1 > (0.1 if wide else aside_1W * 0.9), parts_HW.shape)] = SKY
    parts_HW[np.broadcast_to(down_H1 > aside_1W * 0.2, parts_HW.shape)] = GROUND
    colours = np.array([sky, (90, 90, 95), (140, 80, 50)])
    noise = np.random.default_rng(0).normal(0, 3, (HEIGHT, WIDTH, 1))
    return np.clip(colours[parts_HW] + noise, 0, 255).astype(np.uint8), parts_HW


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("sky", [(250, 250, 250), (60, 90, 200), (20, 18, 25)])
def test_sky_and_ground_are_found_by_colour_where_places_alone_are_wrong(sky: tuple[int, int, int], wide: bool) -> None:
    picture, parts_HW = street(sky, wide)
    found_PHW = regions_of(picture).weights(picture, (SKY, GROUND)) > 127
    for part, found_HW in zip((SKY, GROUND), found_PHW, strict=True):
        true_HW = parts_HW == part
        assert (found_HW & true_HW).sum() / (found_HW | true_HW).sum() > 0.9


@pytest.mark.parametrize(
    ("condition", "right", "found"), [("day", 0.75, 0.85), ("dusk", 0.75, 0.75), ("snow", 0.65, 0.85)]
)
def test_the_sky_of_rendered_streets_is_mostly_found(condition: str, right: float, found: float) -> None:
    common = taken = true = 0
    for number in (31, 32, 33):
        scene = scenes.Scene.sample(number)
        picture = scenes.render(scene, scenes.Condition.sample(condition, number), HEIGHT, WIDTH)
        true_HW = scenes.labels(scene, HEIGHT, WIDTH) == 0  # sky
        found_HW = regions_of(picture).weights(picture, (SKY,))[0] > 127
        common += (found_HW & true_HW).sum()
        taken, true = taken + found_HW.sum(), true + true_HW.sum()
    assert common / taken > right
    assert common / true > found


def test_a_tree_before_the_sky_is_no_sky() -> None:
    picture, parts_HW = street()
    leaves = np.random.default_rng(1).integers(0, 200, (60, 60, 1)).repeat(3, -1)
    picture[:60, 90:150] = leaves
    found_HW = regions_of(picture).weights(picture, (SKY,))[0]
    assert found_HW[:60, 90:150].mean() < 0.3 * found_HW[:60][parts_HW[:60] == SKY].mean()


def test_no_sky_is_below_the_horizon() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    found_HW = regions_of(picture).weights(picture, (SKY,))[0]
    assert found_HW[round(HEIGHT * HORIZON) + 1 :].max() == 0
    assert found_HW[:10, WIDTH // 2].min() > 127  # where colours say nothing, place decides


def test_shares_add_up_and_weights_are_of_the_likelier_half() -> None:
    picture, _ = street()
    regions = regions_of(picture)
    assert np.allclose(regions.shares_KHW.sum(0), 1, atol=1e-5)
    assert sure(np.array([0.2, 0.5, 0.75, 1.0], np.float32)).tolist() == [0, 0, 0.5, 1]


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 50, 3), (300, 2, 3)])
def test_tiny_pictures_are_taken(shape: tuple[int, int, int]) -> None:
    tiny = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert regions_of(tiny).weights(tiny, (SKY, GROUND)).shape == (2, *shape[:2])


def test_the_corridor_is_near_below_and_far_at_its_end() -> None:
    depth_HW = depth(HEIGHT, WIDTH)
    assert depth_HW[-1].max() == pytest.approx(1.25 * 1.5 / 0.55, rel=0.05)
    assert depth_HW.max() == 200
    assert not depth_HW.flags.writeable
