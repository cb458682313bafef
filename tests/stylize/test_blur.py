from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from stylize.blur import WIDEST, add_blur, blur_between, sharpness_of
from stylize.images import Pixels

HEIGHT, WIDTH = 240, 320


def scene(seed: int = 0) -> Pixels:
    """Return noise whose amplitudes fall like the inverse of the frequency, as those of sharp photographs do."""
    white = np.fft.rfft2(np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH)))
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None])
    pink_HW = np.fft.irfft2(white / np.maximum(frequency, 1 / HEIGHT), (HEIGHT, WIDTH))
    return np.clip(128 + 40 * pink_HW[..., None] / pink_HW.std(), 0, 255).astype(np.uint8).repeat(3, -1)


def blurred(picture_HWC: Pixels, sigma: float) -> Pixels:
    return np.asarray(Image.fromarray(picture_HWC).filter(ImageFilter.GaussianBlur(sigma)))


@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.2])
def test_the_blur_of_another_scene_is_found_and_carried_over(sigma: float) -> None:
    exemplar = sharpness_of(blurred(scene(1), sigma), HEIGHT)
    assert blur_between(scene(0), exemplar) == pytest.approx(sigma, rel=0.2)
    made = add_blur(scene(0), exemplar, 1.0)
    assert sharpness_of(made, HEIGHT).ratio == pytest.approx(exemplar.ratio, rel=0.15)
    half = add_blur(scene(0), exemplar, 0.5)
    assert sharpness_of(scene(0), HEIGHT).ratio > sharpness_of(half, HEIGHT).ratio > exemplar.ratio


def test_pictures_are_not_sharpened() -> None:
    soft = blurred(scene(0), 1.0)
    assert add_blur(soft, sharpness_of(scene(1), HEIGHT), 1.0) is soft
    assert add_blur(soft, sharpness_of(blurred(scene(1), 2.0), HEIGHT), 0.0) is soft


def test_light_and_contrast_are_no_blur() -> None:
    dark = (scene(1) * 0.4).astype(np.uint8)
    assert blur_between(scene(0), sharpness_of(dark, HEIGHT)) < 0.25


def test_larger_contents_are_blurred_by_as_much_of_their_height() -> None:
    exemplar = sharpness_of(blurred(scene(1), 0.8), 2 * HEIGHT)
    large = np.asarray(Image.fromarray(scene(0)).resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.NEAREST))
    assert exemplar.height == HEIGHT
    assert blur_between(large, exemplar) == pytest.approx(2 * 0.8, rel=0.2)


def test_larger_exemplars_are_looked_at_in_the_size_of_the_content() -> None:
    large = np.asarray(Image.fromarray(scene(1)).resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.NEAREST))
    assert sharpness_of(large, HEIGHT).ratio == pytest.approx(sharpness_of(scene(1), HEIGHT).ratio, rel=1e-6)


def test_blank_pictures_neither_have_blur_nor_get_any() -> None:
    blank = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    assert math.isnan(sharpness_of(blank, HEIGHT).ratio)
    assert blur_between(scene(0), sharpness_of(blank, HEIGHT)) == 0
    assert blur_between(blank, sharpness_of(blurred(scene(1), 1.0), HEIGHT)) == 0


def test_a_very_soft_exemplar_blurs_no_more_than_can_be_told() -> None:
    assert blur_between(scene(0), sharpness_of(blurred(scene(1), 6.0), HEIGHT)) == pytest.approx(WIDEST)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 50, 3), (50, 2, 3)])
def test_tiny_pictures_are_taken(shape: tuple[int, int, int]) -> None:
    tiny = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert add_blur(tiny, sharpness_of(scene(0), shape[0]), 1.0).shape == shape
    assert add_blur(scene(0), sharpness_of(tiny, HEIGHT), 1.0).shape == (HEIGHT, WIDTH, 3)
