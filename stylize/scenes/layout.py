"""What stands where: a `Scene` is plain numbers in metres, without light or weather.

The camera stands at X = 0, Z = 0; X points right, Y up, Z forward. `u` is the distance from the road's centre line.
"""

from __future__ import annotations

import dataclasses

RGB = tuple[float, float, float]  # linear


@dataclasses.dataclass(frozen=True, kw_only=True)
class Building:
    """A box along the street from `start` to `start + length`; `side` is -1 left, 1 right."""

    side: int
    start: float
    length: float
    height: float
    depth: float
    setback: float
    rise: float  # height of the gable above the eaves, 0 for a flat roof
    style: int  # 0 brick, 1 plaster, 2 stone courses, 3 glass and concrete
    floor: float  # height of a storey
    pitch: float  # distance of windows
    window: tuple[float, float]  # share of pitch and of storey
    shop: bool
    wall: RGB
    trim: RGB
    roof: RGB
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tree:
    """A trunk and a crown from the library."""

    u: float
    z: float
    height: float
    width: float
    stem: float  # height of the free trunk
    variant: int  # which crown of the library, mirrored when odd seed
    colour: RGB
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Car:
    """A vehicle on the road or at its side."""

    u: float
    z: float
    heading: int  # 1 away from the camera, -1 towards it
    kind: str  # hatch, sedan, suv, van, bus
    colour: RGB
    parked: bool
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """A person on foot or on a bicycle."""

    u: float
    z: float
    height: float
    kind: str  # front, side, bike, bike_side
    mirror: int
    top: RGB
    legs: RGB
    skin: RGB
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pole:
    """A post, perhaps with a sign or a traffic light."""

    u: float
    z: float
    height: float
    kind: str  # lamp, sign, light, post
    face: int  # which sign
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fence:
    """A stretch of fence along the road."""

    side: int
    u: float
    start: float
    length: float
    height: float
    kind: int  # 0 railing, 1 boards, 2 wall with railing
    colour: RGB


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """A street with everything on it; the same at every picture size and in every condition."""

    seed: int
    eye: float  # camera height
    focal: float  # relative to sqrt(height * width * 4/3)
    horizon: float  # share of the height above the horizon
    shift: float  # vanishing point, share of the width right of the middle
    centre: float  # lateral position of the road's centre line at the camera
    curvature: float  # 1/m
    half: float  # half the carriageway
    pavement: float  # width of each pavement
    lanes: int
    paint: int  # 0 white dashes, 1 double yellow centre, 2 edge lines, 3 cycle lane
    crossing: float  # distance of a zebra crossing, 0 for none
    openings: tuple[tuple[int, float, float], ...]  # side streets: side, from, to
    asphalt: float
    slab: RGB
    grass: bool  # behind the pavement
    lamp_spacing: float
    lamp_height: float
    lamp_start: float
    backdrop: int
    buildings: tuple[Building, ...]
    trees: tuple[Tree, ...]
    cars: tuple[Car, ...]
    figures: tuple[Figure, ...]
    poles: tuple[Pole, ...]
    fences: tuple[Fence, ...]

    @staticmethod
    def sample(seed: int) -> Scene:
        """Draw a street: dense town, suburb or avenue."""
        from stylize.scenes.sampling import sample  # which needs these classes

        return sample(seed)
