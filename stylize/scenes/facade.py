"""Walls and roofs: bricks, plaster, courses of stone, windows, shops, tiles."""

from __future__ import annotations

import numpy as np

from stylize.scenes.noise import FloatArray, IntArray, fractal, hash01
from stylize.scenes.surface import Samples, Surface, blend, coverage, tint

WARM = np.array(((1.0, 0.62, 0.28), (1.0, 0.78, 0.48), (0.9, 0.88, 0.8)), np.float32)


def facade(s: Samples) -> Surface:
    """Paint a wall with its windows; lit ones glow."""
    normal = s.normal()
    oblique = np.clip(s.z / np.maximum(np.abs(normal[0] * s.x + normal[2] * s.z), 0.3), 1, 8)
    across = s.foot * oblique
    albedo = _wall(s, across)
    glass, frame, column, storey = _windows(s, across)
    albedo = blend(albedo, s.second(), np.maximum(frame - glass, 0) * np.float32(0.9))
    base = tint((0.035, 0.04, 0.045))
    albedo = blend(albedo, np.broadcast_to(base, albedo.shape), glass)
    glow = _window_light(s, glass, column, storey)
    open_sky = np.clip(0.45 + 0.09 * s.y, 0, 1)
    return Surface(albedo=albedo, normal=normal, glow=glow, open=open_sky, snow=_ledges(s, frame, glass))


def _wall(s: Samples, across: FloatArray) -> FloatArray:
    """Give the bare wall its grain, courses, plinth and cornice."""
    style, height = s.extra(4), s.extra(7)
    along = s.u + s.seed() % 97
    grain = fractal(along, s.v, 0.04, s.foot, 0.6)
    stain = fractal(along, s.v * np.float32(0.35), 0.11, s.foot, 1.25)
    tone = 1 + np.float32(0.07) * grain + np.float32(0.10) * stain
    bed = s.v * np.float32(1 / 0.15)
    joint = np.abs(bed - np.round(bed)) * np.float32(0.15)
    mortar = coverage(np.float32(0.016) - joint, s.foot) * np.clip(1.5 - s.foot * 12, 0, 1)
    brick = np.where(style == 0, np.float32(0.32), 0) * mortar
    course = s.v * np.float32(1 / 0.6)
    joint = np.abs(course - np.round(course)) * np.float32(0.6)
    stone = np.where(style == 2, np.float32(0.28), 0) * coverage(np.float32(0.03) - joint, s.foot)
    tone = tone * (1 - stone + brick)
    top = height - s.v
    tone = tone * np.clip(0.72 + 0.25 * s.v, 0, 1) * (1 - np.float32(0.35) * coverage(np.float32(0.12) - np.abs(top - 0.5), s.foot))
    albedo = s.colour() * tone
    edge = coverage(np.float32(0.38) - top, s.foot) * (top > 0) + coverage(np.float32(0.45) - s.v, s.foot) * np.float32(0.3)
    band = np.where(style == 3, coverage(np.float32(0.14) - np.abs(_storey_fraction(s) * s.extra(0)), s.foot), 0)
    return blend(albedo, s.second() * np.float32(0.8), np.clip(edge + band, 0, 1) * np.float32(0.8))


def _storey_fraction(s: Samples) -> FloatArray:
    share = (s.v - np.float32(0.35)) / s.extra(0)
    return share - np.floor(share)


def _windows(s: Samples, across: FloatArray) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Return the covered shares of glass and of glass with frame, and each window's column and storey."""
    floor, pitch, length, height = s.extra(0), s.extra(1), s.extra(6), s.extra(7)
    rise = (s.v - np.float32(0.35)) / floor
    storey = np.floor(rise)
    place = s.u / pitch
    column = np.floor(place)
    shop = (s.extra(5) > 0) & (storey == 0)
    half_w = np.where(shop, np.float32(0.44), s.extra(2) * np.float32(0.5)) * pitch
    half_h = np.where(shop, np.float32(0.33), s.extra(3) * np.float32(0.5)) * floor
    dx = np.abs(place - column - np.float32(0.5)) * pitch
    dy = np.abs(rise - storey - np.where(shop, np.float32(0.40), np.float32(0.5))) * floor
    inside = (s.v > 0.35) & (storey < np.floor((height - 0.35) / floor)) & (s.u > 0) & (s.u < length)
    border = np.float32(0.11)
    sharp = np.clip(2.2 - across / pitch * 2.5, 0, 1)

    def cover(extra: FloatArray | np.float32) -> FloatArray:
        exact = coverage(half_w + extra - dx, across) * coverage(half_h + extra - dy, s.foot)
        mean = (half_w + extra) * 2 / pitch * coverage(half_h + extra - dy, s.foot)
        return np.where(inside, mean + (exact - mean) * sharp, 0)

    bar = coverage(np.float32(0.03) - dx, across) * sharp * np.where(shop, np.float32(0), np.float32(0.8))
    return cover(np.float32(0)) * (1 - bar), cover(border), column.astype(np.int32), storey.astype(np.int32)


def _window_light(s: Samples, glass: FloatArray, column: IntArray, storey: IntArray) -> FloatArray:
    """Mirror the sky in dark windows and light up a share of them."""
    c, seed = s.condition, s.seed()
    pick = hash01(column, storey, seed, c.seed)
    shop = (s.extra(5) > 0) & (storey == 0)
    lit = (pick < np.where(shop, min(1.0, 2.2 * c.windows), c.windows)) & (c.windows > 0)
    colour = WARM[(hash01(column, storey, seed + 5) * 2.999).astype(np.int32)].T
    level = np.float32(0.25) + np.float32(0.5) * hash01(storey, column, seed + 9)
    strength = np.float32(1.0 if c.sun_elevation > 20 and max(c.ambient) > 0.3 else 0.62)
    curtain = np.clip(0.75 + 0.25 * fractal(s.u, s.v, 0.12, s.foot, 0.9), 0.2, 1.2)
    sky = tint(c.horizon) * np.float32(0.10) + tint(c.zenith) * np.float32(0.16)
    mirrored = sky * (np.float32(0.35) + np.float32(1.1) * hash01(column, storey, seed + 3) * np.clip(s.y / 12, 0.1, 1))
    return np.where(lit, colour * (level * curtain * strength), mirrored) * glass


def _ledges(s: Samples, frame: FloatArray, glass: FloatArray) -> FloatArray:
    """Let snow lie on sills and stick a little to the wall."""
    rise = _storey_fraction(s) - np.float32(0.5) + s.extra(3) * np.float32(0.5)
    sill = np.maximum(frame - glass, 0) * (np.abs(rise * s.extra(0) + np.float32(0.04)) < 0.09)
    return np.clip(sill * np.float32(0.9) + np.float32(0.06) * (1 - glass), 0, 1)


def roof(s: Samples) -> Surface:
    """Lay tiles in rows."""
    row = s.v * np.float32(1 / 0.32)
    shade = np.float32(0.75) + np.float32(0.35) * (row - np.floor(row))
    sharp = np.clip(1.5 - s.foot * 5, 0, 1)
    grain = fractal(s.u + s.seed() % 89, s.v, 0.1, s.foot, 0.8)
    tone = (shade * sharp + np.float32(0.92) * (1 - sharp)) * (1 + np.float32(0.13) * grain)
    snow = np.clip(1.15 + 0.2 * grain - 0.0 * s.v, 0, 1)
    return Surface(albedo=s.colour() * tone, normal=s.normal(), snow=snow)
