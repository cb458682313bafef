"""Pictures, labels and depth of scenes: the same street at every size and in every condition."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from stylize.scenes import CLASSES, CONDITIONS, Condition, Scene, depth, labels, render
from stylize.scenes.kinds import BUILDING, CAR, PAVEMENT, ROAD, SKY

Pixels = npt.NDArray[np.uint8]


def brightness(rgb: Pixels) -> npt.NDArray[np.float64]:
    return rgb.astype(np.float64).mean(axis=2)


@pytest.fixture(scope="module", params=[1, 5])
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene.sample(request.param)


def test_same_seed_gives_the_same_picture() -> None:
    first = render(Scene.sample(4), Condition.sample("rain", 2), 60, 80)
    again = render(Scene.sample(4), Condition.sample("rain", 2), 60, 80)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, render(Scene.sample(5), Condition.sample("rain", 2), 60, 80))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (37, 1), (33, 59), (50, 210), (130, 31)])
def test_any_size_works(height: int, width: int) -> None:
    scene = Scene.sample(3)
    for name in ("day", "rain", "snow"):
        assert render(scene, Condition.sample(name, 0), height, width).shape == (height, width, 3)
    assert labels(scene, height, width).shape == (height, width)
    assert depth(scene, height, width).shape == (height, width)


def test_no_pixels_is_an_error() -> None:
    with pytest.raises(ValueError, match="0x5"):
        labels(Scene.sample(0), 0, 5)


def test_labels_agree_at_twice_the_size() -> None:
    shares = []
    for seed in range(6):
        scene = Scene.sample(seed)
        small, large = labels(scene, 192, 256), labels(scene, 384, 512)
        same = [np.mean(large[row::2, column::2] == small) for row in (0, 1) for column in (0, 1)]
        shares.append(np.mean(same))
    assert min(shares) > 0.97


def test_every_class_occurs() -> None:
    seen: set[int] = set()
    for seed in range(12):
        seen |= set(np.unique(labels(Scene.sample(seed), 60, 80)).tolist())
    assert seen == set(range(len(CLASSES)))


def test_labels_follow_the_picture(scene: Scene) -> None:
    """Repaint all cars white: no pixel far from a car's label changes, and the cars do."""
    truth = labels(scene, 96, 128)
    repainted = dataclasses.replace(
        scene, cars=tuple(dataclasses.replace(car, colour=(0.9, 0.9, 0.9)) for car in scene.cars)
    )
    condition = dataclasses.replace(Condition(), grain=0.0)
    before, after = render(scene, condition, 96, 128), render(repainted, condition, 96, 128)
    changed = (before != after).any(axis=2)
    inner = truth == CAR
    near = inner.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            near |= np.roll(inner, step, axis)
    assert changed.any()
    assert not (changed & ~near).any()


def test_sky_is_where_depth_is_infinite(scene: Scene) -> None:
    truth, distance = labels(scene, 96, 128), depth(scene, 96, 128)
    assert np.array_equal(truth == SKY, np.isinf(distance))
    assert distance.min() > 0.3


def test_road_depth_is_that_of_a_level_plane(scene: Scene) -> None:
    height, width = 96, 128
    truth, distance = labels(scene, height, width), depth(scene, height, width)
    focal = scene.focal * np.sqrt(height * width * 4 / 3)
    slope = (np.arange(height) + 0.5 - scene.horizon * height) / focal
    rows, columns = np.nonzero(truth == ROAD)
    assert np.allclose(distance[rows, columns], scene.eye / slope[rows], rtol=1e-4)


def test_fog_hides_what_is_far(scene: Scene) -> None:
    """Contrast against day falls as the transmittance says: exp(-density z)."""
    condition = dataclasses.replace(Condition.sample("day", 0), grain=0.0)
    thick = dataclasses.replace(condition, fog_density=0.05)
    clear = dataclasses.replace(condition, fog_density=0.0)
    distance, truth = depth(scene, 96, 128), labels(scene, 96, 128)
    contrast = []
    for low, high in ((5, 12), (20, 40), (60, 150)):
        here = (distance > low) & (distance < high) & (truth != SKY)
        contrast.append([brightness(render(scene, c, 96, 128))[here].std() for c in (clear, thick)])
    ratios = [foggy / free for free, foggy in contrast]
    assert ratios[0] > 1.3 * ratios[1] > 1.3 * ratios[2]
    assert ratios[2] < 0.25


def test_night_is_dark_and_lit_by_lamps(scene: Scene) -> None:
    day, night = (brightness(render(scene, Condition.sample(name, 0), 96, 128)) for name in ("day", "night"))
    assert night.mean() < 0.5 * day.mean()
    unlit = dataclasses.replace(Condition.sample("night", 0), lamps=0.0, headlights=0.0, windows=0.0)
    assert brightness(render(scene, unlit, 96, 128)).mean() < 0.6 * night.mean()


def test_snow_lies_on_the_pavement_and_not_on_walls(scene: Scene) -> None:
    truth = labels(scene, 96, 128)
    bare = dataclasses.replace(Condition.sample("snow", 0), snow=0.0, flakes=0.0)
    covered = dataclasses.replace(bare, snow=1.0)
    gain = brightness(render(scene, covered, 96, 128)) - brightness(render(scene, bare, 96, 128))
    assert gain[truth == PAVEMENT].mean() > 25
    assert abs(gain[truth == BUILDING].mean()) < 12


def test_a_wet_road_mirrors_lights() -> None:
    """A red tail light shows below itself on a wet road only."""
    scene = Scene.sample(4)
    wet = dataclasses.replace(Condition.sample("rain", 0), rain=0.0, grain=0.0, headlights=1.0)
    road = labels(scene, 96, 128) == ROAD

    def redness(condition: Condition) -> float:
        rgb = render(scene, condition, 96, 128).astype(float)
        return float(np.percentile((rgb[..., 0] - rgb[..., 1])[road], 99.5))

    assert redness(wet) > redness(dataclasses.replace(wet, wetness=0.0)) + 15


def test_streaks_and_flakes_are_in_the_air(scene: Scene) -> None:
    for name, field in (("rain", "rain"), ("snow", "flakes")):
        with_them = Condition.sample(name, 0)
        without = dataclasses.replace(with_them, **{field: 0.0})
        changed = (render(scene, with_them, 96, 128) != render(scene, without, 96, 128)).any(axis=2).mean()
        assert 0.01 < changed < 0.9


def test_conditions_differ_from_each_other(scene: Scene) -> None:
    pictures = {name: render(scene, Condition.sample(name, 0), 48, 64).astype(float) for name in CONDITIONS}
    for first in CONDITIONS:
        for second in CONDITIONS:
            if first != second:
                assert np.abs(pictures[first] - pictures[second]).mean() > 8, (first, second)


def test_bands_do_not_show(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendering in narrow bands changes at most the rounding."""
    import importlib

    module = importlib.import_module("stylize.scenes.render")
    condition = Condition.sample("rain", 0)
    whole = render(scene, condition, 96, 128).astype(int)
    monkeypatch.setattr(module, "BAND", 5000)
    assert np.abs(render(scene, condition, 96, 128).astype(int) - whole).max() <= 1
