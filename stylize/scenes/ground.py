"""The street itself: asphalt, markings, kerbs, paving slabs, grass, and what lies on them."""

from __future__ import annotations

import dataclasses

import numpy as np

from stylize.scenes import kinds
from stylize.scenes.build import KERB
from stylize.scenes.geometry import View
from stylize.scenes.layout import Scene
from stylize.scenes.noise import BoolArray, FloatArray, IntArray, clamp, either, fractal, hash01, smoothstep
from stylize.scenes.surface import Samples, Surface, blend, coverage, tint

CORNER = 3.0


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
    """Where rays meet the ground: class, depth and position across the road, for the given ray slopes."""

    label: IntArray
    z: FloatArray
    x: FloatArray
    u: FloatArray
    height: FloatArray


def intersect(scene: Scene, view: View, right: FloatArray, up: FloatArray) -> Ground:
    """Meet the pavement's plane or, through the gap, the road's; `up` must be negative."""
    drop = np.minimum(up, -1e-5)
    z_road = -view.eye / drop
    z_high = (KERB - view.eye) / drop
    u_road, u_high = _across(scene, right, z_road), _across(scene, right, z_high)
    raised = ~_on_road(scene, u_high, z_high)
    road = ~raised & _on_road(scene, u_road, z_road)
    z = either(road, z_road, z_high)
    u = either(road, u_road, u_high)
    label = np.where(road, kinds.ROAD, kinds.PAVEMENT).astype(np.int32)
    if scene.grass:
        label[raised & (np.abs(u) > scene.half + scene.pavement)] = kinds.TREE
    return Ground(label, z, right * z, u, either(road, 0, KERB))


def _across(scene: Scene, right: FloatArray, z: FloatArray) -> FloatArray:
    return right * z - scene.centre - (0.5 * scene.curvature) * z * z


def _on_road(scene: Scene, u: FloatArray, z: FloatArray) -> BoolArray:
    """Tell where the carriageway is, side streets with their rounded corners included."""
    inside = np.abs(u) < scene.half
    for side, start, end in scene.openings:
        beyond = u * side - scene.half
        flare = clamp(1 - beyond / CORNER, 0, 1)
        wider = CORNER * (1 - np.sqrt(1 - flare * flare))
        inside |= (beyond >= 0) & (z > start - wider) & (z < end + wider)
    return inside


def paint(s: Samples, label: IntArray) -> tuple[Surface, FloatArray]:
    """Colour the ground; also return how wet-smooth it is (0 rough .. 1 puddle)."""
    along = s.foot * clamp(s.z / s.scene.eye, 1, 40)
    mean = np.sqrt(s.foot * along)
    worn = fractal(s.u + 13, s.z, 0.35, mean, 1.3)
    albedo = np.empty((3, s.u.size), np.float32)
    road, grass = label == kinds.ROAD, label == kinds.TREE
    for mask, painter in ((road, _asphalt), (grass, _grass), (~road & ~grass, _slabs)):
        part = _select(s, mask)
        if part.u.size:
            albedo[:, mask] = painter(part, mean[mask], along[mask], worn[mask])
    normal = np.zeros_like(albedo)
    normal[1] = 1
    snow = _snow(s, road, worn, mean)
    puddle = smoothstep(0.55, 1.0, worn) * either(road, 1, 0.5) * ~grass
    return Surface(albedo=albedo, normal=normal, snow=snow, open=np.ones_like(s.u)), puddle


def _select(s: Samples, mask: BoolArray) -> Samples:
    return dataclasses.replace(
        s, x=s.x[mask], y=s.y[mask], z=s.z[mask], u=s.u[mask], v=s.v[mask], foot=s.foot[mask], patch=s.patch[:0]
    )


def _asphalt(s: Samples, mean: FloatArray, along: FloatArray, worn: FloatArray) -> FloatArray:
    """Spread asphalt: grain, patches, oil in the lanes' middles, worn tracks, paint."""
    grain = fractal(s.x, s.z, 0.012, mean, 0.35)
    track = _lane_wave(s)
    tone = 1 + 0.16 * grain + 0.10 * worn + 0.08 * track
    tone = tone * _repairs(s, along)
    albedo = tint((0.98, 1.0, 1.03)) * (s.scene.asphalt * tone)
    lines, colour = _markings(s, along)
    chipped = clamp(1.05 + 0.25 * grain + 0.12 * worn, 0.35, 1) * 0.9
    return blend(albedo, colour, lines * chipped)


def _repairs(s: Samples, along: FloatArray) -> FloatArray:
    """Return the tone of mended stretches, their tarred seams, and manhole covers, at most one per cell of road."""
    seed, cell = s.scene.seed, np.floor(s.z * (1 / 9))
    lane = np.floor(s.u * (1 / 3))
    z, u = s.z - 9 * cell, s.u - 3 * lane
    pick = hash01(cell, lane, seed)
    z0, z1 = 1 + 3 * hash01(cell, lane, seed, 1), 5 + 3.5 * hash01(cell, lane, seed, 2)
    u0, u1 = 0.3 + hash01(cell, lane, seed, 3), 1.6 + 1.2 * hash01(cell, lane, seed, 4)
    inner = np.minimum(np.minimum(z - z0, z1 - z) / along, np.minimum(u - u0, u1 - u) / s.foot)
    mended = clamp(inner + 0.5, 0, 1) * (pick < 0.16)
    seam = clamp(1.3 - np.abs(inner) * s.foot * 25, 0, 1) * (np.abs(inner) < 4) * (pick < 0.16)
    cover = np.sqrt((u - 1.5) ** 2 + (z - z0) ** 2)
    lid = clamp((0.34 - cover) / along + 0.5, 0, 1) * ((pick > 0.86) & (along < 0.8))
    rim = clamp(1 - np.abs(cover - 0.32) * 25, 0, 1) * lid
    dark = either(hash01(cell, lane, seed, 5) < 0.7, 0.22, -0.14)
    result: FloatArray = (1 - dark * mended) * (1 - 0.3 * seam) * (1 - 0.45 * lid + 0.3 * rim)
    return result


def _lane_wave(s: Samples) -> FloatArray:
    """Return 1 where tyres run and -1 in the middle of the lanes."""
    width = s.scene.half / (s.scene.lanes / 2)
    phase = s.u / width
    phase = phase - np.floor(phase)
    wave: FloatArray = np.cos((phase - 0.25) * (4 * np.pi))
    return wave


def _dashes(s: Samples, along: FloatArray, period: float, length: float) -> FloatArray:
    phase = s.z / period
    phase = np.abs(phase - np.round(phase)) * period
    sharp = clamp(2 - along / period * 3, 0, 1)
    return coverage((length / 2) - phase, along) * sharp + (length / period) * (1 - sharp)


def _markings(s: Samples, along: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the share and the colour of road paint."""
    scene = s.scene
    white, yellow = tint((0.62, 0.62, 0.58)), tint((0.60, 0.42, 0.06))
    distance = np.abs(s.u)

    def line(at: float, half: float) -> FloatArray:
        return coverage(half - np.abs(distance - at), s.foot)

    if scene.paint == 1:
        centre, colour = line(0.13, 0.055), yellow
    else:
        centre, colour = line(0.0, 0.06) * _dashes(s, along, 6.0, 3.0), white
    share = centre
    edge = scene.half - (2.1 if scene.paint != 3 and scene.half > 5.0 else 0.25)
    if scene.paint in (1, 2):
        share = np.maximum(share, line(edge, 0.055))
    if scene.lanes == 4:
        share = np.maximum(share, line(edge / 2, 0.055) * _dashes(s, along, 9.0, 3.0))
    share = share * ~_in_junction(s)
    paint = either(distance < 0.3, colour, white)
    if scene.crossing:
        stripe = s.u - np.floor(s.u)
        band = coverage(1.6 - np.abs(s.z - scene.crossing), along)
        zebra = band * coverage(0.25 - np.abs(stripe - 0.5), s.foot) * (distance < scene.half - 0.2)
        clear = np.abs(s.z - scene.crossing) < 2.4
        share = either(clear, zebra, share)
        stop = coverage(0.15 - np.abs(s.z - (scene.crossing - 3.0)), along)
        share = np.maximum(share, stop * (distance < scene.half - 0.3) * (s.u * -scene.centre > 0))
        paint = either(clear, white, paint)
    return share, paint


def _in_junction(s: Samples) -> BoolArray:
    inside = np.zeros(s.u.shape, np.bool_)
    for side, start, end in s.scene.openings:
        inside |= (s.z > start) & (s.z < end) & (s.u * side > 0.5)
    return inside


def _slabs(s: Samples, mean: FloatArray, along: FloatArray, worn: FloatArray) -> FloatArray:
    """Pave with slabs and a lighter kerb."""
    size = 0.6
    a, b = s.u / size, s.z / size
    joint = np.minimum(np.abs(a - np.round(a)) * size / s.foot, np.abs(b - np.round(b)) * size / along)
    gap = clamp(1.1 - joint, 0, 1) * clamp(1.2 - along * 1.2, 0, 1)
    grain = fractal(s.x, s.z, 0.015, mean, 0.45)
    tone = (1 + 0.10 * grain + 0.12 * worn) * (1 - 0.3 * gap)
    edge = coverage(0.16 - np.abs(np.abs(s.u) - s.scene.half - 0.08), s.foot)
    albedo = tint(s.scene.slab) * tone
    return blend(albedo, tint((0.34, 0.34, 0.33)) * tone, edge * 0.8)


def _grass(s: Samples, mean: FloatArray, along: FloatArray, worn: FloatArray) -> FloatArray:
    """Grow short grass."""
    del along
    blades = fractal(s.x, s.z * 0.5, 0.02, mean, 0.4)
    tone = clamp(1 + 0.35 * blades + 0.2 * worn, 0.25, 2)
    return tint((0.085, 0.115, 0.045)) * tone


def _snow(s: Samples, road: BoolArray, worn: FloatArray, mean: FloatArray) -> FloatArray:
    """Cover the ground, with slushy tracks where tyres run."""
    ragged = fractal(s.u * 1.5 + 31, s.z * 0.4, 0.06, mean, 0.9)
    track = smoothstep(0.2, 1.1, _lane_wave(s) + 0.30 * ragged)
    inner = np.abs(s.u) < s.scene.half - 0.5
    return clamp(either(road & inner, 1 - 0.82 * track, 1.0) + 0.12 * worn, 0, 1)


def shade_decals(s: Samples, spots: FloatArray) -> FloatArray:
    """Return the light left on the ground under soft shadows: rows (x, z, half x, half z, cos, sin, strength)."""
    left = np.ones_like(s.x)
    for x, z, half_x, half_z, cos, sin, strength in spots:
        reach = float(half_x + half_z)
        near = np.flatnonzero(np.abs(s.z - z) < reach)
        if near.size:
            dx, dz = s.x[near] - x, s.z[near] - z
            across, ahead = np.abs(dx * cos - dz * sin) / half_x, np.abs(dx * sin + dz * cos) / half_z
            r4 = across**4 + ahead**4
            left[near] *= 1 - strength * clamp(1.25 - r4 * 0.8, 0, 1)
    return left
