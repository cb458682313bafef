"""The streets of the demo: labelled ones by day, others in weather without labels, and what only rendering can show."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.events import Event, RunStarted, UnitDone
from pipelines.flow import prefetch
from pipelines.units import Outcome
from stylize.images import encode
from stylize.png import write_png
from stylize.scenes import CONDITIONS, Condition, Scene, labels, render
from stylize.scenes.dataset import classes_json
from stylize.storage import Storage

DATA = "data"
DAY, WEATHER, TARGETS, TEST, TRUTH = (f"{DATA}/{name}" for name in ("day", "weather", "targets", "test", "truth"))
KINDS = tuple(name for name in CONDITIONS if name != "day")
TRAIN, VAL, TEST_SPLIT = "train", "val", "test"
PER_CONDITION = 2  # exemplars, and frames of a target
MOST_SCENES = 240


class Numbers(NamedTuple):
    """A range of scenes that one purpose has for itself."""

    first: int
    length: int

    def take(self, count: int, seed: int) -> tuple[int, ...]:
        """Return `count` neighbours, others for another seed as long as there are any."""
        start = self.first + seed * count % (self.length - count + 1)
        return tuple(range(start, start + count))


# The bundled model was trained on scenes from 1000 on: all streets of the demo lie below, each purpose apart.
RANGES = {
    TRAIN: Numbers(100, 300),
    VAL: Numbers(400, 100),
    WEATHER: Numbers(500, 200),
    TARGETS: Numbers(700, 100),
    TEST: Numbers(800, 200),
}


@dataclass(frozen=True, kw_only=True)
class Exemplar:
    """A street in some weather: the number of the scene is that of its light too."""

    condition: str
    scene: int

    @property
    def source(self) -> str:
        """Its file, relative to the folder of exemplars."""
        return f"{self.condition}/{picture_name(self.scene, self.condition)}"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture to render: a street in the weather of a condition, whose variation `light` numbers."""

    path: str
    scene: int
    condition: str
    light: int
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Which streets take part: numbers of scenes, and weather with its streets.

    `contents` and `validation` are labelled streets by day; `exemplars` and `targets` are unlabelled streets in
    weather, to learn styles from and to know a target by; `tests` are labelled streets, each in every weather.
    """

    contents: tuple[int, ...]
    validation: tuple[int, ...]
    exemplars: tuple[Exemplar, ...]
    targets: tuple[Exemplar, ...]
    tests: tuple[int, ...]

    @classmethod
    def choose(cls, seed: int, scenes: int) -> Cast:
        """Return `scenes` contents and as many of the others as go with them; another seed gives other streets."""
        return cls(
            contents=RANGES[TRAIN].take(scenes, seed),
            validation=RANGES[VAL].take(max(2, scenes // 4), seed),
            exemplars=_in_weather(WEATHER, seed),
            targets=_in_weather(TARGETS, seed),
            tests=RANGES[TEST].take(max(2, scenes // 5), seed),
        )

    def pictures(self) -> Iterator[Picture]:
        """Yield everything that the demo begins with."""
        for folder, streets in ((WEATHER, self.exemplars), (TARGETS, self.targets)):
            for one in streets:
                yield Picture(path=f"{folder}/{one.source}", scene=one.scene, condition=one.condition, light=one.scene)
        for split, scenes in ((TRAIN, self.contents), (VAL, self.validation)):
            yield from (_labelled(DAY, split, scene, "day") for scene in scenes)
        for condition in KINDS:
            yield from (_labelled(f"{TEST}/{condition}", TEST_SPLIT, scene, condition) for scene in self.tests)

    def commands(self, height: int, width: int) -> list[str]:
        """Return what a user would type to get these streets, for weather by the example of the first."""
        size, kind = f"--size {height}x{width}", KINDS[1]
        weather = [
            (folder, next(one.scene for one in streets if one.condition == kind))
            for folder, streets in ((WEATHER, self.exemplars), (TARGETS, self.targets))
        ]
        tests = f"--count {len(self.tests)} --seed {self.tests[0]}"
        return [
            f"stylize scenes {DAY} --count {len(self.contents)} --seed {self.contents[0]} {size}",
            f"stylize scenes {DAY} --split {VAL} --count {len(self.validation)} --seed {self.validation[0]} {size}",
            f"# and so for {', '.join(one for one in KINDS if one != kind)}",
            *(
                f"stylize scenes {folder}/{kind} --condition {kind} --no-labels --count {PER_CONDITION} --seed {scene} "
                f"{size}"
                for folder, scene in weather
            ),
            f"stylize scenes {TEST}/{kind} --condition {kind} --split {TEST_SPLIT} {tests} {size}",
        ]


def picture_name(scene: int, condition: str) -> str:
    """Return the file name of a street in a condition, as `stylize scenes` gives it."""
    return f"scene{scene:05d}_{condition}.png"


def content_source(scene: int, split: str = TRAIN) -> str:
    """Return the file of a picture by day, relative to its dataset."""
    return f"{split}/{picture_name(scene, 'day')}"


def label_of(picture: str) -> str:
    """Return the label file of a picture in CamVid layout."""
    folder, _, name = picture.rpartition("/")
    return f"{folder}annot/{name}"


def true_picture(scene: int, exemplar: Exemplar) -> Picture:
    """Return a street by day as it truly looks in the very weather of an exemplar."""
    path = f"{TRUTH}/scene{scene:05d}_{exemplar.condition}{exemplar.scene:05d}.png"
    return Picture(path=path, scene=scene, condition=exemplar.condition, light=exemplar.scene)


def render_missing(
    storage: Storage, wanted: Iterable[Picture], height: int, width: int, on_event: Callable[[Event], None]
) -> int:
    """Render the pictures that are not there yet, on one thread per core; return how many that were."""
    wanted = list(wanted)
    there = set(storage.list(DATA))
    todo = [p for p in wanted if p.path not in there or (p.label and p.label not in there)]
    for root in sorted({_root(picture) for picture in wanted if picture.label}):
        if f"{root}/classes.json" not in there:
            storage.write(f"{root}/classes.json", classes_json())
    done = len(wanted) - len(todo)
    on_event(RunStarted(kind="render", units=len(wanted), done=done, todo=len(todo), inputs=len(wanted)))
    threads = os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads, "render")
    try:
        written = prefetch(pool, lambda picture: _render(storage, picture, height, width), todo, ahead=2 * threads)
        for number, size in enumerate(written):
            on_event(UnitDone(outcome=Outcome(unit=number, rows=1, bytes=size)))
    finally:
        pool.shutdown(cancel_futures=True)
    return len(todo)


def _in_weather(purpose: str, seed: int) -> tuple[Exemplar, ...]:
    numbers = iter(RANGES[purpose].take(len(KINDS) * PER_CONDITION, seed))
    return tuple(Exemplar(condition=name, scene=next(numbers)) for name in KINDS for _ in range(PER_CONDITION))


def _labelled(root: str, split: str, scene: int, condition: str) -> Picture:
    path = f"{root}/{split}/{picture_name(scene, condition)}"
    return Picture(path=path, scene=scene, condition=condition, light=scene, label=label_of(path))


def _root(picture: Picture) -> str:
    return picture.path.rsplit("/", 2)[0]


def _render(storage: Storage, picture: Picture, height: int, width: int) -> int:
    scene = Scene.sample(picture.scene)
    if picture.label:  # before its picture, whose presence says that both are there
        storage.write(picture.label, write_png(labels(scene, height, width)))
    data = encode(render(scene, Condition.sample(picture.condition, picture.light), height, width), "png")
    storage.write(picture.path, data)
    return len(data)
