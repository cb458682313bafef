"""What a material sees of its samples, and what it answers: colour, glow and facing.

Arrays are planes over samples: [N] or [3, N], linear light, metres.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from stylize.scenes.conditions import Condition
from stylize.scenes.layout import Scene
from stylize.scenes.noise import FloatArray, IntArray, clamp

RGB = tuple[float, float, float]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Visible samples of one material."""

    scene: Scene
    condition: Condition
    x: FloatArray  # world
    y: FloatArray
    z: FloatArray
    u: FloatArray  # patch
    v: FloatArray
    foot: FloatArray  # metres per sample
    patch: IntArray  # row in the tables below
    normal_P3: FloatArray
    colour_P3: FloatArray
    second_P3: FloatArray
    extra_P8: FloatArray
    seed_P: IntArray

    def extra(self, index: int) -> FloatArray:
        result: FloatArray = self.extra_P8[:, index][self.patch]
        return result

    def colour(self) -> FloatArray:
        return planes(self.colour_P3, self.patch)

    def second(self) -> FloatArray:
        return planes(self.second_P3, self.patch)

    def normal(self) -> FloatArray:
        return planes(self.normal_P3, self.patch)

    def offset(self, period: int) -> FloatArray:
        """Return a shift per patch, so that equal textures do not repeat on neighbours."""
        return (self.seed_P[self.patch] % period).astype(np.float32)

    def seed(self) -> IntArray:
        result: IntArray = self.seed_P[self.patch]
        return result


@dataclasses.dataclass(kw_only=True, eq=False)
class Surface:
    """A material's answer for its samples."""

    albedo: FloatArray  # [3, N]
    normal: FloatArray  # [3, N]
    glow: FloatArray | None = None  # [3, N] light it gives off or mirrors, independent of the light falling on it
    snow: FloatArray | None = None  # [N] how readily snow stays, 0..1; from the normal when absent
    open: FloatArray | None = None  # [N] share of the sky that it sees, 0..1


def planes(rows: FloatArray, index: IntArray) -> FloatArray:
    """Gather table rows [P, 3] into planes [3, N]."""
    return np.stack([rows[:, axis][index] for axis in range(3)])


def tint(colour: RGB) -> FloatArray:
    """Make a colour ready for broadcasting over samples."""
    return np.array(colour, np.float32)[:, None]


def blend(base: FloatArray, over: FloatArray, share: FloatArray) -> FloatArray:
    """Cover `base` with `over` by `share` [N]."""
    return base + (over - base) * share


def coverage(distance: FloatArray, foot: FloatArray) -> FloatArray:
    """Turn a signed distance in metres (positive inside) into the covered share of a sample."""
    return clamp(distance / foot + 0.5, 0, 1)


def full(like: FloatArray, colour: RGB) -> FloatArray:
    """Spread a colour over as many samples as `like` [3, N] has, without copying."""
    return np.broadcast_to(tint(colour), like.shape)
