"""Light on surfaces: sun with shadows of the street's walls, sky, street lamps, headlights; then fog."""

from __future__ import annotations

import dataclasses

import numpy as np

from stylize.scenes.build import road_x
from stylize.scenes.conditions import Condition
from stylize.scenes.layout import Scene
from stylize.scenes.noise import FloatArray, clamp, either, smoothstep
from stylize.scenes.sky import sun_direction
from stylize.scenes.surface import Samples, Surface, blend, tint
from stylize.scenes.vehicles import BODIES

STEP = 0.5  # metres between entries of the wall profiles
REACH = 200.0
LAMP_COLOUR = (1.0, 0.70, 0.38)
SNOW_COLOUR = (0.80, 0.83, 0.88)


@dataclasses.dataclass(frozen=True, eq=False)
class Lighting:
    """What lighting needs of a scene and a condition, computed once per picture."""

    sun: tuple[float, float, float]
    profiles: dict[int, FloatArray]  # height of the street's walls by distance, per side
    wall: float  # distance of the walls from the road's middle
    spots: FloatArray  # soft shadows on the ground


def prepare(scene: Scene, condition: Condition) -> Lighting:
    """Collect wall profiles and the soft shadows of vehicles, trees and figures."""
    profiles = {side: np.zeros(int(REACH / STEP), np.float32) for side in (-1, 1)}
    setbacks = [0.0]
    for b in scene.buildings:
        a, z = int(max(b.start, 0) / STEP), int(max(b.start + b.length, 0) / STEP)
        profiles[b.side][a:z] = b.height + 0.6 * b.rise
        setbacks.append(b.setback)
    wall = scene.half + scene.pavement + float(np.mean(setbacks))
    return Lighting(sun_direction(condition), profiles, wall, _spots(scene, condition))


def _spots(scene: Scene, c: Condition) -> FloatArray:
    """List soft shadows: under vehicles and figures always, of crowns when the sun shines."""
    rows = []
    sun = sun_direction(c)
    direct = min(1.0, max(c.sun) / (max(c.ambient) + 1e-6))
    for car in scene.cars:
        body = BODIES[car.kind]
        angle = np.arctan(scene.curvature * car.z)
        size = (0.5 * body.width + 0.12, 0.5 * body.xs[-1] + 0.12)
        rows.append((road_x(scene, car.z) + car.u, car.z, *size, np.cos(angle), np.sin(angle), 0.85))
    rows += [(road_x(scene, f.z) + f.u, f.z, 0.34, 0.34, 1.0, 0.0, 0.5) for f in scene.figures]
    for t in scene.trees:
        if direct > 0.3 and sun[1] > 0.3:
            reach = 0.5 * (t.height + t.stem) / sun[1]
            x, z = road_x(scene, t.z) + t.u - sun[0] * reach, t.z - sun[2] * reach
            rows.append((x, z, 0.48 * t.width, 0.48 * t.width, 1.0, 0.0, 0.55 * direct))
        rows.append((road_x(scene, t.z) + t.u, t.z, 0.6, 0.6, 1.0, 0.0, 0.35))
    return np.array(rows, np.float32).reshape(-1, 7)


def sun_share(scene: Scene, light: Lighting, s: Samples) -> FloatArray:
    """Return how much of the sun reaches points, by the height of the walls towards the sun."""
    sx, sy, sz = light.sun
    if abs(sx) < 1e-3:
        return np.ones_like(s.x)
    side = 1 if sx > 0 else -1
    u = s.x - scene.centre - (0.5 * scene.curvature) * s.z**2
    t = np.maximum((side * light.wall) - u, 0) / sx if side > 0 else np.maximum(u + light.wall, 0) / -sx
    z, y = s.z + t * sz, s.y + t * sy
    index = clamp(z / STEP, 0, REACH / STEP - 1).astype(np.int32)
    clear = y - light.profiles[side][index]
    return either(t > 0, clamp(clear / (0.15 + 0.02 * t) + 0.5, 0, 1), 1)


def illuminate(s: Samples, surface: Surface, light: Lighting, ground: FloatArray | None = None) -> FloatArray:
    """Return the light [3, N] that leaves a surface; `ground` is the share left under soft shadows."""
    c = s.condition
    albedo, normal, glow = _weathered(s, surface)
    sx, sy, sz = light.sun
    facing = np.maximum(normal[0] * sx + normal[1] * sy + normal[2] * sz, 0)
    direct = facing * sun_share(s.scene, light, s) if max(c.sun) > 0.005 else facing * 0
    level = 0.62 + 0.38 * clamp(normal[1], -1, 1)
    if surface.open is not None:
        level = level * surface.open
    if ground is not None:
        direct, level = direct * ground, level * (0.25 + 0.75 * ground)
    result: FloatArray = tint(c.sun) * direct + tint(c.ambient) * level
    bounce = 0.10 * clamp(1 - normal[1], 0, 1)
    result += tint(c.ambient) * bounce
    if c.lamps > 0.02:
        result += tint(LAMP_COLOUR) * (c.lamps * _lamps(s, normal))
    if c.headlights > 0.02:
        result += tint((1.0, 0.93, 0.80)) * (c.headlights * _own_headlights(s, normal))
    result *= albedo
    return result if glow is None else result + glow


def _weathered(s: Samples, surface: Surface) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Darken wet surfaces and lay snow on those that look up."""
    c = s.condition
    albedo, glow = surface.albedo, surface.glow
    if c.wetness > 0:
        albedo = albedo * (1 - 0.35 * c.wetness)
    if c.snow > 0:
        hold = surface.snow if surface.snow is not None else smoothstep(0.25, 0.75, surface.normal[1])
        share = hold * c.snow
        albedo = blend(albedo, np.broadcast_to(tint(SNOW_COLOUR), albedo.shape), share)
        glow = None if glow is None else glow * (1 - share)
    return albedo, surface.normal, glow


def _lamps(s: Samples, normal: FloatArray) -> FloatArray:
    """Add the nearest street lamp of each side."""
    scene = s.scene
    u = s.x - scene.centre - (0.5 * scene.curvature) * s.z**2
    total = np.full_like(u, 2e-4)
    for side, offset in ((1, 0.0), (-1, 0.5)):
        phase = (s.z - scene.lamp_start) / scene.lamp_spacing + offset
        dz = (np.round(phase) - phase) * scene.lamp_spacing
        du = side * (scene.half - 1.0) - u
        dy = scene.lamp_height - s.y
        d2 = du * du + dy * dy + dz * dz + 0.5
        cosine = (normal[0] * du + normal[1] * dy + normal[2] * dz) / np.sqrt(d2)
        below = clamp(dy * 0.4 + 0.2, 0.03, 1)
        # Steeper than the inverse square: the lamp's own reflector aims down.
        total += (clamp(cosine, 0, 1) * 0.85 + 0.15) * below / (d2 * np.sqrt(d2))
    return total * (0.28 * scene.lamp_height**3)


def _own_headlights(s: Samples, normal: FloatArray) -> FloatArray:
    """Light the road ahead from the camera's own vehicle."""
    spread = np.exp(-((s.x / (1.4 + 0.20 * s.z)) ** 2))
    near = smoothstep(2.0, 7.0, s.z) / (1 + (s.z * (1 / 13)) ** 2)
    cutoff = clamp(1.25 - s.y * 0.55, 0.06, 1)
    facing = clamp(0.25 - 0.75 * normal[2] + 0.30 * normal[1], 0, 1)
    beam: FloatArray = 0.5 * spread * near * cutoff * facing
    return beam


def fog(c: Condition, colour: FloatArray, z: FloatArray) -> FloatArray:
    """Fade light into the fog with distance."""
    clear = np.exp(-c.fog_density * z)
    faded: FloatArray = colour * clear + tint(c.fog) * (1 - clear)
    return faded
