"""Ways to change a picture's light, which keep its scene, and ways to damage it, which do not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from stylize.images import Pixels

BLIND = ("fine detail blurred away", "grain")  # what the content score is not made to see

Light = NDArray[np.float64]


def relit(picture_HWC: Pixels, rng: Generator) -> Pixels:
    """Return the picture with another gamma, exposure, tint and haze."""
    light = (picture_HWC / 255) ** np.exp(rng.uniform(-0.8, 0.8))
    light = light * rng.uniform(0.3, 1.5) * np.exp(rng.uniform(-0.25, 0.25, 3))
    haze = rng.uniform(0, 0.6)
    return _pixels(255 * (light * (1 - haze) + haze * rng.uniform(0.2, 1, 3)))


def by_hand(
    picture_HWC: Pixels, elsewhere_HWC: Pixels, label_HW: Pixels | None, rng: Generator
) -> Iterator[tuple[str, Pixels]]:
    """Yield a stylized picture damaged in several ways, by name; `elsewhere` is another scene in a style."""
    light = picture_HWC.astype(np.float64)
    height, width, _ = light.shape
    other = np.asarray(Image.fromarray(elsewhere_HWC).resize((width, height))).astype(np.float64)
    luma = light.mean(2)
    yield "another scene", _pixels(other)
    share = rng.uniform(0.4, 0.6)
    yield "ghost of another scene", _pixels(light * (1 - share) + other * share)
    yield "moved aside", _pixels(np.roll(light, int(width * rng.uniform(0.05, 0.12)), axis=1))
    yield "blotches", _pixels(light + _spots(height, width, rng))
    yield "all but the brightest black", _pixels((light - np.quantile(luma, rng.uniform(0.88, 0.97))) * 2)
    yield "all but the darkest white", _pixels(255 - (np.quantile(luma, rng.uniform(0.03, 0.12)) - light) * 2)
    share = rng.uniform(0.96, 0.995)
    yield "total fog", _pixels(light * (1 - share) + share * rng.uniform(80, 220))
    yield "total night", _pixels(light * rng.uniform(0.005, 0.02))
    yield "negative", _pixels(255 - light)
    yield "tones folded", _pixels(2 * np.abs(light - np.median(light)))
    if label_HW is not None:
        offsets = rng.uniform(-110, 110, (256, 1)) + rng.uniform(-30, 30, (256, 3))
        yield "classes change brightness", _pixels(light + offsets[label_HW])
    blurred = Image.fromarray(picture_HWC).filter(ImageFilter.GaussianBlur(rng.uniform(0.025, 0.04) * width))
    yield BLIND[0], np.asarray(blurred)
    yield BLIND[1], _pixels(light + rng.normal(0, rng.uniform(60, 90), light.shape))


def _spots(height: int, width: int, rng: Generator) -> Light:
    y, x = np.mgrid[0:height, 0:width]
    spots = np.zeros((height, width, 3))
    for _ in range(rng.integers(3, 8)):
        radius = rng.uniform(0.04, 0.12) * width
        shape = np.exp(-((y - rng.uniform(0, height)) ** 2 + (x - rng.uniform(0, width)) ** 2) / (2 * radius**2))
        spots += shape[..., None] * (rng.choice([-1, 1]) * rng.uniform(60, 120) + rng.uniform(-40, 40, 3))
    return spots


def _pixels(light_HWC: Light) -> Pixels:
    return np.clip(np.rint(light_HWC), 0, 255).astype(np.uint8)
