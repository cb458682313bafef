"""Pictures, labels and depth of a scene at any size."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import numpy.typing as npt

from stylize.scenes import air, cars, facade, ground, kinds, light, objects
from stylize.scenes.build import build
from stylize.scenes.conditions import Condition
from stylize.scenes.geometry import Table, View, rasterise, tabulate
from stylize.scenes.layout import Scene
from stylize.scenes.noise import BoolArray, FloatArray, IntArray, clamp
from stylize.scenes.sky import sky
from stylize.scenes.surface import Samples, blend, planes

RATE = 2  # samples per pixel along each axis
BAND = 1 << 18  # samples worked on at a time: fits the cache
MATERIALS = {
    kinds.FACADE: facade.facade,
    kinds.ROOF: facade.roof,
    kinds.PLAIN: objects.plain,
    kinds.LEAVES: objects.leaves,
    kinds.FIGURE: objects.figure,
    kinds.CAR_SIDE: cars.car_side,
    kinds.CAR_CABIN: cars.car_cabin,
    kinds.CAR_PAINT: cars.car_paint,
    kinds.CAR_GLASS: cars.car_glass,
    kinds.CAR_REAR: cars.car_rear,
    kinds.CAR_FRONT: cars.car_front,
    kinds.LAMP: objects.lamp,
    kinds.PLATE: objects.plate,
    kinds.SIGNAL: objects.signal,
    kinds.FENCING: objects.fencing,
    kinds.FAR: objects.far,
}


def render(scene: Scene, condition: Condition, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Render a scene as rgb [height, width, 3] uint8."""
    view = camera(scene, height, width, RATE)
    painter = _Painter(scene, condition, _table(scene), light.prepare(scene, condition))
    linear, inverse = painter.paint(view, painter.reflection(view))
    air.add_halos(linear, inverse, scene, condition, camera(scene, height, width, 1))
    if condition.rain > 0:
        streaks = air.rain_streaks(height, width, condition)
        bright = np.array(condition.fog, np.float32)[:, None, None] * 1.5
        linear = blend(linear, bright, streaks)
    if condition.flakes > 0:
        flakes = air.snow_flakes(height, width, condition)
        bright = np.array(condition.ambient, np.float32)[:, None, None] * 1.1
        linear = blend(linear, bright, flakes)
    shown = air.develop(linear, condition, scene.seed)
    result: npt.NDArray[np.uint8] = np.rint(clamp(shown, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(result)


def labels(scene: Scene, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return the class of each pixel's centre [height, width] uint8, the same in every condition."""
    view = camera(scene, height, width, 1)
    inverse, number = rasterise(_table(scene), view, solid=True)
    below, met = _meet_ground(scene, view, inverse)
    result = np.full(number.shape, kinds.SKY, np.uint8)
    result[below] = met.label
    table = _table(scene)
    stands = number >= 0
    stands[below] &= inverse[below] * met.z > 1
    result[stands] = table.label_P[number[stands]]
    return result


def depth(scene: Scene, height: int, width: int) -> FloatArray:
    """Return the distance along the optical axis in metres [height, width] float32, infinite in the sky."""
    view = camera(scene, height, width, 1)
    inverse, _ = rasterise(_table(scene), view, solid=True)
    below, met = _meet_ground(scene, view, inverse)
    inverse[below] = np.maximum(inverse[below], 1 / met.z)
    with np.errstate(divide="ignore"):
        result: FloatArray = (1 / inverse).astype(np.float32)
    return result


def camera(scene: Scene, height: int, width: int, rate: float) -> View:
    """Place a scene's camera for a picture size: the same focal length for the same area."""
    if height < 1 or width < 1:
        raise ValueError(f"a picture needs at least one pixel, not {height}x{width}")
    return View(
        height=height,
        width=width,
        focal=scene.focal * math.sqrt(height * width * 4 / 3),
        cx=width * (0.5 + scene.shift),
        cy=height * scene.horizon,
        eye=scene.eye,
        rate=rate,
    )


@functools.lru_cache(maxsize=8)
def _table(scene: Scene, mirror: bool = False) -> Table:
    return tabulate(build(scene), scene.eye, mirror)


def _meet_ground(scene: Scene, view: View, inverse: FloatArray) -> tuple[BoolArray, ground.Ground]:
    """Meet the ground in all samples below the horizon."""
    right, up = view.grid()
    rows = up < 0
    below = np.zeros(inverse.shape, np.bool_)
    below[rows] = True
    met = ground.intersect(scene, view, *(a.ravel() for a in np.broadcast_arrays(right[None, :], up[rows, None])))
    return below, met


class _Painter:
    """Shades one scene in one condition, band by band."""

    def __init__(self, scene: Scene, condition: Condition, table: Table, lighting: light.Lighting) -> None:
        self.scene, self.condition, self.table, self.lighting = scene, condition, table, lighting

    def paint(self, view: View, mirror: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """Return light [3, H, W] and inverse depth [H, W]."""
        linear = np.empty((3, view.height, view.width), np.float32)
        inverse = np.empty((view.height, view.width), np.float32)
        rate = round(view.rate)
        step = max(1, BAND // (view.width * rate * rate))
        for top in range(0, view.height, step):
            rows = slice(top, min(top + step, view.height))
            fine = slice(rows.start * rate, rows.stop * rate)
            light_3hw, inverse_hw = self._band(view, fine, None if mirror is None else mirror[:, rows])
            linear[:, rows] = _average(np.minimum(light_3hw, 6), rate)
            inverse[rows] = inverse_hw[rate // 2 :: rate, rate // 2 :: rate]
        return linear, inverse

    def reflection(self, view: View) -> FloatArray | None:
        """Render what a wet road mirrors, at half size, drawn out downwards, and bring it to the picture's size."""
        if self.condition.wetness <= 0.2:
            return None
        height, width = max(view.height // 2, 1), max(view.width // 2, 1)
        base = camera(self.scene, view.height, view.width, 1)
        scale = height / view.height
        small = View(
            height=height, width=width, focal=base.focal * scale, cx=base.cx * width / view.width,
            cy=base.cy * scale, eye=base.eye, rate=1, mirror=True,
        )  # fmt: skip
        painter = _Painter(self.scene, self.condition, _table(self.scene, mirror=True), self.lighting)
        light_3hw, inverse = painter._band(small, slice(0, height), None)
        light_3hw = np.minimum(light_3hw, 6)
        air.add_halos(light_3hw, inverse, self.scene, self.condition, small)
        return _enlarge(_smear(light_3hw), view.height, view.width)

    def _band(self, view: View, rows: slice, mirror: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """Shade a band of sample rows; `mirror` holds the band's pixels of the reflection."""
        right, up = view.grid()
        up = up[rows]
        inverse, number = rasterise(self.table, view, rows=rows)
        x, y = (a.ravel() for a in np.broadcast_arrays(right[None, :], up[:, None]))
        flat, near = number.ravel(), inverse.ravel()
        out = np.empty((3, flat.size), np.float32)
        empty = flat < 0
        if not view.mirror:
            self._ground(view, x, y, near, flat, empty, mirror, out)
        material = np.where(empty, -1, self.table.material_P[flat])
        for kind, painter in MATERIALS.items():
            index = np.flatnonzero(material == kind)
            if index.size:
                s = self._samples(view, x[index], y[index], 1 / near[index], flat[index])
                lit = light.illuminate(s, painter(s), self.lighting)
                out[:, index] = light.fog(self.condition, lit, s.z)
        index = np.flatnonzero(empty & (near == 0))
        rise = -y[index] if view.mirror else y[index]
        out[:, index] = sky(self.scene, self.condition, x[index], rise, view.footprint())
        return out.reshape(3, up.size, right.size), near.reshape(up.size, right.size)

    def _ground(
        self,
        view: View,
        x: FloatArray,
        y: FloatArray,
        near: FloatArray,
        flat: IntArray,
        empty: BoolArray,
        mirror: FloatArray | None,
        out: FloatArray,
    ) -> None:
        """Shade the ground where nothing stands before it; marks those samples by their inverse depth."""
        below = np.flatnonzero(y < 0)
        met = ground.intersect(self.scene, view, x[below], y[below])
        seen = near[below] * met.z <= 1
        index = below[seen]
        if index.size == 0:
            return
        near[index] = 1 / met.z[seen]
        empty[index] = True
        z = met.z[seen]
        s = self._samples(view, x[index], y[index], z, flat[index])
        s = _replace_uv(s, met.u[seen], met.height[seen])
        surface, puddle = ground.paint(s, met.label[seen])
        shade = ground.shade_decals(s, self.lighting.spots)
        lit = light.illuminate(s, surface, self.lighting, shade)
        if mirror is not None:
            lit = self._wet(view, lit, mirror, index, s, puddle * (met.label[seen] != kinds.TREE), shade)
        out[:, index] = light.fog(self.condition, lit, z)

    def _wet(
        self,
        view: View,
        lit: FloatArray,
        mirror: FloatArray,
        index: npt.NDArray[np.intp],
        s: Samples,
        puddle: FloatArray,
        shade: FloatArray,
    ) -> FloatArray:
        """Mix in the mirrored street, more at flat angles and in puddles."""
        rate = round(view.rate)
        columns = view.width * rate
        row, column = index // columns // rate, index % columns // rate
        seen = mirror[:, row, column]
        cosine = self.scene.eye / np.sqrt(s.x**2 + s.z**2 + (self.scene.eye**2))
        fresnel = 0.06 + 0.80 * (1 - cosine) ** 4
        wet = self.condition.wetness * (1 - 0.8 * self.condition.snow)
        share = clamp(fresnel * (0.45 + 0.55 * puddle) * wet, 0, 1)
        return lit * (1 - share) + seen * share * (0.3 + 0.7 * shade)

    def _samples(self, view: View, x: FloatArray, y: FloatArray, z: FloatArray, patch: IntArray) -> Samples:
        """Collect what materials want to know about samples."""
        t = self.table
        rise = y * z
        world_y = view.eye + rise
        safe = np.maximum(patch, 0)

        def affine(rows_P3: npt.NDArray[np.float64]) -> FloatArray:
            a, b, c = planes(rows_P3.astype(np.float32), safe)
            place: FloatArray = (a * x + b * y + c) * z
            return place

        return Samples(
            scene=self.scene,
            condition=self.condition,
            x=x * z,
            y=np.abs(world_y) if view.mirror else world_y,
            z=z,
            u=affine(t.u_P3),
            v=affine(t.v_P3),
            foot=z * view.footprint(),
            patch=safe,
            normal_P3=t.normal_P3,
            colour_P3=t.colour_P3,
            second_P3=t.second_P3,
            extra_P8=t.extra_P8,
            seed_P=t.seed_P,
        )


def _average(fine_3hw: FloatArray, rate: int) -> FloatArray:
    """Average squares of rate x rate samples."""
    total = np.zeros((3, fine_3hw.shape[1] // rate, fine_3hw.shape[2] // rate), np.float32)
    for row in range(rate):
        for column in range(rate):
            total += fine_3hw[:, row::rate, column::rate]
    return total * (1 / rate**2)


def _replace_uv(s: Samples, u: FloatArray, height: FloatArray) -> Samples:
    return dataclasses.replace(s, u=u, v=s.z, y=height)


def _smear(image_3HW: FloatArray) -> FloatArray:
    """Blur mostly along columns, as a rough wet surface does."""
    height = image_3HW.shape[1]
    result = _box(_box(image_3HW, 1, max(1, height // 40)), 1, max(1, height // 25))
    return _box(result, 2, max(1, height // 160))


def _box(image_3HW: FloatArray, axis: int, radius: int) -> FloatArray:
    """Average over 2 radius + 1 neighbours along an axis, edges repeated."""
    pad = [(0, 0)] * 3
    pad[axis] = (radius + 1, radius)
    total = np.cumsum(np.pad(image_3HW, pad, mode="edge"), axis=axis, dtype=np.float64)
    size = image_3HW.shape[axis]
    upper = np.take(total, np.arange(2 * radius + 1, 2 * radius + 1 + size), axis=axis)
    lower = np.take(total, np.arange(size), axis=axis)
    result: FloatArray = ((upper - lower) / (2 * radius + 1)).astype(np.float32)
    return result


def _enlarge(image_3HW: FloatArray, height: int, width: int) -> FloatArray:
    """Interpolate linearly to a larger size."""
    for axis, size in ((1, height), (2, width)):
        old = image_3HW.shape[axis]
        place = clamp((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.minimum(place.astype(np.int64), max(old - 2, 0))
        share = (place - low).astype(np.float32).reshape((-1, 1) if axis == 1 else (1, -1))
        high = np.minimum(low + 1, old - 1)
        image_3HW = np.take(image_3HW, low, axis) * (1 - share) + np.take(image_3HW, high, axis) * share
    return image_3HW
