"""Streets drawn from seeds: repeatable, varied, and free of absurdities."""

from __future__ import annotations

import dataclasses

from stylize.scenes import Scene
from stylize.scenes.build import build

SCENES = [Scene.sample(seed) for seed in range(40)]


def test_same_seed_same_scene() -> None:
    assert Scene.sample(7) == SCENES[7]
    assert len(set(SCENES)) == len(SCENES)


def test_fields_are_plain_numbers() -> None:
    for value in dataclasses.asdict(SCENES[0]).values():
        assert isinstance(value, int | float | bool | tuple)
    assert "np." not in repr(SCENES)


def test_scenes_vary() -> None:
    assert {scene.lanes for scene in SCENES} == {2, 4}
    assert {scene.paint for scene in SCENES} == {0, 1, 2, 3}
    assert any(scene.curvature for scene in SCENES)
    assert any(scene.crossing for scene in SCENES)
    assert any(not scene.openings for scene in SCENES)
    kinds = {car.kind for scene in SCENES for car in scene.cars}
    assert kinds == {"hatch", "sedan", "suv", "van", "bus"}


def test_vehicles_in_one_lane_do_not_overlap() -> None:
    longest = {"hatch": 3.9, "sedan": 4.52, "suv": 4.5, "van": 5.0, "bus": 10.5}
    for scene in SCENES:
        for i, first in enumerate(scene.cars):
            for second in scene.cars[i + 1 :]:
                if abs(first.u - second.u) < 1.2:
                    room = (longest[first.kind] + longest[second.kind]) / 2
                    assert abs(first.z - second.z) > room, (scene.seed, first, second)


def test_nothing_is_built_in_a_side_street() -> None:
    for scene in SCENES:
        for side, start, end in scene.openings:
            for b in scene.buildings:
                assert b.side != side or b.start + b.length <= start + 1e-6 or b.start >= end - 1e-6


def test_every_patch_is_planar() -> None:
    import numpy as np

    for scene in SCENES[:8]:
        for patch in build(scene):
            corners = np.array(patch.corners)
            volume = np.linalg.det(corners[1:] - corners[0])
            size = np.linalg.norm(corners[2] - corners[0])
            assert abs(volume) < 1e-3 * size**3, patch
