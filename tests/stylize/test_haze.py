from __future__ import annotations

import numpy as np
import pytest

from stylize.haze import add_haze, density_of, haze_of
from stylize.images import Pixels

HEIGHT, WIDTH = 240, 320
AIR = np.array([200, 205, 215])


def scene(seed: int = 0) -> Pixels:
    """Return blocks of many greys all over the picture."""
    blocks_HW = np.random.default_rng(seed).integers(20, 160, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)
    return np.stack([blocks_HW, blocks_HW + 20, blocks_HW + 5], -1).astype(np.uint8)


def depth() -> np.ndarray:
    """Return the depth of the street that the module describes, worked out pixel by pixel."""
    depth_HW = np.empty((HEIGHT, WIDTH))
    for row in range(HEIGHT):
        for column in range(WIDTH):
            down, aside = (row + 0.5) / HEIGHT - 0.45, abs(column + 0.5 - WIDTH / 2) / HEIGHT
            steep = max(down / 1.5, -down / 13, aside / 10)
            depth_HW[row, column] = min(1.25 / steep, 200)
    return depth_HW


def hazy(density: float, seed: int = 1, gain: float = 1.0) -> Pixels:
    seen_HW1 = np.exp(-density * depth())[..., None]
    return np.rint(gain * (AIR + (scene(seed).astype(float) - AIR) * seen_HW1)).astype(np.uint8)


@pytest.mark.parametrize("density", [0.01, 0.03])
def test_the_density_of_another_scene_is_found(density: float) -> None:
    assert density_of(scene(), haze_of(hazy(density))) == pytest.approx(density, rel=0.25)
    made = add_haze(scene(), haze_of(hazy(density)), 1.0)
    truth = hazy(density, seed=0).astype(float)
    assert np.abs(made - truth).mean() < 0.5 * np.abs(scene() - truth).mean()
    half = add_haze(scene(), haze_of(hazy(density)), 0.5)
    assert density_of(scene(), haze_of(half)) == pytest.approx(density / 2, rel=0.3)


def test_what_is_far_fades_and_what_is_near_stays() -> None:
    changed_HW = np.abs(add_haze(scene(), haze_of(hazy(0.02)), 1.0).astype(float) - scene()).mean(-1)
    assert changed_HW[-10:].mean() < 0.2 * changed_HW[100:116, 150:170].mean()


def test_the_clear_stays_clear() -> None:
    clear = haze_of(scene(1))
    assert np.array_equal(add_haze(hazy(0.02), clear, 1.0), hazy(0.02))
    assert np.array_equal(add_haze(scene(), haze_of(hazy(0.02)), 0.0), scene())


def test_a_picture_with_more_contrast_everywhere_is_not_hazy() -> None:
    assert density_of((scene() * 0.5).astype(np.uint8), haze_of(scene(1))) == 0


def test_what_is_dark_far_away_is_in_clear_air() -> None:
    """Half of the contrast is gone at the end of the street, but the rest of it is as dark as it was."""
    flat_HWC = scene(1).astype(float)
    far_HW = depth() > 30
    flat_HWC[far_HW] = 25 + (flat_HWC[far_HW] - 25) * 0.3
    flat = flat_HWC.astype(np.uint8)
    flat[(depth() > 65) & (np.indices((HEIGHT, WIDTH))[0] < 0.45 * HEIGHT)] = 200  # a bright sky over it
    assert density_of(scene(), haze_of(flat)) < 0.004
    assert density_of(scene(), haze_of(hazy(0.02))) > 0.015


@pytest.mark.parametrize("shape", [(40, 30), (7, 200), (300, 4)])
def test_odd_shapes_are_no_error(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    assert add_haze(picture, haze_of(hazy(0.03)), 1.0).shape == picture.shape
    assert add_haze(scene(), haze_of(picture), 1.0).shape == scene().shape
