"""The pictures of the demo: labelled streets by day, other streets in weather, and the truth for every pair of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipelines.events import Event, RunStarted, UnitDone
from pipelines.flow import prefetch
from pipelines.units import Outcome
from stylize.images import encode
from stylize.png import write_png
from stylize.scenes import CONDITIONS, Condition, Scene, labels, render
from stylize.scenes.dataset import classes_json
from stylize.storage import Storage

DAY, WEATHER, TRUTH = "data/day", "data/weather", "data/truth"
KINDS = tuple(name for name in CONDITIONS if name != "day")
# The bundled model was trained on scenes 1000-1999: all scenes of the demo lie below, contents and exemplars apart.
FIRST_CONTENT, FIRST_EXEMPLAR, RANGE = 100, 500, 400
PER_CONDITION = 2


@dataclass(frozen=True, kw_only=True)
class Exemplar:
    """A street in some weather: the number of the scene is that of its light too."""

    condition: str
    scene: int

    @property
    def source(self) -> str:
        """Its file, relative to the folder of exemplars."""
        return f"{self.condition}/scene{self.scene:05d}_{self.condition}.png"


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
    """Which streets take part."""

    contents: tuple[int, ...]
    exemplars: tuple[Exemplar, ...]

    @classmethod
    def choose(cls, seed: int, scenes: int) -> Cast:
        """Return `scenes` contents and two exemplars per condition; another seed gives other streets."""
        numbers = iter(range(seed * len(KINDS) * PER_CONDITION, (seed + 1) * len(KINDS) * PER_CONDITION))
        return cls(
            contents=tuple(FIRST_CONTENT + (seed * scenes + number) % RANGE for number in range(scenes)),
            exemplars=tuple(
                Exemplar(condition=name, scene=FIRST_EXEMPLAR + next(numbers) % RANGE)
                for name in KINDS
                for _ in range(PER_CONDITION)
            ),
        )

    def pictures(self) -> Iterator[Picture]:
        """Yield everything to render, street by street."""
        for exemplar in self.exemplars:
            path = f"{WEATHER}/{exemplar.source}"
            yield Picture(path=path, scene=exemplar.scene, condition=exemplar.condition, light=exemplar.scene)
        for scene in self.contents:
            source = content_source(scene)
            label = f"{DAY}/{source.replace('train/', 'trainannot/')}"
            yield Picture(path=f"{DAY}/{source}", scene=scene, condition="day", light=scene, label=label)
            for exemplar in self.exemplars:
                path = truth_path(scene, exemplar)
                yield Picture(path=path, scene=scene, condition=exemplar.condition, light=exemplar.scene)


def content_source(scene: int) -> str:
    """Return the file of a content picture, relative to its dataset."""
    return f"train/scene{scene:05d}_day.png"


def truth_path(scene: int, exemplar: Exemplar) -> str:
    """Return where a content lies as it truly looks in the very weather of an exemplar."""
    return f"{TRUTH}/scene{scene:05d}_{exemplar.condition}{exemplar.scene:05d}.png"


def render_missing(storage: Storage, cast: Cast, height: int, width: int, on_event: Callable[[Event], None]) -> int:
    """Render the pictures that are not there yet, on one thread per core; return how many that were."""
    wanted = list(cast.pictures())
    there = set(storage.list("data"))
    if f"{DAY}/classes.json" not in there:
        storage.write(f"{DAY}/classes.json", classes_json())
    todo = [p for p in wanted if p.path not in there or (p.label and p.label not in there)]
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


def _render(storage: Storage, picture: Picture, height: int, width: int) -> int:
    scene = Scene.sample(picture.scene)
    if picture.label:  # before its picture, whose presence says that both are there
        storage.write(picture.label, write_png(labels(scene, height, width)))
    data = encode(render(scene, Condition.sample(picture.condition, picture.light), height, width), "png")
    storage.write(picture.path, data)
    return len(data)
