"""How things look that are not walls, ground or vehicles: leaves, people, lamps, signs, fences, the skyline."""

from __future__ import annotations

import numpy as np

from stylize.scenes import shapes
from stylize.scenes.noise import clamp, either, fractal, hash01
from stylize.scenes.surface import Samples, Surface, blend, coverage, full, tint


def plain(s: Samples) -> Surface:
    """Give one colour with a little grain; round things (extra 0) turn their sides away."""
    grain = fractal(s.u + s.offset(31), s.v, 0.03, s.foot, 0.8)
    normal = s.normal()
    bend = clamp(s.u / np.maximum(s.extra(1), 0.01), -1, 1) * s.extra(0) * 0.9
    normal[0] += bend
    normal[2] *= np.sqrt(np.maximum(1 - bend * bend, 0))
    return Surface(albedo=s.colour() * (1 + 0.10 * grain), normal=normal)


def leaves(s: Samples) -> Surface:
    """Light a crown by its balls of leaves; leaf-sized grain on top."""
    variant = s.extra(0).astype(np.int32)
    across = s.u / s.extra(2)
    mirrored = s.extra(1) > 0
    row, column = shapes.crown_lookup(either(mirrored, 1 - across, across), s.v / s.extra(3))
    library = shapes.crowns()
    normal = np.stack([library.normal[variant, axis, row, column] for axis in range(3)])
    normal[0] *= either(mirrored, -1, 1)
    normal[2] *= -1
    hollow = library.hollow[variant, row, column]
    fine = fractal(s.u + s.offset(61), s.v, 0.035, s.foot, 0.35)
    clump = fractal(s.u, s.v + s.offset(53), 0.09, s.foot, 0.8)
    normal[0] += 0.30 * clump
    normal[1] += 0.35 * fine + 0.15
    normal /= np.sqrt((normal * normal).sum(axis=0))
    tone = clamp(
        (0.35 + 0.65 * hollow) * (1 + 0.22 * fine + 0.20 * clump),
        0.2,
        2,
    )
    warm = clamp(0.5 * clump, -0.5, 0.5)
    albedo = s.colour() * tone * np.stack([1 + 0.35 * warm, 1 + 0.1 * warm, np.ones_like(warm)])
    snow = clamp(normal[1] * 1.3 + 0.25 * fine - 0.05, 0, 1) * 0.95
    return Surface(albedo=albedo, normal=normal, snow=snow, open=clamp(hollow, 0.3, 1))


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
    folds = fractal(s.u * 3 + s.offset(41), s.v, 0.03, s.foot, 0.9)
    normal[2] = -np.sqrt(np.maximum(1 - normal[0] ** 2, 0.05))
    return Surface(albedo=albedo * (1 + 0.15 * folds), normal=normal, snow=np.zeros_like(s.u))


def lamp(s: Samples) -> Surface:
    """Show a lamp head, bright below when lit."""
    lower = coverage(0.11 - s.v, s.foot)
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
    digits = coverage(np.minimum(0.42 - np.abs(x), 0.3 - np.abs(y)), edge) * (np.abs(np.abs(x) - 0.22) > 0.07)
    ring = blend(np.broadcast_to(white, (3, x.size)), red, coverage(radius - 0.74, edge))
    limit = blend(ring, black, digits)
    inner = np.minimum((0.55 - y) * 0.5 - np.abs(x) - 0.05, y + 0.78)
    stroke = coverage(np.minimum(0.09 - np.abs(x), 0.42 - np.abs(y + 0.2)), edge)
    warning = blend(blend(np.broadcast_to(red, (3, x.size)), white, coverage(inner, edge)), black, stroke)
    arrow = coverage(np.minimum(0.14 - np.abs(x), 0.55 - np.abs(y)), edge)
    must = blend(np.broadcast_to(blue, (3, x.size)), white, arrow)
    word = coverage(np.minimum(0.7 - np.abs(x), 0.2 - np.abs(y)), edge) * 0.9
    stop = blend(np.broadcast_to(red, (3, x.size)), white, np.maximum(word, coverage(radius - 1.0, edge)))
    border = coverage(np.maximum(np.abs(x), np.abs(y)) - 0.86, edge)
    way = blend(blend(np.broadcast_to(yellow, (3, x.size)), black, border), black, word)
    letter = coverage(np.minimum(0.4 - np.abs(x), 0.6 - np.abs(y)), edge) * (np.abs(x) > 0.12)
    park = blend(blend(np.broadcast_to(blue, (3, x.size)), white, border), white, letter)
    albedo = np.select([face == k for k in range(5)], [limit, warning, must, stop, way], park)
    back = tint(s.condition.ambient) * 0 + albedo * (0.35 * s.condition.headlights)
    near = clamp(1.3 - s.z / 45, 0, 1)
    return Surface(albedo=albedo, normal=s.normal(), glow=back * near * 0.25, snow=np.zeros_like(s.u))


def signal(s: Samples) -> Surface:
    """Light one of a traffic light's three lamps."""
    lit = (hash01(s.seed(), 3) * 2.3).astype(np.int32)
    albedo, glow = s.colour(), np.zeros((3, s.u.size), np.float32)
    for index, colour in enumerate(((2.6, 0.05, 0.03), (0.05, 1.9, 0.75), (2.2, 1.0, 0.05))):
        y = (0.79, 0.16, 0.475)[index]
        disc = coverage(0.105 - np.sqrt(s.u**2 + (s.v - y) ** 2), s.foot)
        glow += tint(colour) * (disc * (lit == index))
        albedo = blend(albedo, np.broadcast_to(tint(colour) * 0.03, albedo.shape), disc)
    return Surface(albedo=albedo, normal=s.normal(), glow=glow, snow=np.zeros_like(s.u))


def fencing(s: Samples) -> Surface:
    """Build railings, boards, or a low brick wall with railings."""
    kind, height = s.extra(0), s.extra(1)
    grain = fractal(s.u, s.v, 0.03, s.foot, 0.8)
    board = s.u * (1 / 0.14)
    gap = coverage(0.012 - np.abs(board - np.round(board)) * 0.14, s.foot) * clamp(1.4 - s.foot * 20, 0, 1)
    tone = 1 + 0.12 * grain
    tone = tone * either(kind == 1, (1 - 0.6 * gap) * (0.85 + 0.3 * hash01(np.round(board))), 1)
    cap = (kind == 2) & (s.v > 0.47) & (s.v < 0.55)
    bare = either((kind == 2) & (s.v >= 0.55), tint((0.04, 0.045, 0.05)), s.colour()) * tone
    albedo = either(cap, tint((0.40, 0.39, 0.36)), bare)
    snow = either((s.v > height - 0.07) | cap, 0.9, 0.03)
    return Surface(albedo=albedo, normal=s.normal(), snow=snow, open=clamp(0.5 + 0.4 * s.v, 0, 1))


def far(s: Samples) -> Surface:
    """Suggest distant trees and houses."""
    c = s.condition
    trees, cell = s.extra(0), s.extra(1)
    column = np.floor(s.u / cell)
    tone = 0.7 + 0.6 * hash01(column, s.seed() + 2)
    texture = fractal(s.u, s.v, 0.5, s.foot, 0.6)
    tone = tone * (1 + either(trees > 0, 0.22, 0.08) * texture)
    a, b = s.u / 2.8, s.v / 3.1
    pane = (np.abs(a - np.floor(a) - 0.5) < 0.25) & (np.abs(b - np.floor(b) - 0.5) < 0.25) & (trees == 0)
    lit = pane & (hash01(np.floor(a), np.floor(b), c.seed) < c.windows)
    albedo = s.colour() * tone * either(pane, 0.45, 1)
    glow = tint((0.8, 0.55, 0.28)) * either(lit, 0.6, 0)
    snow = clamp(either(trees > 0, 0.35 + 0.2 * texture, 0.1), 0, 1)
    return Surface(albedo=albedo, normal=s.normal(), glow=glow, snow=snow)
