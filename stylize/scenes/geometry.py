"""A small rasteriser: planar quadrilaterals in metres into inverse depth and patch number per sample.

Shape suffixes: P patches, N samples, HW picture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from stylize.scenes.noise import BoolArray, FloatArray, IntArray

Cut = Callable[[FloatArray, FloatArray, FloatArray], BoolArray]
Outline = tuple[tuple[float, float, float], ...]
NEAR = 0.4


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """A planar quadrilateral with its own coordinates, usually metres; `cut` keeps a part of it."""

    corners: tuple[tuple[float, float, float], ...]  # four, in order; world metres
    uv: tuple[tuple[float, float], ...]
    normal: tuple[float, float, float]
    material: int
    label: int
    colour: tuple[float, float, float] = (0.5, 0.5, 0.5)
    second: tuple[float, float, float] = (0.5, 0.5, 0.5)
    extra: tuple[float, ...] = ()  # what the material wants to know, at most 8 numbers
    seed: int = 0
    cut: Cut | None = None  # (u, v, metres per sample) -> keep
    solid_label: bool = False  # labels ignore `cut` (railings are labelled as a whole)


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """A pinhole camera with level axis and shifted centre, and where it is sampled."""

    height: int
    width: int
    focal: float  # pixels
    cx: float
    cy: float
    eye: float  # metres above the road
    rate: float  # samples per pixel along each axis
    mirror: bool = False  # the picture in a wet road: everything upside down

    def grid(self) -> tuple[FloatArray, FloatArray]:
        """Return the slopes (X/Z, (Y - eye)/Z) of the sample rays, per column and per row."""
        xs = (np.arange(round(self.width * self.rate), dtype=np.float64) + 0.5) / self.rate
        ys = (np.arange(round(self.height * self.rate), dtype=np.float64) + 0.5) / self.rate
        right = (xs - self.cx) / self.focal
        up = (self.cy - ys) / self.focal
        return right.astype(np.float32), up.astype(np.float32)

    def footprint(self) -> float:
        """Return the metres that one sample covers at one metre's distance."""
        return 1.0 / (self.focal * self.rate)


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """The patches of a scene as arrays, one row per patch."""

    patches: tuple[Patch, ...]
    corners_P43: npt.NDArray[np.float64]
    plane_P3: npt.NDArray[np.float64]  # 1/Z = plane . ray
    u_P3: npt.NDArray[np.float64]  # u/Z = u . ray
    v_P3: npt.NDArray[np.float64]
    material_P: IntArray
    label_P: IntArray
    normal_P3: FloatArray
    colour_P3: FloatArray
    second_P3: FloatArray
    extra_P8: FloatArray
    seed_P: IntArray
    edges: list[Outline]
    bounds_P4: npt.NDArray[np.float64]
    order: npt.NDArray[np.intp]  # near patches first: most hidden samples are rejected early


def tabulate(patches: Sequence[Patch], eye: float, mirror: bool = False) -> Table:
    """Move patches into the camera's frame and solve for their planes."""
    corners = np.array([p.corners for p in patches], np.float64)
    if mirror:
        corners[..., 1] *= -1
    corners[..., 1] -= eye
    uv = np.array([p.uv for p in patches], np.float64)
    basis = corners[:, :3]
    scale = np.prod(np.linalg.norm(basis, axis=2), axis=1)
    good = np.abs(np.linalg.det(basis)) > 1e-7 * scale
    basis = np.where(good[:, None, None], basis, np.eye(3))
    targets = np.concatenate([np.ones((len(patches), 3, 1)), uv[:, :3]], axis=2)
    planes = np.linalg.solve(basis, targets)
    edges, bounds = _outlines(corners, good)
    extra = np.zeros((len(patches), 8), np.float32)
    for row, patch in zip(extra, patches, strict=True):
        row[: len(patch.extra)] = patch.extra
    return Table(
        patches=tuple(patches),
        corners_P43=corners,
        plane_P3=planes[:, :, 0],
        u_P3=planes[:, :, 1],
        v_P3=planes[:, :, 2],
        material_P=np.array([p.material for p in patches], np.int32),
        label_P=np.array([p.label for p in patches], np.int32),
        normal_P3=np.array([p.normal for p in patches], np.float32),
        colour_P3=np.array([p.colour for p in patches], np.float32),
        second_P3=np.array([p.second for p in patches], np.float32),
        extra_P8=extra,
        seed_P=np.array([p.seed for p in patches], np.int32),
        edges=edges,
        bounds_P4=bounds,
        order=np.argsort(corners[:, :, 2].min(axis=1), kind="stable"),
    )


def rasterise(
    table: Table, view: View, *, solid: bool = False, rows: slice | None = None
) -> tuple[FloatArray, IntArray]:
    """Return inverse depth [h,w] (0 where nothing stands) and patch number (-1) for the view's samples.

    `solid` draws patches with `solid_label` whole; `rows` restricts the work to a band of sample rows.
    """
    right, up = view.grid()
    up = up[rows] if rows is not None else up
    inverse = np.zeros((up.size, right.size), np.float32)
    number = np.full((up.size, right.size), -1, np.int32)
    x0, x1 = np.searchsorted(right, table.bounds_P4[:, 0]), np.searchsorted(right, table.bounds_P4[:, 2])
    y0, y1 = np.searchsorted(-up, -table.bounds_P4[:, 3]), np.searchsorted(-up, -table.bounds_P4[:, 1])
    for index in table.order[((x0 < x1) & (y0 < y1))[table.order]]:
        window = slice(y0[index], y1[index]), slice(x0[index], x1[index])
        _draw(table, index, window, right, up, view, solid, inverse, number)
    return inverse, number


def _outlines(corners_P43: npt.NDArray[np.float64], good_P: BoolArray) -> tuple[list[Outline], npt.NDArray[np.float64]]:
    """Return each patch's edges that its bounds do not imply, and its bounds (x low, y low, x high, y high)."""
    bounds = np.zeros((len(corners_P43), 4))
    edges: list[Outline] = []
    for index, corners in enumerate(corners_P43):
        outline = _project(corners) if good_P[index] else None
        edges.append(() if outline is None else _edges(outline))
        if outline is not None:
            bounds[index] = (*outline.min(axis=0), *outline.max(axis=0))
    return edges, bounds


def _edges(outline: npt.NDArray[np.float64]) -> Outline:
    """Return the slanted edges of a counter-clockwise outline as a x + b y + c >= 0 inside."""
    found = []
    points = outline.tolist()
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        if abs(ax - bx) > 1e-9 and abs(ay - by) > 1e-9:
            found.append((ay - by, bx - ax, (by - ay) * ax - (bx - ax) * ay))
    return tuple(found)


def _project(corners_43: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Clip a quadrilateral at the near plane and return its outline in ray slopes, counter-clockwise."""
    depth = corners_43[:, 2]
    if depth.min() < NEAR:
        corners_43 = _clip(corners_43)
        if len(corners_43) < 3:
            return None
    outline = corners_43[:, :2] / corners_43[:, 2:]
    x, y = outline[:, 0], outline[:, 1]
    area = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    if abs(area) < 1e-12:
        return None
    return outline if area > 0 else outline[::-1]


def _clip(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cut off the part of a polygon in front of the near plane."""
    kept = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if a[2] >= NEAR:
            kept.append(a)
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            kept.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
    return np.array(kept)


def _draw(
    table: Table,
    index: int,
    window: tuple[slice, slice],
    right: FloatArray,
    up: FloatArray,
    view: View,
    solid: bool,
    inverse: FloatArray,
    number: IntArray,
) -> None:
    """Write one patch where it is the nearest so far."""
    x, y = right[None, window[1]], up[window[0], None]
    depth = _affine(table.plane_P3[index], x, y)
    keep = depth > inverse[window]
    for edge in table.edges[index]:
        keep &= _affine(edge, x, y) >= 0
    patch = table.patches[index]
    if patch.cut is not None and not (solid and patch.solid_label):
        keep = _apply_cut(patch.cut, table, index, keep, depth, x, y, view)
    np.copyto(inverse[window], depth, where=keep)
    np.copyto(number[window], np.int32(index), where=keep)


def _apply_cut(
    cut: Cut, table: Table, index: int, keep: BoolArray, depth: FloatArray, x: FloatArray, y: FloatArray, view: View
) -> BoolArray:
    """Keep the samples that the patch's own outline keeps."""
    rows, columns = np.nonzero(keep)
    if rows.size == 0:
        return keep
    distance = 1 / depth[rows, columns]
    px, py = x[0, columns], y[rows, 0]
    u = _affine(table.u_P3[index], px, py) * distance
    v = _affine(table.v_P3[index], px, py) * distance
    inside = cut(u, v, distance * view.footprint())
    result = np.zeros_like(keep)
    result[rows[inside], columns[inside]] = True
    return result


def _affine(
    coefficients: npt.NDArray[np.float64] | tuple[float, float, float], x: FloatArray, y: FloatArray
) -> FloatArray:
    a, b, c = (np.float32(value) for value in coefficients)
    return (a * x) + (b * y + c)
