"""What hangs between street and lens: halos of lamps, rain streaks, snow flakes; then the camera's own response."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from stylize.scenes.build import lamp_posts, road_x
from stylize.scenes.conditions import Condition
from stylize.scenes.geometry import View
from stylize.scenes.layout import Scene
from stylize.scenes.noise import FloatArray, clamp, either, hash01
from stylize.scenes.vehicles import light_points

RGB = tuple[float, float, float]
Light = tuple[tuple[float, float, float], RGB, float]


def lights(scene: Scene, c: Condition) -> Iterator[Light]:
    """List what shines: position, colour and radius of the halo in metres."""
    if c.lamps > 0.02:
        for side, z in lamp_posts(scene):
            x = road_x(scene, z) + side * (scene.half - 1.0)
            yield (x, scene.lamp_height - 0.05, z - 0.1), (0.9 * c.lamps, 0.62 * c.lamps, 0.32 * c.lamps), 0.9
    if c.headlights > 0.02:
        for car in scene.cars:
            if not car.parked:
                for point, kind in light_points(car, road_x(scene, car.z) + car.u, scene.curvature * car.z):
                    head = kind == "head"
                    gain = c.headlights * (1.0 if head else 0.55)
                    colour = (gain, 0.92 * gain, 0.78 * gain) if head else (gain, 0.05 * gain, 0.03 * gain)
                    yield point, colour, 0.36 if head else 0.24


def add_halos(picture: FloatArray, inverse: FloatArray, scene: Scene, c: Condition, view: View) -> None:
    """Add a soft disc around every visible light to `picture` [3,h,w], in place; dark surroundings make it matter."""
    right, up = view.grid()
    dark = 1.0 / (1.0 + 4.0 * max(c.ambient))
    hazy = 1.0 + 14.0 * c.fog_density + 0.4 * c.rain
    for (x, y, z), colour, size in lights(scene, c):
        if z < 1.5:
            continue
        px, py = x / z, (-y - view.eye if view.mirror else y - view.eye) / z
        row, column = int(np.searchsorted(-up, -py)), int(np.searchsorted(right, px))
        if not (0 < row < up.size - 1 and 0 < column < right.size - 1):
            continue
        blocked = inverse[row - 1 : row + 2, column - 1 : column + 2] > 1 / (z - 0.9)
        visible = 1.0 - float(blocked.mean())
        if visible > 0.05:
            radius = hazy * (size / z + 0.009)
            strength = visible * dark * math.exp(-0.5 * c.fog_density * z)
            _disc(picture, right, up, px, py, radius, tuple(v * strength for v in colour))


def _disc(
    picture: FloatArray,
    right: FloatArray,
    up: FloatArray,
    px: float,
    py: float,
    radius: float,
    colour: tuple[float, ...],
) -> None:
    reach = 3.5 * radius
    x0, x1 = np.searchsorted(right, px - reach), np.searchsorted(right, px + reach)
    y0, y1 = np.searchsorted(-up, -(py + reach)), np.searchsorted(-up, -(py - reach))
    d2 = ((right[None, x0:x1] - px) ** 2 + (up[y0:y1, None] - py) ** 2) / (radius**2)
    fall = np.maximum(1 - d2 / (3.5**2), 0) ** 2 * (1 / (1 + 3 * d2))
    for plane, value in zip(picture, colour, strict=True):
        plane[y0:y1, x0:x1] += value * fall


def rain_streaks(height: int, width: int, c: Condition) -> FloatArray:
    """Return how much light streaks add [H, W], 0..1: three layers of slanted cells with one streak each."""
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    x = ((np.arange(width, dtype=np.float32) + 0.5) / height)[None, :]
    pixel = 1.0 / height
    total = np.zeros((height, width), np.float32)
    slant = 0.12 + 0.1 * float(hash01(c.seed, 5)[0])
    for layer, (wide, tall, strength) in enumerate(((0.010, 0.07, 0.16), (0.019, 0.12, 0.20), (0.045, 0.22, 0.22))):
        a = (x + y * slant) / wide
        column = np.floor(a)
        b = y / tall + hash01(column, layer, c.seed) * 7
        row = np.floor(b)
        pick = hash01(column, row, layer + 10, c.seed)
        centre = 0.5 + (hash01(column, row, layer + 20) - 0.5) * 0.5
        half = max(0.0008 * (1 + layer), 0.5 * pixel) / wide
        across = np.maximum(1 - np.abs(a - column - centre) / half, 0)
        along = np.sin(np.pi * (b - row)) ** 2
        visible = min(1.0, 0.0019 * (1 + layer) / (0.5 * pixel))
        total += either(pick < 0.30 * c.rain, across * along * (strength * visible), 0)
    return clamp(total, 0, 1)


def snow_flakes(height: int, width: int, c: Condition) -> FloatArray:
    """Return the cover of falling flakes [H, W]: four layers of cells with one soft, slightly drawn-out disc each."""
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    x = ((np.arange(width, dtype=np.float32) + 0.5) / height)[None, :]
    clear = np.ones((height, width), np.float32)
    slant = 0.5 * (float(hash01(c.seed, 6)[0]) - 0.5)
    for layer, (cell, radius, cover) in enumerate(
        ((0.026, 0.0022, 0.65), (0.045, 0.0040, 0.75), (0.085, 0.0070, 0.8), (0.2, 0.0125, 0.6))
    ):
        a, b = (x + y * slant) / cell, y / cell + layer * 3.3
        column, row = np.floor(a), np.floor(b)
        size = radius * (0.6 + 0.8 * hash01(column, row, layer, c.seed))
        margin = 2.2 * radius / cell
        cx = margin + (1 - 2 * margin) * hash01(column, row, layer + 30, c.seed)
        cy = margin + (1 - 2 * margin) * hash01(column, row, layer + 40, c.seed)
        distance = np.sqrt((a - column - cx) ** 2 + (0.75 * (b - row - cy)) ** 2) * cell
        soft = np.maximum(size * 0.6, (0.7 / height))
        disc = clamp((size - distance) / soft + 0.5, 0, 1)
        present = hash01(column, row, layer + 50, c.seed) < 0.42 * c.flakes
        clear *= 1 - either(present, disc * cover, 0) * np.minimum(size * height / 0.8, 1)
    return 1 - clear


def develop(linear: FloatArray, c: Condition, seed: int) -> FloatArray:
    """Turn light [3,H,W] into display values 0..1: exposure, vignette, filmic curve, saturation, gamma, grain."""
    _, height, width = linear.shape
    y = (np.arange(height, dtype=np.float32) + 0.5) / height - 0.5
    x = (np.arange(width, dtype=np.float32) + 0.5) / width - 0.5
    vignette = 1 - 0.35 * (x[None, :] ** 2 + y[:, None] ** 2)
    light = np.maximum(linear, 0) * (vignette * c.exposure)
    # Narkowicz's fit of the ACES film curve.
    shown: FloatArray = light * (2.51 * light + 0.03)
    shown /= light * (2.43 * light + 0.59) + 0.14
    if c.saturation != 1:
        grey = shown.mean(axis=0)
        shown = grey + (shown - grey) * c.saturation
    shown = clamp(shown, 0, 1) ** (1 / 2.2)
    if c.grain:
        keys = np.arange(height)[:, None], np.arange(width)[None, :]
        noise = hash01(*keys, seed) + hash01(*keys, seed + 1) + hash01(*keys, seed + 2) - 1.5
        shown = shown + noise * (2 * c.grain)
    return shown
