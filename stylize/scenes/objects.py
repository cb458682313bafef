"""How things look that are not walls or ground: leaves, people, vehicles, lamps, signs, fences, the skyline."""

from __future__ import annotations

import numpy as np

from stylize.scenes import shapes
from stylize.scenes.noise import FloatArray, fractal, hash01
from stylize.scenes.surface import Samples, Surface, blend, coverage, full, tint

TAIL, BRAKE, HEAD, AMBER = (1.5, 0.03, 0.02), (2.6, 0.05, 0.03), (3.2, 3.0, 2.5), (1.6, 0.6, 0.05)


def plain(s: Samples) -> Surface:
    """Give one colour with a little grain; round things (extra 0) turn their sides away."""
    grain = fractal(s.u + s.seed() % 31, s.v, 0.03, s.foot, 0.8)
    normal = s.normal()
    bend = np.clip(s.u / np.maximum(s.extra(1), np.float32(0.01)), -1, 1) * s.extra(0) * np.float32(0.9)
    normal[0] += bend
    normal[2] *= np.sqrt(np.maximum(1 - bend * bend, 0))
    return Surface(albedo=s.colour() * (1 + np.float32(0.10) * grain), normal=normal)


def leaves(s: Samples) -> Surface:
    """Light a crown by its balls of leaves; leaf-sized grain on top."""
    variant = s.extra(0).astype(np.int32)
    across = s.u / s.extra(2)
    mirrored = s.extra(1) > 0
    row, column = shapes.crown_lookup(np.where(mirrored, 1 - across, across), s.v / s.extra(3))
    library = shapes.crowns()
    normal = np.stack([library.normal[variant, axis, row, column] for axis in range(3)])
    normal[0] *= np.where(mirrored, np.float32(-1), np.float32(1))
    normal[2] *= -1
    hollow = library.hollow[variant, row, column]
    fine = fractal(s.u + s.seed() % 61, s.v, 0.035, s.foot, 0.35)
    clump = fractal(s.u, s.v + s.seed() % 53, 0.09, s.foot, 0.8)
    normal[0] += np.float32(0.30) * clump
    normal[1] += np.float32(0.35) * fine + np.float32(0.15)
    normal /= np.sqrt((normal * normal).sum(axis=0))
    tone = np.clip(
        (np.float32(0.35) + np.float32(0.65) * hollow) * (1 + np.float32(0.22) * fine + np.float32(0.20) * clump),
        0.2,
        2,
    )
    warm = np.clip(np.float32(0.5) * clump, -0.5, 0.5)
    albedo = s.colour() * tone * np.stack([1 + np.float32(0.35) * warm, 1 + np.float32(0.1) * warm, np.ones_like(warm)])
    snow = np.clip(normal[1] * np.float32(1.3) + np.float32(0.25) * fine - np.float32(0.05), 0, 1) * np.float32(0.95)
    return Surface(albedo=albedo, normal=normal, snow=snow, open=np.clip(hollow, 0.3, 1))


def figure(s: Samples) -> Surface:
    """Dress a figure: skin, clothes, hair, shoes, bicycle."""
    albedo = np.zeros((3, s.u.size), np.float32)
    normal = s.normal()
    colours = {
        shapes.PART_TOP: s.colour(),
        shapes.PART_LEGS: s.second(),
        shapes.PART_SKIN: np.stack([s.extra(3), s.extra(4), s.extra(5)]),
        shapes.PART_HAIR: full(albedo, (0.035, 0.022, 0.015)),
        shapes.PART_SHOE: full(albedo, (0.03, 0.03, 0.03)),
        shapes.PART_WHEEL: full(albedo, (0.02, 0.02, 0.02)),
        shapes.PART_FRAME: full(albedo, (0.25, 0.05, 0.05)),
    }
    kinds = s.extra(0).astype(np.int32)
    for number, name in enumerate(shapes.FIGURES):
        here = np.flatnonzero(kinds == number)
        if here.size:
            height, mirror = s.extra(1)[here], s.extra(2)[here]
            part, face = shapes.figure_part(name, s.u[here] * mirror / height, s.v[here] / height)
            normal[0, here] = face * mirror
            for value, colour in colours.items():
                mask = here[part == value]
                albedo[:, mask] = colour[:, mask]
    folds = fractal(s.u * 3 + s.seed() % 41, s.v, 0.03, s.foot, 0.9)
    normal[2] = -np.sqrt(np.maximum(1 - normal[0] ** 2, 0.05))
    return Surface(albedo=albedo * (1 + np.float32(0.15) * folds), normal=normal, snow=np.zeros_like(s.u))


def _sheen(s: Samples, normal: FloatArray) -> FloatArray:
    """Mirror the sky in lacquer or glass by the angle of view; the horizon is darkened by what stands there."""
    c = s.condition
    distance = np.sqrt(s.x**2 + (s.y - s.scene.eye) ** 2 + s.z**2)
    facing = (normal[0] * s.x + normal[1] * (s.y - s.scene.eye) + normal[2] * s.z) / distance
    fresnel = np.float32(0.05) + np.float32(0.6) * (1 - np.clip(np.abs(facing), 0, 1)) ** 4
    upward = np.clip((s.y - s.scene.eye) / distance - 2 * facing * normal[1], -1, 1)
    above = np.clip(upward * np.float32(2.5) + np.float32(0.1), 0, 1)
    sky = tint(c.horizon) * (1 - above) * np.float32(0.35) + (tint(c.zenith) + tint(c.horizon)) * above * np.float32(
        0.55
    )
    ground = tint(c.ambient) * np.float32(0.05)
    return np.where(upward > -0.05, sky, ground) * fresnel


def car_paint(s: Samples) -> Surface:
    """Lacquer a panel."""
    normal = s.normal()
    return Surface(albedo=s.colour() * np.float32(0.9), normal=normal, glow=_sheen(s, normal))


def car_side(s: Samples) -> Surface:
    """Paint a side: doors' gaps, handle line, sill, wheel arches and wheels."""
    normal = s.normal()
    front, back, radius, belt, length = (s.extra(i) for i in (1, 0, 2, 3, 4))
    nearest = np.minimum(np.abs(s.u - front), np.abs(s.u - back))
    axle = np.sqrt(nearest**2 + (s.v - radius) ** 2) / radius
    height = s.v / belt
    curve = np.clip((height - np.float32(0.72)) * np.float32(2.2), -0.6, 0.7)
    normal[1] += curve
    gap = np.minimum(np.abs(s.u - length * np.float32(0.33)), np.abs(s.u - length * np.float32(0.56)))
    seam = coverage(np.float32(0.008) - gap, s.foot) * (height < 0.97)
    crease = coverage(np.float32(0.02) - np.abs(height - np.float32(0.76)), s.foot / belt) * np.float32(0.3)
    dark = np.clip(seam * np.float32(0.7) + crease + (height < 0.30) * np.float32(0.85), 0, 1)
    albedo = blend(s.colour() * np.float32(0.9), full(normal, (0.012, 0.012, 0.013)), dark)
    lamp = (height > 0.66) & (height < 0.84)
    ends = np.where((s.u < 0.2) & lamp, np.float32(1), 0), np.where((s.u > length - 0.32) & lamp, np.float32(1), 0)
    albedo = blend(albedo, full(normal, (0.35, 0.02, 0.02)), ends[0])
    albedo = blend(albedo, full(normal, (0.6, 0.6, 0.6)), ends[1])
    glow = _sheen(s, normal) * (1 - dark)
    arch, tyre, rim = axle < 1.16, axle < 1.0, axle < 0.66
    albedo = np.where(arch, tint((0.008, 0.008, 0.009)), albedo)
    albedo = np.where(tyre, tint((0.016, 0.016, 0.017)), albedo)
    spoke = np.float32(0.20) + np.float32(0.2) * (axle < 0.55) * (axle > 0.14)
    albedo = np.where(rim, spoke * np.ones((3, 1), np.float32), albedo)
    glow = np.where(arch, 0, glow)
    return Surface(
        albedo=albedo, normal=normal, glow=glow, snow=np.zeros_like(s.u), open=np.clip(0.35 + height * 0.6, 0, 1)
    )


def car_cabin(s: Samples) -> Surface:
    """Show side windows between pillars."""
    normal = s.normal()
    r0, f0, r1, f1 = (s.extra(i) for i in range(4))
    rear, fore = r0 + (r1 - r0) * s.v, f0 + (f1 - f0) * s.v
    height = np.float32(0.52)
    from_ends = np.minimum(
        s.u - np.maximum(rear, s.extra(4) - np.float32(0.25)) - np.float32(0.13), fore - s.u - np.float32(0.13)
    )
    from_sills = np.minimum(s.v - np.float32(0.06), np.float32(0.86) - s.v) * height
    middle = s.extra(6)
    spacing = np.where(middle > 0, np.float32(1.5), (f1 - r0) * np.float32(0.52))
    pillar = np.abs((s.u - r0) / spacing - np.round((s.u - r0) / spacing)) * spacing
    inside = np.minimum(np.minimum(from_ends, from_sills), pillar - np.float32(0.035))
    glass = coverage(inside, s.foot)
    albedo = blend(s.colour() * np.float32(0.85), full(normal, (0.012, 0.014, 0.016)), glass)
    bus = (middle > 0) * glass * np.float32(s.condition.headlights > 0.5)
    glow = _sheen(s, normal) * (1 + glass) + tint((0.5, 0.42, 0.28)) * bus * np.float32(0.5)
    return Surface(albedo=albedo, normal=normal, glow=glow, snow=np.zeros_like(s.u))


def car_glass(s: Samples) -> Surface:
    """Glaze the windscreen and the rear window inside their frame; a van's doors have two small panes."""
    normal = s.normal()
    half, van = s.extra(1) + (s.extra(2) - s.extra(1)) * s.v, s.extra(0) == 0
    high = np.minimum(s.v - np.where(van, np.float32(0.34), np.float32(0.10)), np.float32(0.88) - s.v)
    inside = np.minimum(half - np.abs(s.u) - np.float32(0.09), high * np.where(van, np.float32(1.0), np.float32(0.6)))
    inside = np.where(
        van,
        np.minimum(np.minimum(inside, np.abs(s.u) - np.float32(0.12)), half - np.abs(s.u) - np.float32(0.17)),
        inside,
    )
    glass = coverage(inside, s.foot)
    seam = coverage(np.float32(0.012) - np.abs(s.u), s.foot) * van * np.float32(0.6)
    seats = (np.abs(np.abs(s.u) - np.float32(0.36)) < 0.15) & (s.v > 0.15) & (s.v < 0.62)
    inner = tint((0.014, 0.016, 0.018)) * (1 - np.float32(0.55) * seats)
    albedo = blend(s.colour() * (np.float32(0.85) * (1 - seam)), inner, glass)
    return Surface(
        albedo=albedo, normal=normal, glow=_sheen(s, normal) * (1 + glass), snow=np.float32(0.15) * (1 - glass)
    )


def _end(s: Samples) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return an end's half width, its height share, and the covers of the plate and the bumper."""
    half, low, top = s.extra(0), s.extra(1), s.extra(2)
    height = (s.v - low) / (top - low)
    plate = coverage(
        np.minimum(np.float32(0.26) - np.abs(s.u), np.float32(0.055) - np.abs(s.v - low - np.float32(0.28))), s.foot
    )
    bumper = coverage(low + np.float32(0.12) - s.v, s.foot)
    return half, height, plate, bumper


def car_rear(s: Samples) -> Surface:
    """Draw a vehicle's rear: lights, plate, bumper."""
    normal = s.normal()
    half, height, plate, bumper = _end(s)
    normal[1] += np.clip((height - np.float32(0.55)) * np.float32(0.9), -0.3, 0.5)
    lamp = coverage(
        np.minimum(
            np.abs(s.u) - half + np.float32(0.27),
            np.minimum(height - np.float32(0.60), np.float32(0.93) - height) * np.float32(0.5),
        ),
        s.foot,
    )
    albedo = (
        s.colour()
        * np.float32(0.9)
        * (
            1
            - np.float32(0.25)
            * coverage(np.float32(0.012) - np.abs(height - np.float32(0.52)) * np.float32(0.5), s.foot)
        )
    )
    albedo = blend(albedo, full(albedo, (0.02, 0.02, 0.02)), bumper)
    albedo = blend(albedo, full(albedo, (0.62, 0.60, 0.45)), plate)
    albedo = blend(albedo, full(albedo, (0.33, 0.012, 0.012)), lamp)
    on = _parked_off(s)
    braking = hash01(s.seed(), 77) < 0.35
    light = np.where(braking, tint(BRAKE), tint(TAIL)) * (lamp * on)
    return Surface(albedo=albedo, normal=normal, glow=_sheen(s, normal) + light, snow=np.zeros_like(s.u))


def car_front(s: Samples) -> Surface:
    """Draw a vehicle's front: headlights, grille, plate, bumper."""
    normal = s.normal()
    half, height, plate, bumper = _end(s)
    lamp = coverage(
        np.minimum(
            np.abs(s.u) - half + np.float32(0.40),
            np.minimum(height - np.float32(0.66), np.float32(0.97) - height) * np.float32(0.4),
        ),
        s.foot,
    )
    lamp = lamp * (np.abs(s.u) < half - 0.05)
    grille = coverage(
        np.minimum(
            half - np.float32(0.46) - np.abs(s.u),
            np.minimum(height - np.float32(0.70), np.float32(0.95) - height) * np.float32(0.4),
        ),
        s.foot,
    )
    albedo = s.colour() * np.float32(0.9)
    albedo = blend(albedo, full(albedo, (0.015, 0.015, 0.016)), np.maximum(grille, bumper))
    albedo = blend(albedo, full(albedo, (0.62, 0.62, 0.58)), plate)
    albedo = blend(albedo, full(albedo, (0.60, 0.61, 0.62)), lamp)
    light = tint(HEAD) * (lamp * _parked_off(s))
    return Surface(albedo=albedo, normal=normal, glow=_sheen(s, normal) + light, snow=np.zeros_like(s.u))


def _parked_off(s: Samples) -> FloatArray:
    """Return the brightness of a vehicle's lights: none when parked (extra 3)."""
    return (1 - s.extra(3)) * np.float32(s.condition.headlights)


def lamp(s: Samples) -> Surface:
    """Show a lamp head, bright below when lit."""
    lower = coverage(np.float32(0.11) - s.v, s.foot)
    glow = tint((3.4, 2.5, 1.4)) * (lower * np.float32(min(1.0, 1.4 * s.condition.lamps)))
    return Surface(albedo=s.colour() * np.ones_like(s.u), normal=s.normal(), glow=glow)


def plate(s: Samples) -> Surface:
    """Paint a traffic sign by its number."""
    face, wide, tall = s.extra(0).astype(np.int32), s.extra(1), s.extra(2)
    x, y = s.u / wide, s.v / tall * 2 - 1
    radius = np.sqrt(x * x + y * y)
    edge = s.foot / wide
    white, red, blue = tint((0.75, 0.75, 0.74)), tint((0.55, 0.02, 0.02)), tint((0.02, 0.09, 0.42))
    yellow, black = tint((0.75, 0.45, 0.02)), tint((0.02, 0.02, 0.02))
    digits = coverage(np.minimum(np.float32(0.42) - np.abs(x), np.float32(0.3) - np.abs(y)), edge) * (
        np.abs(np.abs(x) - 0.22) > 0.07
    )
    ring = blend(np.broadcast_to(white, (3, x.size)), red, coverage(radius - np.float32(0.74), edge))
    limit = blend(ring, black, digits)
    inner = np.minimum((np.float32(0.55) - y) * np.float32(0.5) - np.abs(x) - np.float32(0.05), y + np.float32(0.78))
    stroke = coverage(np.minimum(np.float32(0.09) - np.abs(x), np.float32(0.42) - np.abs(y + np.float32(0.2))), edge)
    warning = blend(blend(np.broadcast_to(red, (3, x.size)), white, coverage(inner, edge)), black, stroke)
    arrow = coverage(np.minimum(np.float32(0.14) - np.abs(x), np.float32(0.55) - np.abs(y)), edge)
    must = blend(np.broadcast_to(blue, (3, x.size)), white, arrow)
    word = coverage(np.minimum(np.float32(0.7) - np.abs(x), np.float32(0.2) - np.abs(y)), edge) * np.float32(0.9)
    stop = blend(np.broadcast_to(red, (3, x.size)), white, np.maximum(word, coverage(radius - np.float32(1.0), edge)))
    border = coverage(np.maximum(np.abs(x), np.abs(y)) - np.float32(0.86), edge)
    way = blend(blend(np.broadcast_to(yellow, (3, x.size)), black, border), black, word)
    letter = coverage(np.minimum(np.float32(0.4) - np.abs(x), np.float32(0.6) - np.abs(y)), edge) * (np.abs(x) > 0.12)
    park = blend(blend(np.broadcast_to(blue, (3, x.size)), white, border), white, letter)
    albedo = np.select([face == k for k in range(5)], [limit, warning, must, stop, way], park)
    back = tint(s.condition.ambient) * 0 + albedo * np.float32(0.35 * s.condition.headlights)
    near = np.clip(1.3 - s.z / 45, 0, 1)
    return Surface(albedo=albedo, normal=s.normal(), glow=back * near * np.float32(0.25), snow=np.zeros_like(s.u))


def signal(s: Samples) -> Surface:
    """Light one of a traffic light's three lamps."""
    lit = (hash01(s.seed(), 3) * 2.3).astype(np.int32)
    glow = np.zeros((3, s.u.size), np.float32)
    albedo = s.colour() * np.ones_like(s.u)
    for index, colour in enumerate(((2.6, 0.05, 0.03), (0.05, 1.9, 0.75), (2.2, 1.0, 0.05))):
        y = (0.79, 0.16, 0.475)[index]
        disc = coverage(np.float32(0.105) - np.sqrt(s.u**2 + (s.v - np.float32(y)) ** 2), s.foot)
        glow = np.maximum(glow, tint(colour) * (disc * (lit == index)))
        albedo = blend(albedo, np.broadcast_to(tint(colour) * np.float32(0.03), albedo.shape), disc)
    return Surface(albedo=albedo, normal=s.normal(), glow=glow, snow=np.zeros_like(s.u))


def fencing(s: Samples) -> Surface:
    """Build railings, boards, or a low brick wall with railings."""
    kind, height = s.extra(0), s.extra(1)
    grain = fractal(s.u, s.v, 0.03, s.foot, 0.8)
    board = s.u * np.float32(1 / 0.14)
    gap = coverage(np.float32(0.012) - np.abs(board - np.round(board)) * np.float32(0.14), s.foot) * np.clip(
        1.4 - s.foot * 20, 0, 1
    )
    tone = 1 + np.float32(0.12) * grain
    tone = tone * np.where(
        kind == 1, (1 - np.float32(0.6) * gap) * (np.float32(0.85) + np.float32(0.3) * hash01(np.round(board))), 1
    )
    low = (kind == 2) & (s.v < 0.5)
    albedo = np.where((kind == 2) & (s.v >= 0.55), tint((0.04, 0.045, 0.05)), s.colour()) * tone
    cap = (kind == 2) & (s.v > 0.47) & (s.v < 0.55)
    albedo = np.where(cap, tint((0.40, 0.39, 0.36)), albedo)
    del low
    snow = np.where((s.v > height - 0.07) | cap, np.float32(0.9), np.float32(0.03))
    return Surface(albedo=albedo, normal=s.normal(), snow=snow, open=np.clip(0.5 + 0.4 * s.v, 0, 1))


def far(s: Samples) -> Surface:
    """Suggest distant trees and houses."""
    c = s.condition
    trees, cell = s.extra(0), s.extra(1)
    column = np.floor(s.u / cell)
    tone = np.float32(0.7) + np.float32(0.6) * hash01(column, s.seed() + 2)
    texture = fractal(s.u, s.v, 0.5, s.foot, 0.6)
    tone = tone * (1 + np.where(trees > 0, np.float32(0.22), np.float32(0.08)) * texture)
    a, b = s.u / np.float32(2.8), s.v / np.float32(3.1)
    pane = (np.abs(a - np.floor(a) - 0.5) < 0.25) & (np.abs(b - np.floor(b) - 0.5) < 0.25) & (trees == 0)
    lit = pane & (hash01(np.floor(a), np.floor(b), c.seed) < c.windows)
    albedo = s.colour() * tone * np.where(pane, np.float32(0.45), np.float32(1))
    glow = tint((0.8, 0.55, 0.28)) * (lit * np.float32(0.6))
    snow = np.clip(np.where(trees > 0, np.float32(0.35) + np.float32(0.2) * texture, np.float32(0.1)), 0, 1)
    return Surface(albedo=albedo, normal=s.normal(), glow=glow, snow=snow)
