"""From a scene's numbers to patches: walls and roofs, crowns, vehicles, figures, poles, fences, skyline."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np

from stylize.scenes import kinds, vehicles
from stylize.scenes.geometry import Cut, Patch
from stylize.scenes.layout import Building, Fence, Figure, Pole, Scene, Tree
from stylize.scenes.noise import BoolArray, FloatArray, hash01
from stylize.scenes.shapes import FIGURES, crown_cut, figure_cut

Point = tuple[float, float, float]
RGB = tuple[float, float, float]
KERB = 0.12
STEEL: RGB = (0.16, 0.17, 0.17)


def road_x(scene: Scene, z: float) -> float:
    """Return the world X of the road's centre line."""
    return scene.centre + 0.5 * scene.curvature * z * z


def lamp_posts(scene: Scene) -> Iterator[tuple[int, float]]:
    """List street lamps as (side, distance): both sides, staggered."""
    for side, offset in ((1, 0.0), (-1, 0.5)):
        z = scene.lamp_start - offset * scene.lamp_spacing
        while z < 150:
            if z > 1.5:
                yield side, z
            z += scene.lamp_spacing


def build(scene: Scene) -> list[Patch]:
    """Make every patch of a scene."""
    patches: list[Patch] = []
    for building in scene.buildings:
        patches += _building(scene, building)
    for tree in scene.trees:
        patches += _tree(scene, tree)
    for car in scene.cars:
        patches += vehicles.car_patches(car, road_x(scene, car.z) + car.u, scene.curvature * car.z, scene.eye)
    for figure in scene.figures:
        patches += _figure(scene, figure)
    for pole in scene.poles:
        patches += _pole(scene, pole)
    for side, z in lamp_posts(scene):
        patches += _lamp(scene, side, z)
    for fence in scene.fences:
        patches += _fence(scene, fence)
    return patches + _backdrop(scene)


def upright(
    x0: float, x1: float, y0: float, y1: float, z: float, material: int, label: int, colour: RGB = STEEL, **more: object
) -> Patch:
    """Make a rectangle that faces the camera; u, v are metres from its lower middle."""
    middle = 0.5 * (x0 + x1)
    return Patch(
        corners=((x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)),
        uv=((x0 - middle, 0.0), (x1 - middle, 0.0), (x1 - middle, y1 - y0), (x0 - middle, y1 - y0)),
        normal=(0.0, 0.0, -1.0),
        material=material,
        label=label,
        colour=colour,
        **more,  # type: ignore[arg-type]
    )


def _wall(a: Point, b: Point, height: float, side: int, material: int, label: int, **more: object) -> Patch:
    """Make a vertical wall over the ground line a-b that faces the road from `side`; u runs from a to b."""
    length = math.hypot(b[0] - a[0], b[2] - a[2])
    nx, nz = (b[2] - a[2]) / length, -(b[0] - a[0]) / length
    flip = -1.0 if nx * side > 0 or (abs(nx) < 1e-6 and nz > 0) else 1.0
    return Patch(
        corners=(a, b, (b[0], a[1] + height, b[2]), (a[0], a[1] + height, a[2])),
        uv=((0.0, 0.0), (length, 0.0), (length, height), (0.0, height)),
        normal=(flip * nx, 0.0, flip * nz),
        material=material,
        label=label,
        **more,  # type: ignore[arg-type]
    )


def _building(scene: Scene, b: Building) -> list[Patch]:
    wall = scene.half + scene.pavement + b.setback
    end = b.start + b.length
    near: Point = (road_x(scene, b.start) + b.side * wall, 0.0, b.start)
    far: Point = (road_x(scene, end) + b.side * wall, 0.0, end)
    back: Point = (near[0] + b.side * b.depth, 0.0, b.start)
    style = {"colour": b.wall, "second": b.trim, "seed": b.seed}
    patches = [
        _wall(near, far, b.height, b.side, kinds.FACADE, kinds.BUILDING, extra=_facade(b, b.length), **style),
        _wall(
            near, back, b.height + b.rise, 0, kinds.FACADE, kinds.BUILDING,
            extra=_facade(b, b.depth), cut=_gable_cut(b), **style,
        ),
    ]  # fmt: skip
    if b.rise > 0:
        patches += _gable_roof(b, near, far)
    return patches


def _facade(b: Building, length: float) -> tuple[float, ...]:
    """Tell the facade material its storeys and windows, fitted to the wall's length."""
    pitch = length / max(round(length / b.pitch), 1)
    return (b.floor, pitch, b.window[0], b.window[1], float(b.style), float(b.shop), length, b.height)


def _gable_cut(b: Building) -> Cut | None:
    if b.rise <= 0:
        return None

    def cut(u: FloatArray, v: FloatArray, foot: FloatArray) -> BoolArray:
        del foot
        keep: BoolArray = v < b.height + b.rise * (1 - np.abs(u * (2 / b.depth) - 1))
        return keep

    return cut


def _gable_roof(b: Building, near: Point, far: Point) -> list[Patch]:
    """Cover a house: the slope towards the road with its overhang, and chimneys."""
    over, half = 0.35, 0.5 * b.depth
    drop = over * b.rise / half
    eaves, ridge = b.height - drop, b.height + b.rise
    x0, x1 = near[0] - b.side * over, far[0] - b.side * over
    length, slope = b.length, math.hypot(half + over, b.rise + drop)
    tilt = math.hypot(half, b.rise)
    roof = Patch(
        corners=(
            (x0, eaves, near[2] - 0.25),
            (x1, eaves, far[2]),
            (far[0] + b.side * half, ridge, far[2]),
            (near[0] + b.side * half, ridge, near[2] - 0.25),
        ),
        uv=((0.0, 0.0), (length, 0.0), (length, slope), (0.0, slope)),
        normal=(-b.side * b.rise / tilt, half / tilt, 0.0),
        material=kinds.ROOF,
        label=kinds.BUILDING,
        colour=b.roof,
        seed=b.seed,
    )
    patches = [roof]
    for share in (0.12, 0.88)[: 1 + b.seed % 2]:
        z = near[2] + share * b.length
        x = near[0] + (far[0] - near[0]) * share + b.side * half * 0.85
        top = ridge + 0.9
        patches.append(upright(x - 0.4, x + 0.4, ridge - 1.2, top, z, kinds.PLAIN, kinds.BUILDING, b.wall))
        inner = x - b.side * 0.4
        a: Point = (inner, ridge - 1.2, z)
        patches.append(_wall(a, (inner, ridge - 1.2, z + 0.9), 2.1, b.side, kinds.PLAIN, kinds.BUILDING, colour=b.wall))
    return patches


def _tree(scene: Scene, t: Tree) -> list[Patch]:
    x = road_x(scene, t.z) + t.u
    lean = 0.09 + 0.018 * t.height
    bark: RGB = (0.085, 0.065, 0.045)
    crown_height = t.height - t.stem
    cut = functools.partial(crown_cut, t.variant, t.seed % 2 == 1, t.width, crown_height)
    base = t.stem
    crown = Patch(
        corners=(
            (x - t.width / 2, base, t.z),
            (x + t.width / 2, base, t.z),
            (x + t.width / 2, t.height, t.z),
            (x - t.width / 2, t.height, t.z),
        ),
        uv=((0.0, 0.0), (t.width, 0.0), (t.width, crown_height), (0.0, crown_height)),
        normal=(0.0, 0.0, -1.0),
        material=kinds.LEAVES,
        label=kinds.TREE,
        colour=t.colour,
        extra=(float(t.variant), float(t.seed % 2), t.width, crown_height),
        seed=t.seed,
        cut=cut,
    )
    stem = upright(
        x - lean,
        x + lean,
        0.0,
        t.stem + 0.4 * crown_height,
        t.z + 0.05,
        kinds.PLAIN,
        kinds.TREE,
        bark,
        extra=(1.0, lean),
    )
    return [stem, crown]


def _figure(scene: Scene, f: Figure) -> list[Patch]:
    x = road_x(scene, f.z) + f.u
    base = KERB if abs(f.u) > scene.half else 0.0
    reach = (0.5 if f.kind == "bike_side" else 0.24) * f.height
    label = kinds.BICYCLIST if f.kind.startswith("bike") else kinds.PEDESTRIAN
    return [
        upright(
            x - reach, x + reach, base, base + 1.02 * f.height, f.z, kinds.FIGURE, label, f.top, second=f.legs,
            extra=(float(FIGURES.index(f.kind)), f.height, float(f.mirror), *f.skin), seed=f.seed,
            cut=functools.partial(figure_cut, f.kind, f.height, f.mirror),
        )
    ]  # fmt: skip


def _pole(scene: Scene, p: Pole) -> list[Patch]:
    x = road_x(scene, p.z) + p.u
    radius = 0.09 if p.kind == "post" else 0.055
    colour: RGB = (0.10, 0.075, 0.05) if p.kind == "post" and p.seed % 2 else STEEL
    patches = [
        upright(x - radius, x + radius, 0.0, p.height, p.z, kinds.PLAIN, kinds.POLE, colour, extra=(1.0, radius))
    ]
    if p.kind == "sign":
        wide, tall = ((0.36, 0.72), (0.40, 0.70), (0.36, 0.72), (0.38, 0.76), (0.60, 0.5), (0.32, 0.62))[p.face]
        top = p.height + 0.1
        patches.append(
            upright(
                x - wide, x + wide, top - tall, top, p.z - 0.06, kinds.PLATE, kinds.SIGN,
                extra=(float(p.face), wide, tall), cut=_plate_cut(p.face, wide, tall), seed=p.seed,
            )
        )  # fmt: skip
    elif p.kind == "light":
        box = upright(
            x - 0.17, x + 0.17, p.height - 0.95, p.height, p.z - 0.1, kinds.SIGNAL, kinds.SIGN,
            (0.02, 0.02, 0.02), seed=p.seed,
        )  # fmt: skip
        patches.append(box)
    return patches


def _plate_cut(face: int, wide: float, tall: float) -> Cut | None:
    """Outline a sign: circles, a triangle, an octagon; the others are rectangles."""

    def cut(u: FloatArray, v: FloatArray, foot: FloatArray) -> BoolArray:
        del foot
        x, y = np.abs(u) / wide, v / tall * 2 - 1
        if face == 1:
            return x < (1 - y) * 0.5
        if face == 3:
            octagon: BoolArray = (x < 0.97) & (np.abs(y) < 0.97) & (x + np.abs(y) < 1.4)
            return octagon
        return x * x + y * y < 1

    return cut if face < 4 else None


def _lamp(scene: Scene, side: int, z: float) -> list[Patch]:
    """Raise a street lamp with an arm over the road."""
    x = road_x(scene, z) + side * (scene.half + 0.5)
    tip = x - side * 1.5
    h = scene.lamp_height
    low, high = min(x, tip), max(x, tip)
    return [
        upright(x - 0.075, x + 0.075, 0.0, h, z, kinds.PLAIN, kinds.POLE, extra=(1.0, 0.075)),
        upright(x - 0.11, x + 0.11, 0.0, 1.1, z - 0.04, kinds.PLAIN, kinds.POLE, extra=(1.0, 0.11)),
        upright(low, high, h - 0.06, h + 0.05, z - 0.02, kinds.PLAIN, kinds.POLE),
        upright(tip - 0.34, tip + 0.34, h - 0.09, h + 0.10, z - 0.06, kinds.LAMP, kinds.POLE, extra=(0.34, 0.19)),
    ]


def _fence(scene: Scene, f: Fence) -> list[Patch]:
    """Set a fence along the road in pieces that follow the curve."""
    patches = []
    pieces = max(1, round(f.length / 6)) if scene.curvature else 1
    step = f.length / pieces
    for piece in range(pieces):
        z0, z1 = f.start + piece * step, f.start + (piece + 1) * step
        a: Point = (road_x(scene, z0) + f.u, 0.0, z0)
        b: Point = (road_x(scene, z1) + f.u, 0.0, z1)
        patches.append(
            _wall(
                a, b, f.height + KERB, f.side, kinds.FENCING, kinds.FENCE, colour=f.colour,
                extra=(float(f.kind), f.height + KERB), cut=_railing_cut(f), solid_label=True,
            )
        )  # fmt: skip
    return patches


def _railing_cut(f: Fence) -> Cut | None:
    """Leave the bars and rails of a railing; too fine for the samples, a random third of them stands for the cover."""
    if f.kind == 1:
        return None
    top = f.height + KERB
    low = 0.55 if f.kind == 2 else 0.0

    def cut(u: FloatArray, v: FloatArray, foot: FloatArray) -> BoolArray:
        rails = (v > top - 0.06) | ((v > low) & (v < low + 0.05) & (low == 0)) | (v < low)
        across = np.abs(u / 0.14 - np.round(u / 0.14))
        bars = across < 0.16
        grid = np.exp2(np.ceil(np.log2(foot)))
        bars = np.where(foot > 0.025, hash01(np.floor(u / grid), np.floor(v / grid)) < 0.35, bars)
        keep: BoolArray = rails | bars
        return keep

    return cut


def _backdrop(scene: Scene) -> list[Patch]:
    """Close the street with a far line of trees and, behind it, of roofs."""
    x = road_x(scene, 150.0)
    patches = []
    for z, material_label, cell, low, high in (
        (185.0, kinds.TREE, 9.0, 4.0, 9.0),
        (240.0, kinds.BUILDING, 17.0, 5.0, 26.0),
    ):
        patches.append(
            upright(
                x - 420, x + 420, 0.0, high + 4, z, kinds.FAR, material_label,
                (0.06, 0.10, 0.04) if material_label == kinds.TREE else (0.30, 0.27, 0.24),
                cut=_skyline_cut(scene.backdrop, material_label == kinds.TREE, cell, low, high),
                extra=(float(material_label == kinds.TREE), cell), seed=scene.backdrop,
            )
        )  # fmt: skip
    return patches


def _skyline_cut(seed: int, trees: bool, cell: float, low: float, high: float) -> Cut:
    def cut(u: FloatArray, v: FloatArray, foot: FloatArray) -> BoolArray:
        del foot
        column = np.floor(u / cell)
        rise = hash01(column, seed) * (high - low) + low
        if trees:
            bump = np.sqrt(np.maximum(1 - (2 * (u / cell - column) - 1) ** 2, 0))
            ragged = hash01(np.floor(u * 2), seed + 1) * 0.9
            rise = low * 0.55 + (rise - low * 0.5) * bump + ragged
        return v < rise

    return cut
