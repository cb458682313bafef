from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stylize.images import Pixels
from stylize.particles import LEAST, add_particles, particles_of

HEIGHT, WIDTH = 240, 320


def street(height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """Return a bright sky over a darker road, with a bright line, a few windows and a little noise."""
    picture_HWC = np.full((height, width, 3), (190, 195, 200), np.float64)
    picture_HWC[height // 3 :] = (90, 92, 95)
    picture_HWC[height // 2 :, width // 2 : width // 2 + 5] = 180
    for left in range(20, 120, 12):
        picture_HWC[height // 3 + 10 : height // 3 + 16, left : left + 5] = (170, 160, 90)
    picture_HWC += np.random.default_rng(0).normal(0, 2, (height, width, 1))
    return np.clip(np.rint(picture_HWC), 0, 255).astype(np.uint8)


def with_flakes(picture_HWC: Pixels, per_tile: float, *, length: int = 3, seed: int = 1) -> Pixels:
    """Return the picture with bright bars 3 wide at random places."""
    height, width, _ = picture_HWC.shape
    rng = np.random.default_rng(seed)
    shown_HWC = picture_HWC.copy()
    for _ in range(round(per_tile * height * width / 32**2)):
        y, x = rng.integers(0, (height - length, width - 3))
        shown_HWC[y : y + length, x : x + 3] = 220
    return shown_HWC


@pytest.mark.parametrize("per_tile", [4, 8])
def test_what_falls_is_counted(per_tile: int) -> None:
    found = particles_of(with_flakes(street(), per_tile))
    assert found.density == pytest.approx(per_tile, rel=0.35)
    assert np.allclose(found.colour_C, 220)
    assert len(found.stamps_NSS) > 20
    assert found.stamps_NSS.max((1, 2)).min() > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_a_scene_and_noise_alone_do_not_fall(seed: int) -> None:
    noise_HW1 = np.random.default_rng(seed).normal(0, 12, (HEIGHT, WIDTH, 1))
    noisy = np.clip(street() + noise_HW1, 0, 255).astype(np.uint8)
    for picture_HWC in (street(), noisy):
        assert particles_of(picture_HWC).density == 0


def test_as_many_are_added_and_only_before_what_is_darker() -> None:
    exemplar = particles_of(with_flakes(street(), 6))
    made = add_particles(street(), exemplar, 1.0, seed=3)
    assert particles_of(made).density == pytest.approx(exemplar.density, rel=0.35)
    added = made.astype(int) - street()
    assert added.min() >= 0
    assert added[: HEIGHT // 3 - 10].max() < 40 < added[HEIGHT // 2 :].max()
    half = add_particles(street(), exemplar, 0.5, seed=3).astype(int) - street()
    assert half.sum() == pytest.approx(added.sum() / 2, rel=0.1)


def test_their_shape_comes_along() -> None:
    streaks = particles_of(with_flakes(street(), 7, length=12)).stamps_NSS.mean(0)
    high, wide = ((streaks.max(axis) > 0.3).sum() for axis in (1, 0))
    assert high > 2 * wide


def test_what_falls_already_is_not_added_again() -> None:
    exemplar = particles_of(with_flakes(street(), 5))
    snowy = with_flakes(street(), 8, seed=2)
    assert add_particles(snowy, exemplar, 1.0, seed=3) is snowy
    assert add_particles(street(), particles_of(street()), 1.0, seed=3).tolist() == street().tolist()
    assert add_particles(street(), exemplar, 0.0, seed=3).tolist() == street().tolist()


def test_sizes_do_not_matter() -> None:
    large = np.asarray(Image.fromarray(with_flakes(street(), 5)).resize((3 * WIDTH, 3 * HEIGHT)))
    exemplar = particles_of(large)
    assert exemplar.density > LEAST
    made = add_particles(np.asarray(Image.fromarray(street()).resize((3 * WIDTH, 3 * HEIGHT))), exemplar, 1.0, seed=1)
    assert particles_of(made).density == pytest.approx(exemplar.density, rel=0.35)


@pytest.mark.parametrize("shape", [(7, 5), (20, 400), (900, 40)])
def test_any_shape_will_do(shape: tuple[int, int]) -> None:
    picture_HWC = np.full((*shape, 3), 100, np.uint8)
    assert particles_of(picture_HWC).density == 0
    made = add_particles(picture_HWC, particles_of(with_flakes(street(), 8)), 1.0, seed=1)
    assert made.shape == picture_HWC.shape
    assert made.max() > 100


def test_seeds_decide_and_nothing_else() -> None:
    exemplar = particles_of(with_flakes(street(), 5))
    one, same, other = (add_particles(street(), exemplar, 1.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
