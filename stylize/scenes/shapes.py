"""Outlines that polygons cannot give: tree crowns, people on foot and on bicycles, car sides."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from stylize.scenes.noise import BoolArray, FloatArray, IntArray, clamp, either, fractal

CROWN = 192
PART_SKIN, PART_TOP, PART_LEGS, PART_HAIR, PART_SHOE, PART_WHEEL, PART_FRAME = range(7)


@dataclasses.dataclass(frozen=True, eq=False)
class Crowns:
    """A library of tree crowns on the unit square: bulge (positive inside), light direction and hollow shading."""

    bulge: FloatArray  # [K, n, n]
    normal: FloatArray  # [K, 3, n, n]
    hollow: FloatArray  # [K, n, n], 0 dark .. 1


@functools.lru_cache(maxsize=1)
def crowns() -> Crowns:
    """Grow sixteen crowns: 0-7 round, 8-11 tall, 12-15 conifers."""
    made = [_crown(np.random.default_rng([77, k]), k) for k in range(16)]
    return Crowns(*(np.stack(parts) for parts in zip(*made, strict=True)))


def _crown(rng: np.random.Generator, kind: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pile up balls of leaves; the front-most ball gives each point its bulge and normal."""
    grid = ((np.arange(CROWN) + 0.5) / CROWN * 2 - 1).astype(np.float32)
    x, y = grid[None, :], grid[::-1, None]
    front = np.full((CROWN, CROWN), -1.0, np.float32)
    edge = np.full((CROWN, CROWN), -1.0, np.float32)
    normal = np.zeros((3, CROWN, CROWN), np.float32)
    for bx, by, bz, radius in _balls(rng, kind):
        inside = 1 - ((x - bx) ** 2 + (y - by) ** 2) / radius**2
        edge = np.maximum(edge, inside * radius * 1.6)
        height = bz + radius * np.sqrt(np.maximum(inside, 0))
        closer = (inside > -0.25) & (height > front)
        front = either(closer, height, front)
        for axis, part in enumerate(((x - bx) / radius, (y - by) / radius, np.sqrt(np.maximum(inside, 0.02)))):
            normal[axis] = either(closer, part, normal[axis])
    normal[1] += 0.25 * y
    normal /= np.maximum(np.sqrt((normal**2).sum(axis=0)), 1e-3)
    hollow = clamp(0.55 + 0.9 * front, 0.25, 1.0).astype(np.float32)
    return edge.astype(np.float32), normal, hollow


def _balls(rng: np.random.Generator, kind: int) -> list[tuple[float, float, float, float]]:
    """Place the balls (x, y, z towards the viewer, radius) of one crown in [-1, 1]^2."""
    balls = []
    if kind >= 12:
        for layer in range(11):
            t = layer / 10
            spread = 0.80 * (1 - t) + 0.05
            for _ in range(5):
                bx = rng.uniform(-spread, spread)
                radius = 0.20 * (1 - t) + 0.06
                balls.append((bx, -0.85 + 1.72 * t, 0.4 * (spread - abs(bx)) + rng.uniform(0, 0.2), radius))
        return balls
    for _ in range(34):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1)) * 0.68
        bx, by = reach * np.cos(angle), reach * np.sin(angle) * (0.95 if kind >= 8 else 0.9)
        bz = 0.6 * (0.7 - reach) + rng.uniform(-0.15, 0.2)
        balls.append((bx, by, bz, rng.uniform(0.2, 0.34)))
    return balls


def crown_lookup(u: FloatArray, v: FloatArray) -> tuple[IntArray, IntArray]:
    """Turn crown coordinates in [0, 1] into rows and columns of the library."""
    column = clamp(u * CROWN, 0, CROWN - 1).astype(np.int32)
    row = clamp((1 - v) * CROWN, 0, CROWN - 1).astype(np.int32)
    return row, column


def crown_cut(
    variant: int, mirrored: bool, width: float, height: float, u: FloatArray, v: FloatArray, foot: FloatArray
) -> BoolArray:
    """Keep where the crown is, with a ragged leafy edge; u, v in metres from the crown's lower left corner."""
    a = u / width
    a = 1 - a if mirrored else a
    row, column = crown_lookup(a, v / height)
    bulge = crowns().bulge[variant, row, column]
    leaves = fractal(u + 7 * variant, v, 0.05, foot, 0.75)
    keep: BoolArray = bulge > 0.06 + 0.11 * leaves
    return keep


def interpolate_cut(xs: tuple[float, ...], tops: tuple[float, ...], u: FloatArray, v: FloatArray) -> BoolArray:
    """Keep what lies under a height profile."""
    return v < np.interp(u, xs, tops)


def wheel_radius(u: FloatArray, v: FloatArray, centres: tuple[float, float], radius: float) -> FloatArray:
    """Return the distance to the nearer wheel's axle, in wheel radii."""
    nearest = np.minimum(np.abs(u - centres[0]), np.abs(u - centres[1]))
    radii: FloatArray = np.sqrt(nearest**2 + (v - radius) ** 2) / radius
    return radii


def car_side_cut(
    xs: tuple[float, ...],
    tops: tuple[float, ...],
    wheels: tuple[float, float],
    radius: float,
    floor: float,
    u: FloatArray,
    v: FloatArray,
    foot: FloatArray,
) -> BoolArray:
    """Keep a car's lower side: under the profile and above the sill, and its wheels."""
    del foot
    ends = np.minimum(u - xs[0], xs[-1] - u)
    sill = floor + 0.10 * np.maximum(1 - ends / 0.25, 0) ** 2
    body = (v > sill) & (v < np.interp(u, xs, tops))
    keep: BoolArray = body | (wheel_radius(u, v, wheels, radius) < 1)
    return keep


# Capsules in body heights, later ones in front: part, both ends (x, y), radius at both ends.
Limb = tuple[int, float, float, float, float, float, float]
_HEAD = ((PART_SKIN, 0, 0.86, 0, 0.87, 0.030, 0.030), (PART_SKIN, 0, 0.925, 0, 0.935, 0.052, 0.050))
_HAIR = ((PART_HAIR, -0.008, 0.955, 0.008, 0.96, 0.050, 0.050),)
_FRONT = (
    (PART_LEGS, -0.045, 0.48, -0.055, 0.06, 0.056, 0.036),
    (PART_LEGS, 0.045, 0.48, 0.06, 0.06, 0.056, 0.036),
    (PART_SHOE, -0.06, 0.025, -0.07, 0.02, 0.034, 0.03),
    (PART_SHOE, 0.065, 0.025, 0.075, 0.02, 0.034, 0.03),
    (PART_TOP, -0.115, 0.79, -0.145, 0.50, 0.036, 0.028),
    (PART_TOP, 0.115, 0.79, 0.145, 0.50, 0.036, 0.028),
    (PART_SKIN, -0.147, 0.46, -0.147, 0.455, 0.024, 0.024),
    (PART_SKIN, 0.147, 0.46, 0.147, 0.455, 0.024, 0.024),
    (PART_TOP, 0, 0.76, 0, 0.48, 0.105, 0.090),
    *_HEAD,
    *_HAIR,
)
_SIDE = (
    (PART_TOP, 0.0, 0.78, 0.10, 0.50, 0.034, 0.026),
    (PART_LEGS, 0.0, 0.48, -0.10, 0.27, 0.058, 0.044),
    (PART_LEGS, -0.10, 0.27, -0.17, 0.06, 0.042, 0.032),
    (PART_SHOE, -0.175, 0.035, -0.13, 0.02, 0.030, 0.026),
    (PART_LEGS, 0.0, 0.48, 0.09, 0.27, 0.060, 0.046),
    (PART_LEGS, 0.09, 0.27, 0.10, 0.06, 0.044, 0.034),
    (PART_SHOE, 0.10, 0.025, 0.16, 0.02, 0.030, 0.026),
    (PART_TOP, 0.0, 0.77, 0.0, 0.48, 0.075, 0.070),
    (PART_TOP, -0.01, 0.78, -0.09, 0.52, 0.036, 0.028),
    (PART_SKIN, -0.095, 0.49, -0.095, 0.48, 0.024, 0.024),
    *_HEAD,
    (PART_HAIR, -0.02, 0.95, 0.008, 0.962, 0.050, 0.047),
)
_BIKE = (
    (PART_WHEEL, 0, 0.03, 0, 0.38, 0.016, 0.016),
    (PART_FRAME, -0.16, 0.60, 0.16, 0.60, 0.012, 0.012),
    (PART_LEGS, -0.05, 0.55, -0.085, 0.32, 0.056, 0.044),
    (PART_LEGS, 0.05, 0.55, 0.075, 0.38, 0.056, 0.046),
    (PART_LEGS, -0.085, 0.32, -0.065, 0.13, 0.042, 0.034),
    (PART_LEGS, 0.075, 0.38, 0.06, 0.24, 0.042, 0.034),
    (PART_SHOE, -0.065, 0.10, -0.065, 0.09, 0.03, 0.03),
    (PART_SHOE, 0.06, 0.20, 0.06, 0.19, 0.03, 0.03),
    (PART_TOP, -0.11, 0.81, -0.17, 0.62, 0.036, 0.028),
    (PART_TOP, 0.11, 0.81, 0.17, 0.62, 0.036, 0.028),
    (PART_TOP, 0, 0.78, 0, 0.55, 0.105, 0.095),
    *_HEAD,
    (PART_HAIR, 0, 0.955, 0, 0.965, 0.055, 0.053),
)
_BIKE_SIDE = (
    (PART_LEGS, -0.10, 0.56, 0.05, 0.38, 0.050, 0.04),
    (PART_LEGS, 0.05, 0.38, 0.0, 0.15, 0.04, 0.03),
    (PART_FRAME, -0.12, 0.48, 0.19, 0.48, 0.014, 0.014),
    (PART_FRAME, -0.12, 0.50, 0.0, 0.20, 0.014, 0.014),
    (PART_FRAME, 0.0, 0.20, 0.19, 0.48, 0.014, 0.014),
    (PART_FRAME, -0.30, 0.19, 0.0, 0.20, 0.012, 0.012),
    (PART_FRAME, -0.30, 0.19, -0.12, 0.48, 0.012, 0.012),
    (PART_FRAME, 0.19, 0.56, 0.30, 0.19, 0.012, 0.012),
    (PART_LEGS, -0.10, 0.56, 0.08, 0.42, 0.054, 0.044),
    (PART_LEGS, 0.08, 0.42, 0.03, 0.17, 0.042, 0.032),
    (PART_SHOE, 0.03, 0.135, 0.08, 0.13, 0.028, 0.024),
    (PART_TOP, -0.10, 0.57, 0.06, 0.79, 0.080, 0.080),
    (PART_TOP, 0.06, 0.79, 0.18, 0.61, 0.036, 0.026),
    (PART_SKIN, 0.09, 0.865, 0.09, 0.87, 0.030, 0.030),
    (PART_SKIN, 0.105, 0.925, 0.105, 0.93, 0.052, 0.050),
    (PART_HAIR, 0.095, 0.955, 0.10, 0.965, 0.055, 0.050),
)
LIMBS: dict[str, tuple[Limb, ...]] = {"front": _FRONT, "side": _SIDE, "bike": _BIKE, "bike_side": _BIKE_SIDE}
FIGURES = tuple(LIMBS)


def figure_part(kind: str, u: FloatArray, v: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the body part at positions in body heights (-1 outside) and how far right it faces, -1..1."""
    part = np.full(u.shape, -1, np.int32)
    face = np.zeros(u.shape, np.float32)
    if kind == "bike_side":
        for centre in (-0.30, 0.30):
            ring = np.abs(np.sqrt((u - centre) ** 2 + (v - 0.19) ** 2) - 0.175)
            part[ring < 0.014] = PART_WHEEL
    for number, x0, y0, x1, y1, r0, r1 in LIMBS[kind]:
        dx, dy = x1 - x0, y1 - y0
        along = clamp(((u - x0) * dx + (v - y0) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        away, radius = u - (x0 + along * dx), r0 + (r1 - r0) * along
        inside = away**2 + (v - (y0 + along * dy)) ** 2 < radius**2
        part[inside] = number
        face[inside] = (away / radius)[inside]
    return part, face


def figure_cut(kind: str, height: float, mirror: int, u: FloatArray, v: FloatArray, foot: FloatArray) -> BoolArray:
    """Keep a figure; u in metres from its middle, v above the ground."""
    del foot
    part, _ = figure_part(kind, u * (mirror / height), v / height)
    return part >= 0
