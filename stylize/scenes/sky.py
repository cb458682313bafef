"""The sky above the street: gradient, clouds, the low sun's glow, stars of a lit town left out."""

from __future__ import annotations

import math

import numpy as np

from stylize.scenes.conditions import Condition
from stylize.scenes.layout import Scene
from stylize.scenes.noise import FloatArray, clamp, fractal, smoothstep
from stylize.scenes.surface import blend, tint


def sun_direction(condition: Condition) -> tuple[float, float, float]:
    """Return the unit vector towards the sun (X right, Y up, Z forward)."""
    elevation, azimuth = math.radians(condition.sun_elevation), math.radians(condition.sun_azimuth)
    flat = math.cos(elevation)
    return (flat * math.sin(azimuth), math.sin(elevation), flat * math.cos(azimuth))


def sky(scene: Scene, c: Condition, right: FloatArray, up: FloatArray, pixel: float) -> FloatArray:
    """Return the sky's light [3, N] in the directions (right, up, 1); `pixel` is the size of a sample."""
    rise = np.maximum(up, 0.004)
    elevation = rise / np.sqrt(1 + right * right + rise * rise)
    high = clamp(elevation * 1.9, 0, 1) ** 0.65
    colour = blend(np.broadcast_to(tint(c.horizon), (3, up.size)), tint(c.zenith), high)
    colour = colour + _glow(c, right, rise)
    share, relief = _clouds(scene, c, right, rise, pixel)
    lit = tint(c.cloud) * (0.80 + 0.35 * relief)
    lit = blend(lit, colour, 0.55 * clamp(1 - rise * 5, 0, 1))
    colour = blend(colour, lit, share)
    thick = 1 - np.exp(-(c.fog_density * 30) / (rise + 0.02))
    return blend(colour, np.broadcast_to(tint(c.fog), colour.shape), clamp(thick, 0, 1))


def _glow(c: Condition, right: FloatArray, rise: FloatArray) -> FloatArray:
    """Brighten the sky around the sun; nothing to see behind full cloud."""
    sx, sy, sz = sun_direction(c)
    cosine = clamp((sx * right + sy * rise + sz) / np.sqrt(1 + right * right + rise * rise), 0, 1)
    halo = sum(
        (gain * np.exp((cosine - 1) * sharp) for gain, sharp in ((0.10, 6), (0.35, 60), (3, 1500))),
        start=np.zeros_like(cosine),
    )
    return tint(c.sun) * (halo * (1 - 0.8 * c.cloud_cover))


def _clouds(
    scene: Scene, c: Condition, right: FloatArray, rise: FloatArray, pixel: float
) -> tuple[FloatArray, FloatArray]:
    """Return the clouds' cover and their relief (-1 shaded .. 1 bright) on a level sheet seen from below."""
    distance = 1 / (rise + 0.10)
    x, y = right * distance, distance * 1.0
    foot = pixel * distance * distance
    start = (scene.seed * 37 + c.seed * 11) % 997
    shape = fractal(x + start, y, 0.03, foot, 1.55)
    fine = fractal(x * 2 + start, y * 2, 0.02, foot * 2, 1.1)
    body = shape + 0.30 * fine
    edge = 1.3 - 2.6 * c.cloud_cover
    cover = smoothstep(edge, edge + 0.9, body)
    return cover, clamp(0.5 * shape * (1 if c.cloud_cover > 0.9 else -0.6) + 0.35 * fine, -1, 1)
