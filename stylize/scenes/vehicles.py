"""Cars, vans and buses as a lower body, a narrower cabin and their ends."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from stylize.scenes import kinds
from stylize.scenes.geometry import Patch
from stylize.scenes.layout import Car
from stylize.scenes.noise import BoolArray, FloatArray
from stylize.scenes.shapes import car_side_cut

Local = tuple[float, float, float]  # along from the rear, across to the vehicle's right, up
RUBBER = (0.012, 0.012, 0.013)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Body:
    """Measures of one kind of vehicle in metres, along from its rear."""

    width: float
    roof: float
    floor: float
    xs: tuple[float, ...]  # the lower body's profile
    tops: tuple[float, ...]
    cabin: tuple[float, float, float, float]  # rear base, front base, rear top, front top
    lean: float  # how far the roof is in from the belt on each side
    wheels: tuple[float, float]
    radius: float
    glass: tuple[float, float]  # stretch of the side windows

    @property
    def belt(self) -> float:
        return max(self.tops)


BODIES: dict[str, Body] = {
    "hatch": Body(
        width=1.72, roof=1.48, floor=0.2, xs=(0, 0.06, 0.2, 2.8, 3.55, 3.8, 3.9),
        tops=(0.80, 0.92, 0.95, 0.95, 0.82, 0.72, 0.56), cabin=(0.10, 3.0, 0.5, 2.05), lean=0.17,
        wheels=(0.72, 3.15), radius=0.30, glass=(0.3, 2.8),
    ),
    "sedan": Body(
        width=1.78, roof=1.43, floor=0.19, xs=(0, 0.06, 0.7, 3.1, 4.1, 4.4, 4.52),
        tops=(0.72, 0.88, 0.95, 0.95, 0.83, 0.72, 0.54), cabin=(0.55, 3.25, 1.25, 2.35), lean=0.2,
        wheels=(0.88, 3.62), radius=0.31, glass=(0.9, 2.95),
    ),
    "suv": Body(
        width=1.88, roof=1.74, floor=0.28, xs=(0, 0.05, 0.15, 3.15, 4.2, 4.45, 4.5),
        tops=(0.98, 1.06, 1.10, 1.10, 1.00, 0.88, 0.65), cabin=(0.06, 3.25, 0.32, 2.5), lean=0.15,
        wheels=(0.85, 3.6), radius=0.37, glass=(0.3, 3.0),
    ),
    "van": Body(
        width=1.98, roof=2.25, floor=0.26, xs=(0, 0.05, 4.05, 4.75, 4.95, 5.0),
        tops=(1.24, 1.25, 1.25, 1.05, 0.9, 0.6), cabin=(0.03, 4.15, 0.08, 3.35), lean=0.1,
        wheels=(0.95, 4.0), radius=0.34, glass=(2.75, 3.95),
    ),
    "bus": Body(
        width=2.5, roof=3.05, floor=0.3, xs=(0, 0.03, 10.4, 10.5), tops=(1.2, 1.25, 1.25, 1.15),
        cabin=(0.03, 10.42, 0.06, 10.3), lean=0.04, wheels=(2.6, 7.8), radius=0.48, glass=(0.5, 10.2),
    ),
}  # fmt: skip


def car_patches(car: Car, x: float, slope: float, eye: float) -> list[Patch]:
    """Make the patches of a vehicle whose middle stands at (x, car.z) on a road of the given slope dX/dZ."""
    maker = _Maker(car, BODIES[car.kind], x, slope)
    patches = maker.sides() + maker.ends() + maker.tops() + maker.cabin() + maker.tyres()
    return [p for p in patches if _faces(p, eye)]


def light_points(car: Car, x: float, slope: float) -> list[tuple[Local, str]]:
    """List the lights of a vehicle that look at the camera: world position and "head" or "tail"."""
    maker = _Maker(car, BODIES[car.kind], x, slope)
    body = maker.body
    away = car.heading > 0
    along, up = (0.0, body.tops[0] - 0.12) if away else (body.xs[-1], body.tops[-1] + 0.02)
    across = body.width / 2 - 0.24
    return [(maker.world((along, s * across, up)), "tail" if away else "head") for s in (-1, 1)]


def _faces(patch: Patch, eye: float) -> bool:
    """Tell whether a patch turns its outside to the camera."""
    corner = patch.corners[0]
    nx, ny, nz = patch.normal
    return nx * corner[0] + ny * (corner[1] - eye) + nz * corner[2] < 0


class _Maker:
    """Turns local measures of one vehicle into world patches."""

    def __init__(self, car: Car, body: Body, x: float, slope: float) -> None:
        self.car, self.body, self.x = car, body, x
        norm = math.hypot(slope, 1.0) * car.heading
        self.ahead = (slope / norm, 1.0 / norm)

    def world(self, point: Local) -> Local:
        """Move a local point to the world."""
        along, across = point[0] - self.body.xs[-1] / 2, point[1]
        fx, fz = self.ahead
        return (self.x + fx * along + fz * across, point[2], self.car.z + fz * along - fx * across)

    def patch(
        self, corners: Sequence[Local], uv: Sequence[tuple[float, float]], out: Local, material: int, **more: object
    ) -> Patch:
        """Make a patch from local corners; `out` is any local direction on its outer side."""
        points = [self.world(c) for c in corners]
        a, b, c = (np.array(p) for p in points[:3])
        normal = np.cross(b - a, c - a)
        origin = np.array(self.world((0, 0, 0)))
        outward = np.array(self.world(out)) - origin
        normal = normal / np.linalg.norm(normal) * (1 if normal @ outward > 0 else -1)
        return Patch(
            corners=tuple(points),
            uv=tuple(uv),
            normal=(float(normal[0]), float(normal[1]), float(normal[2])),
            material=material,
            label=kinds.CAR,
            seed=self.car.seed,
            **({"colour": self.car.colour} | more),  # type: ignore[arg-type]
        )

    def sides(self) -> list[Patch]:
        b = self.body
        cut = functools.partial(car_side_cut, b.xs, b.tops, b.wheels, b.radius, b.floor)
        length = b.xs[-1]
        extra = (*b.wheels, b.radius, b.belt, length, b.floor)
        made = []
        for s in (-1, 1):
            w = s * b.width / 2
            corners = [(0.0, w, 0.0), (length, w, 0.0), (length, w, b.belt), (0.0, w, b.belt)]
            uv = [(0.0, 0.0), (length, 0.0), (length, b.belt), (0.0, b.belt)]
            made.append(self.patch(corners, uv, (0, s, 0), kinds.CAR_SIDE, extra=extra, cut=cut))
        return made

    def ends(self) -> list[Patch]:
        b = self.body
        made = []
        for along, top, out, material in (
            (0.0, b.tops[0], -1.0, kinds.CAR_REAR),
            (b.xs[-1], b.tops[-1], 1.0, kinds.CAR_FRONT),
        ):
            w, low = b.width / 2, b.floor + 0.02
            corners = [(along, -w, low), (along, w, low), (along, w, top), (along, -w, top)]
            uv = [(-w, low), (w, low), (w, top), (-w, top)]
            cut = functools.partial(_round_cut, w, low, top)
            made.append(
                self.patch(corners, uv, (out, 0, 0), material, extra=(w, low, top, float(self.car.parked)), cut=cut)
            )
        return made

    def tops(self) -> list[Patch]:
        """Cover the body before and behind the cabin."""
        b = self.body
        made = []
        w = b.width / 2
        for s0, s1, t0, t1 in zip(b.xs[:-1], b.xs[1:], b.tops[:-1], b.tops[1:], strict=True):
            if s1 <= b.cabin[0] + 0.2 or s0 >= b.cabin[1] - 0.3:
                corners = [(s0, -w, t0), (s0, w, t0), (s1, w, t1), (s1, -w, t1)]
                uv = [(-w, s0), (w, s0), (w, s1), (-w, s1)]
                # The steep first and last strips carry lights like the ends below them.
                steep = abs(t1 - t0) > s1 - s0
                material = kinds.CAR_PAINT
                made.append(self.patch(corners, uv, (0.3 if s0 > 1 else -0.3, 0, 1), material, extra=(float(steep),)))
        return made

    def cabin(self) -> list[Patch]:
        b = self.body
        r0, f0, r1, f1 = b.cabin
        wide, slim, low, top = b.width / 2, b.width / 2 - b.lean, b.belt - 0.01, b.roof
        made = []
        for s in (-1, 1):
            corners = [(r0, s * wide, low), (f0, s * wide, low), (f1, s * slim, top), (r1, s * slim, top)]
            uv = [(r0, 0.0), (f0, 0.0), (f1, 1.0), (r1, 1.0)]
            made.append(
                self.patch(
                    corners, uv, (0, s, 0.2), kinds.CAR_CABIN, extra=(r0, f0, r1, f1, *b.glass, float(b.xs[-1] > 8))
                )
            )
        unit = [(-wide, 0.0), (wide, 0.0), (slim, 1.0), (-slim, 1.0)]
        rear = [(r0, -wide, low), (r0, wide, low), (r1, slim, top), (r1, -slim, top)]
        screen = [(f0, -wide, low), (f0, wide, low), (f1, slim, top), (f1, -slim, top)]
        blind = self.car.kind == "van"
        made.append(self.patch(rear, unit, (-1, 0, 0.2), kinds.CAR_GLASS, extra=(0.0 if blind else 1.0, wide, slim)))
        made.append(self.patch(screen, unit, (1, 0, 0.2), kinds.CAR_GLASS, extra=(1.0, wide, slim)))
        roof = [(r1, -slim, top), (r1, slim, top), (f1, slim, top), (f1, -slim, top)]
        made.append(self.patch(roof, unit, (0, 0, 1), kinds.CAR_PAINT))
        return made

    def tyres(self) -> list[Patch]:
        """Close the gap under the ends with the tyres' treads and a dark underside."""
        b = self.body
        made = []
        for along, out in ((b.wheels[0] - b.radius * 0.7, -1.0), (b.wheels[1] + b.radius * 0.7, 1.0)):
            spans = [(s * (b.width / 2 - 0.01), s * (b.width / 2 - 0.22), 0.0) for s in (-1, 1)]
            spans.append((-(b.width / 2 - 0.2), b.width / 2 - 0.2, b.floor * 0.8))
            for w0, w1, low in spans:
                top = b.floor + 0.12
                corners = [(along, w0, low), (along, w1, low), (along, w1, top), (along, w0, top)]
                uv = [(w0, low), (w1, low), (w1, top), (w0, top)]
                made.append(self.patch(corners, uv, (out, 0, 0), kinds.PLAIN, colour=RUBBER))
        return made


def _round_cut(half: float, low: float, top: float, u: FloatArray, v: FloatArray, foot: FloatArray) -> BoolArray:
    """Round the corners of a vehicle's end."""
    del foot
    r = 0.10
    dx = np.maximum(np.abs(u) - (half - r), 0)
    dy = np.maximum(np.maximum((low + r) - v, v - (top - 0.02)), 0)
    keep: BoolArray = dx * dx + dy * dy < r * r
    return keep
