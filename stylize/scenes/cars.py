"""Lacquer, glass, lights and wheels of vehicles."""

from __future__ import annotations

import numpy as np

from stylize.scenes.noise import FloatArray, clamp, either, hash01
from stylize.scenes.surface import Samples, Surface, blend, coverage, full, tint

TAIL, BRAKE, HEAD = (1.5, 0.03, 0.02), (2.6, 0.05, 0.03), (3.2, 3.0, 2.5)


def _sheen(s: Samples, normal: FloatArray) -> FloatArray:
    """Mirror the sky in lacquer or glass by the angle of view; the horizon is darkened by what stands there."""
    c = s.condition
    distance = np.sqrt(s.x**2 + (s.y - s.scene.eye) ** 2 + s.z**2)
    facing = (normal[0] * s.x + normal[1] * (s.y - s.scene.eye) + normal[2] * s.z) / distance
    fresnel = 0.05 + 0.6 * (1 - clamp(np.abs(facing), 0, 1)) ** 4
    upward = clamp((s.y - s.scene.eye) / distance - 2 * facing * normal[1], -1, 1)
    above = clamp(upward * 2.5 + 0.1, 0, 1)
    sky = tint(c.horizon) * (1 - above) * 0.35 + (tint(c.zenith) + tint(c.horizon)) * above * np.float32(0.55)
    ground = tint(c.ambient) * 0.05
    return either(upward > -0.05, sky, ground) * fresnel


def car_paint(s: Samples) -> Surface:
    """Lacquer a panel."""
    normal = s.normal()
    return Surface(albedo=s.colour() * 0.9, normal=normal, glow=_sheen(s, normal))


def car_side(s: Samples) -> Surface:
    """Paint a side: doors' gaps, handle line, sill, wheel arches and wheels."""
    normal = s.normal()
    front, back, radius, belt, length = (s.extra(i) for i in (1, 0, 2, 3, 4))
    nearest = np.minimum(np.abs(s.u - front), np.abs(s.u - back))
    axle = np.sqrt(nearest**2 + (s.v - radius) ** 2) / radius
    height = s.v / belt
    curve = clamp((height - 0.72) * 2.2, -0.6, 0.7)
    normal[1] += curve
    gap = np.minimum(np.abs(s.u - length * 0.33), np.abs(s.u - length * 0.56))
    seam = coverage(0.008 - gap, s.foot) * (height < 0.97)
    crease = coverage(0.02 - np.abs(height - 0.76), s.foot / belt) * 0.3
    dark = clamp(seam * 0.7 + crease + (height < 0.30) * 0.85, 0, 1)
    albedo = blend(s.colour() * 0.9, full(normal, (0.012, 0.012, 0.013)), dark)
    lamp = (height > 0.66) & (height < 0.84)
    ends = either((s.u < 0.2) & lamp, 1, 0), either((s.u > length - 0.32) & lamp, 1, 0)
    albedo = blend(albedo, full(normal, (0.35, 0.02, 0.02)), ends[0])
    albedo = blend(albedo, full(normal, (0.6, 0.6, 0.6)), ends[1])
    glow = _sheen(s, normal) * (1 - dark)
    arch, tyre, rim = axle < 1.16, axle < 1.0, axle < 0.66
    albedo = either(arch, tint((0.008, 0.008, 0.009)), albedo)
    albedo = either(tyre, tint((0.016, 0.016, 0.017)), albedo)
    spoke = 0.20 + 0.2 * (axle < 0.55) * (axle > 0.14)
    albedo = either(rim, spoke * np.ones((3, 1), np.float32), albedo)
    return Surface(
        albedo=albedo,
        normal=normal,
        glow=either(arch, 0, glow),
        snow=np.zeros_like(s.u),
        open=clamp(0.35 + height * 0.6, 0, 1),
    )


def car_cabin(s: Samples) -> Surface:
    """Show side windows between pillars."""
    normal = s.normal()
    r0, f0, r1, f1 = (s.extra(i) for i in range(4))
    rear, fore = r0 + (r1 - r0) * s.v, f0 + (f1 - f0) * s.v
    height = 0.52
    from_ends = np.minimum(s.u - np.maximum(rear, s.extra(4) - 0.25) - 0.13, fore - s.u - 0.13)
    from_sills = np.minimum(s.v - 0.06, 0.86 - s.v) * height
    middle = s.extra(6)
    spacing = either(middle > 0, 1.5, (f1 - r0) * 0.52)
    pillar = np.abs((s.u - r0) / spacing - np.round((s.u - r0) / spacing)) * spacing
    inside = np.minimum(np.minimum(from_ends, from_sills), pillar - 0.035)
    glass = coverage(inside, s.foot)
    albedo = blend(s.colour() * 0.85, full(normal, (0.012, 0.014, 0.016)), glass)
    bus = (middle > 0) * glass * np.float32(s.condition.headlights > 0.5)
    glow = _sheen(s, normal) * (1 + glass) + tint((0.5, 0.42, 0.28)) * bus * 0.5
    return Surface(albedo=albedo, normal=normal, glow=glow, snow=np.zeros_like(s.u))


def car_glass(s: Samples) -> Surface:
    """Glaze the windscreen and the rear window inside their frame; a van's doors have two small panes."""
    normal = s.normal()
    half, van = s.extra(1) + (s.extra(2) - s.extra(1)) * s.v, s.extra(0) == 0
    high = np.minimum(s.v - either(van, 0.34, 0.10), 0.88 - s.v)
    inside = np.minimum(half - np.abs(s.u) - 0.09, high * either(van, 1.0, 0.6))
    inside = either(
        van,
        np.minimum(np.minimum(inside, np.abs(s.u) - 0.12), half - np.abs(s.u) - 0.17),
        inside,
    )
    glass = coverage(inside, s.foot)
    seam = coverage(0.012 - np.abs(s.u), s.foot) * van * 0.6
    seats = (np.abs(np.abs(s.u) - 0.36) < 0.15) & (s.v > 0.15) & (s.v < 0.62)
    inner = tint((0.014, 0.016, 0.018)) * either(seats, 0.45, 1)
    albedo = blend(s.colour() * (0.85 * (1 - seam)), inner, glass)
    return Surface(albedo=albedo, normal=normal, glow=_sheen(s, normal) * (1 + glass), snow=0.15 * (1 - glass))


def _end(s: Samples) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return an end's half width, its height share, and the covers of the plate and the bumper."""
    half, low, top = s.extra(0), s.extra(1), s.extra(2)
    height = (s.v - low) / (top - low)
    plate = coverage(np.minimum(0.26 - np.abs(s.u), 0.055 - np.abs(s.v - low - 0.28)), s.foot)
    bumper = coverage(low + 0.12 - s.v, s.foot)
    return half, height, plate, bumper


def car_rear(s: Samples) -> Surface:
    """Draw a vehicle's rear: lights, plate, bumper."""
    normal = s.normal()
    half, height, plate, bumper = _end(s)
    normal[1] += clamp((height - 0.55) * 0.9, -0.3, 0.5)
    lamp = coverage(
        np.minimum(
            np.abs(s.u) - half + 0.27,
            np.minimum(height - 0.60, 0.93 - height) * 0.5,
        ),
        s.foot,
    )
    albedo = s.colour() * 0.9 * (1 - 0.25 * coverage(0.012 - np.abs(height - 0.52) * 0.5, s.foot))
    albedo = blend(albedo, full(albedo, (0.02, 0.02, 0.02)), bumper)
    albedo = blend(albedo, full(albedo, (0.62, 0.60, 0.45)), plate)
    albedo = blend(albedo, full(albedo, (0.33, 0.012, 0.012)), lamp)
    on = _parked_off(s)
    braking = hash01(s.seed(), 77) < 0.35
    light = either(braking, tint(BRAKE), tint(TAIL)) * (lamp * on)
    return Surface(albedo=albedo, normal=normal, glow=_sheen(s, normal) + light, snow=np.zeros_like(s.u))


def car_front(s: Samples) -> Surface:
    """Draw a vehicle's front: headlights, grille, plate, bumper."""
    normal = s.normal()
    half, height, plate, bumper = _end(s)
    lamp = coverage(
        np.minimum(
            np.abs(s.u) - half + 0.40,
            np.minimum(height - 0.66, 0.97 - height) * 0.4,
        ),
        s.foot,
    )
    lamp = lamp * (np.abs(s.u) < half - 0.05)
    grille = coverage(
        np.minimum(
            half - 0.46 - np.abs(s.u),
            np.minimum(height - 0.70, 0.95 - height) * 0.4,
        ),
        s.foot,
    )
    albedo = s.colour() * 0.9
    albedo = blend(albedo, full(albedo, (0.015, 0.015, 0.016)), np.maximum(grille, bumper))
    albedo = blend(albedo, full(albedo, (0.62, 0.62, 0.58)), plate)
    albedo = blend(albedo, full(albedo, (0.60, 0.61, 0.62)), lamp)
    light = tint(HEAD) * (lamp * _parked_off(s))
    return Surface(albedo=albedo, normal=normal, glow=_sheen(s, normal) + light, snow=np.zeros_like(s.u))


def _parked_off(s: Samples) -> FloatArray:
    """Return the brightness of a vehicle's lights: none when parked (extra 3)."""
    return (1 - s.extra(3)) * s.condition.headlights
