"""Walls and roofs: bricks, plaster, courses of stone, windows with blinds, doors, shops, tiles."""

from __future__ import annotations

import dataclasses

import numpy as np

from stylize.scenes.noise import BoolArray, FloatArray, clamp, either, fractal, hash01
from stylize.scenes.surface import Samples, Surface, blend, coverage, full, tint

WARM = np.array(((1.0, 0.60, 0.26), (1.0, 0.76, 0.45), (0.92, 0.88, 0.78)), np.float32)
SIGNS = np.array(
    (
        (0.35, 0.02, 0.02), (0.02, 0.08, 0.25), (0.02, 0.16, 0.07),
        (0.04, 0.04, 0.045), (0.55, 0.33, 0.03), (0.5, 0.5, 0.48),
    ),
    np.float32,
)  # fmt: skip
PLINTH = 0.35  # the first storey starts above it


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Openings:
    """Windows, doors and shop fronts at samples; shares are 0..1."""

    glass: FloatArray
    frame: FloatArray  # glass and frame
    door: FloatArray
    shop: BoolArray
    column: FloatArray
    storey: FloatArray
    high: FloatArray  # place in the window, 0 sill .. 1 lintel
    aside: FloatArray  # -1 left .. 1 right


def facade(s: Samples) -> Surface:
    """Paint a wall with its windows; lit ones glow."""
    normal = s.normal()
    oblique = clamp(s.z / np.maximum(np.abs(normal[0] * s.x + normal[2] * s.z), 0.3), 1, 8)
    across = s.foot * oblique
    o = _openings(s, across)
    albedo = _wall(s, across, o)
    albedo = blend(albedo, s.second(), np.maximum(o.frame - o.glass, 0) * 0.9)
    paint = SIGNS[(hash01(s.seed(), 17) * 4.99).astype(np.int32)].T
    albedo = blend(albedo, paint * 0.6, o.door)
    albedo = blend(albedo, full(albedo, (0.03, 0.034, 0.038)), o.glass)
    dressing, glow = _window_light(s, o)
    albedo = blend(albedo, full(albedo, (0.50, 0.48, 0.44)), dressing)
    albedo, glow = _sign_band(s, albedo, glow)
    reveal = 0.45 * o.glass * clamp((o.high - 0.86) * 9, 0, 1)
    open_sky = clamp(0.45 + 0.09 * s.y, 0, 1)
    return Surface(
        albedo=albedo * (1 - reveal), normal=normal, glow=glow * (1 - reveal), open=open_sky, snow=_ledges(o)
    )


def _wall(s: Samples, across: FloatArray, o: _Openings) -> FloatArray:
    """Give the bare wall its grain, courses, plinth, cornice, and stains under the sills."""
    style, height = s.extra(4), s.extra(7)
    along = s.u + s.offset(97)
    grain = fractal(along, s.v, 0.04, s.foot, 0.6)
    stain = fractal(along, s.v * 0.35, 0.11, s.foot, 1.25)
    tone = 1 + 0.06 * grain + 0.09 * stain
    tone *= 1 + either(style == 0, _bricks(s, across), 0)
    course = s.v * (1 / 0.6)
    joint = np.abs(course - np.round(course)) * 0.6
    tone *= 1 - either(style == 2, 0.28, 0) * coverage(0.03 - joint, s.foot)
    top = height - s.v
    tone *= clamp(0.72 + 0.25 * s.v, 0, 1)
    tone *= 1 - 0.35 * coverage(0.12 - np.abs(top - 0.5), s.foot)
    drip = (np.abs(o.aside) < 1) * clamp(1 - np.abs(o.high + 0.25) * 4, 0, 1)
    albedo = s.colour() * (tone * (1 - 0.10 * drip))
    edge = coverage(0.38 - top, s.foot) * (top > 0)
    edge = edge + 0.3 * coverage(0.45 - s.v, s.foot)
    slab = _storey_fraction(s) * s.extra(0)
    band = either(style == 3, coverage(0.14 - slab, s.foot), 0)
    return blend(albedo, s.second() * 0.8, clamp(edge + band, 0, 1) * 0.8)


def _bricks(s: Samples, across: FloatArray) -> FloatArray:
    """Return the change of tone by bricks and mortar where samples are fine enough to see them."""
    bed = s.v * (1 / 0.085)
    row = np.floor(bed)
    head = s.u * (1 / 0.24) + 0.5 * (row - 2 * np.floor(row / 2))
    column = np.floor(head)
    gap = np.minimum(
        np.abs(bed - np.round(bed)) * 0.085 / s.foot,
        np.abs(head - np.round(head)) * 0.24 / across,
    )
    mortar = clamp(0.010 / s.foot + 0.5 - gap, 0, 1) * clamp(1.3 - s.foot * 30, 0, 1)
    single = (hash01(row, column, s.seed()) - 0.5) * clamp(1.4 - s.foot * 12, 0, 1)
    return 0.36 * single * (1 - mortar) + 0.30 * mortar


def _storey_fraction(s: Samples) -> FloatArray:
    share = (s.v - PLINTH) / s.extra(0)
    share -= np.floor(share)
    return share


def _openings(s: Samples, across: FloatArray) -> _Openings:
    """Find windows, doors and shop fronts."""
    floor, pitch, length, height = s.extra(0), s.extra(1), s.extra(6), s.extra(7)
    rise, place = (s.v - PLINTH) / floor, s.u / pitch
    storey, column = np.floor(rise), np.floor(place)
    ground = storey <= 0
    shop = (s.extra(5) > 0) & ground
    door = ground & ~shop & (column == np.floor(hash01(s.seed(), 23) * length / pitch)) & (s.extra(4) < 3)
    half_w = either(door, 0.55, either(shop, 0.46, s.extra(2) * 0.5) * pitch)
    half_h = either(shop, 0.34, either(door, 0.40, s.extra(3) * 0.5)) * floor
    middle = either(shop, 0.36, either(door, 0.28, 0.5))
    dx, dy = (place - column - 0.5) * pitch, (rise - storey - middle) * floor
    inside = (s.v > 0.05) & (storey < np.floor((height - PLINTH) / floor)) & (s.u > 0) & (s.u < length)
    inside &= (s.v > PLINTH) | door
    sharp = clamp(2.2 - across / pitch * 2.5, 0, 1)

    def cover(extra: float) -> FloatArray:
        upright = coverage(half_h + extra - np.abs(dy), s.foot)
        exact, mean = (
            coverage(half_w + extra - np.abs(dx), across),
            (half_w + extra) * 2 / pitch,
        )
        return either(inside, upright * (mean + (exact - mean) * sharp), 0)

    bar = coverage(0.03 - np.abs(dx), across) * sharp * either(shop, 0, 0.8)
    rail = coverage(0.025 - np.abs(dy - half_h * 0.3), s.foot) * (s.seed() % 3 == 0) * ~shop
    full_cover = cover(0.0)
    return _Openings(
        glass=either(door, 0, full_cover * (1 - np.maximum(bar, rail * 0.8))),
        frame=either(door & (cover(0.1) > full_cover), cover(0.1), either(door, 0, cover(0.11))),
        door=either(door, full_cover, 0),
        shop=shop,
        column=column,
        storey=storey,
        high=(dy / half_h + 1) * 0.5,
        aside=dx / half_w,
    )


def _window_light(s: Samples, o: _Openings) -> tuple[FloatArray, FloatArray]:
    """Return the share of blinds and curtains in windows, and the light out of or mirrored by the glass."""
    c, seed = s.condition, s.seed()
    pick, kind = hash01(o.column, o.storey, seed, c.seed), hash01(o.column, o.storey, seed + 3)
    share = min(1.0, 2.2 * c.windows)
    lit = (pick < either(o.shop, share, c.windows)) & (c.windows > 0)
    drawn = (o.high > 1 - 0.9 * (kind - 0.55) / 0.45) & (kind > 0.55)
    curtain = (np.abs(o.aside) > 0.62) & (kind < 0.4)
    cloth = either((drawn | curtain) & ~o.shop, 0.55, 0)
    colour = WARM[(hash01(o.column, o.storey, seed + 5) * 2.999).astype(np.int32)].T
    level = 0.30 + 0.55 * hash01(o.storey, o.column, seed + 9)
    inner = either(cloth > 0, 0.95, 0.45 + 0.45 * clamp(o.high, 0, 1))
    strength = 1.0 if max(c.ambient) > 0.3 else 0.62
    goods = hash01(np.floor(s.u * 2.1), np.floor(s.v * 1.7), seed) * clamp(1.6 - s.foot * 4, 0, 1)
    inner = inner * either(o.shop, 0.75 + 0.45 * (goods - 0.4), 1.0)
    sheen = 0.25 + 0.75 * clamp(o.high, 0, 1) * clamp(s.y / 9, 0.25, 1)
    street = clamp(1 + 0.35 * fractal(s.u, s.v, 0.10, s.foot, 1.3), 0.3, 2)
    sky = tint(c.horizon) * 0.16 + tint(c.zenith) * 0.10
    mirrored = sky * (sheen * street * (0.5 + 0.8 * kind) * (1 - cloth))
    glow = either(lit, colour * (level * inner * strength), mirrored) * o.glass
    return cloth * o.glass, glow


def _sign_band(s: Samples, albedo: FloatArray, glow: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Put a painted band over shop fronts, with a hint of lettering; some are lit."""
    height = s.v - PLINTH
    middle, half = s.extra(0) * 0.84, s.extra(0) * 0.10
    length = s.extra(6)
    share = coverage(half - np.abs(height - middle), s.foot) * (s.extra(5) > 0) * (s.u > 0.15) * (s.u < length - 0.15)
    paint = SIGNS[(hash01(s.seed(), 29) * 5.99).astype(np.int32)].T
    word = np.abs(s.u - length * 0.5) < length * 0.22
    letter = s.u * (1 / 0.22)
    mark = word & (np.abs(height - middle) < half * 0.45) & (hash01(np.floor(letter * 2), s.seed()) < 0.62)
    band = blend(paint, full(paint, (0.65, 0.63, 0.58)) - paint * 0.7, either(mark, 0.85, 0.0))
    on = either(hash01(s.seed(), 31) < 0.6, 0.5 * min(1.0, 2.5 * s.condition.windows), 0.0)
    return blend(albedo, band, share), glow * (1 - share) + band * (share * on)


def _ledges(o: _Openings) -> FloatArray:
    """Let snow lie on sills and stick a little to the wall."""
    sill = np.maximum(o.frame - o.glass, 0) * (np.abs(o.high + 0.03) < 0.07)
    return clamp(sill * 0.9 + 0.05 * (1 - o.glass), 0, 1)


def roof(s: Samples) -> Surface:
    """Lay tiles in rows."""
    row = s.v * (1 / 0.32)
    shade = 0.75 + 0.35 * (row - np.floor(row))
    sharp = clamp(1.5 - s.foot * 5, 0, 1)
    grain = fractal(s.u + s.offset(89), s.v, 0.1, s.foot, 0.8)
    tone = (shade * sharp + 0.92 * (1 - sharp)) * (1 + 0.13 * grain)
    snow = clamp(1.15 + 0.2 * grain, 0, 1)
    return Surface(albedo=s.colour() * tone, normal=s.normal(), snow=snow)
