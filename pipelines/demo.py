"""The command `demo`: the whole story on rendered streets and the bundled weights, from nothing to a report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipelines import demoreport, demotruth
from pipelines.demoreport import UNIT
from pipelines.demoscenes import DAY, RANGE, WEATHER, Cast, render_missing
from pipelines.demotruth import FIGURES, STYLIZED, Pair
from pipelines.events import Event, Note, StageStarted, ignore
from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.summary import Summary
from pipelines.verify import verify
from stylize.datasets.base import open_dataset
from stylize.datasets.doctor import diagnose
from stylize.errors import ConfigurationError, FatalError
from stylize.models.bundle import model_sha256
from stylize.spelling import count
from stylize.storage import Storage
from stylize.truth import Comparison, Verdict, by_condition, judge

DEMO = "demo.json"
REPORT = "report.html"
CACHE, STYLES = "cache/day", "cache/weather"
FOLDERS = ("data", "cache", STYLIZED)
SMALLEST_SIDE = 16
STAGES = 7


@dataclass(frozen=True, kw_only=True)
class DemoSummary:
    """What the demo came to: `contents` labelled pictures became `pictures`, each as in one of `exemplars`.

    `verdict` and `conditions` say how near they are to their true renders. `seconds` are the wall time by stage, the
    longest of all sessions (a later one finds most work done); `elapsed` is the wall time of this session.
    """

    url: str
    report: str
    contents: int
    exemplars: int
    pictures: int
    psnr: float
    verdict: Verdict
    conditions: Mapping[str, Verdict]
    seconds: Mapping[str, float]
    elapsed: float


def demo(
    out: str | os.PathLike[str] = "demo",
    *,
    seed: int = 0,
    scenes: int = 8,
    height: int = 384,
    width: int = 512,
    model: str = "streets",
    overwrite: bool = False,
    on_event: Callable[[Event], None] = ignore,
) -> DemoSummary:
    """Render labelled streets, stylize them with streets in other weather, measure the result and write a report.

    Contents are `scenes` streets by day with labels, exemplars ten other streets at dusk, at night, in fog, rain and
    snow. Every content takes the style of every exemplar, and is compared with its true render in that very weather. A
    second call goes on where the first was interrupted, and answers at once when everything is there.

    Args:
        out: folder or URL that is empty or holds an earlier demo.
        seed: which streets, below scene number 1000; the bundled model has seen none of them.
        scenes: labelled streets by day, at most 400.
        height, width: of the pictures, in pixels.
        model: a bundle's path, URL or bundled name.
        overwrite: remove an earlier demo first.

    Raises:
        ConfigurationError: `out` holds something else, or a demo of other settings.
        FatalError: going on makes no sense; what is finished stays.
    """
    start = time.monotonic()
    _check(seed=seed, scenes=scenes, height=height, width=width)
    storage = Storage(out)
    settings = {"seed": seed, "scenes": scenes, "height": height, "width": width, "weights": model_sha256(model)}
    _claim(storage, settings, overwrite=overwrite)
    show = _Demo(storage, Cast.choose(seed, scenes), settings, model, on_event)
    show.render()
    show.doctor()
    caches = show.invert()
    mixed = show.mix()
    show.verify()
    pairs, comparisons = show.measure()
    show.report(caches, mixed, pairs, comparisons)
    return DemoSummary(
        url=storage.url,
        report=storage.locate(REPORT),
        contents=scenes,
        exemplars=len(show.cast.exemplars),
        pictures=mixed.rows,
        psnr=caches[0].mean("psnr"),
        verdict=judge(comparisons.values()),
        conditions=by_condition(comparisons.values()),
        seconds=show.seconds,
        elapsed=time.monotonic() - start,
    )


class _Demo:
    """The stages in their order; each finds by itself what an earlier session has done."""

    def __init__(
        self,
        storage: Storage,
        cast: Cast,
        settings: Mapping[str, Any],
        model: str,
        on_event: Callable[[Event], None],
    ) -> None:
        self.storage = storage
        self.cast = cast
        self.settings = settings
        self.model = model
        self.seconds: dict[str, float] = demotruth.recorded(storage)["seconds"]
        self._tell = on_event
        self._begun = 0

    def render(self) -> None:
        """Render the streets, and the truth that stylized ones will be held against."""
        with self._stage("render", f"{len(self.cast.contents)} streets by day, {len(self.cast.exemplars)} in weather"):
            size = self.settings["height"], self.settings["width"]
            render_missing(self.storage, self.cast, *size, self._tell)

    def doctor(self) -> None:
        """Examine the labelled streets, as anybody should before a long run."""
        with self._stage("doctor", "what could be wrong with the labelled streets"):
            found = diagnose(open_dataset(self.storage.sub(DAY)))
            for problem in found.problems:
                self._tell(Note(text=f"{problem.severity}: {problem.count} {problem.message}: {problem.remedy}"))
            self._tell(
                Note(text=f"{found.images} pictures with labels, {'all well' if found.healthy else 'see above'}")
            )

    def invert(self) -> list[Summary]:
        """Invert contents and exemplars, each into a cache that is whole."""
        with self._stage("invert", "pictures into style codes and noise maps"):
            return [self._invert(DAY, CACHE), self._invert(WEATHER, STYLES)]

    def _invert(self, data: str, cache: str) -> Summary:
        summary = invert(
            self.storage.locate(data),
            self.storage.locate(cache),
            model=self.model,
            unit_size=UNIT,
            batch_size=UNIT,
            retry_failed=True,
            on_event=self._tell,
        )
        self._mend(cache)  # a damaged shard would stop the mix
        return summary

    def mix(self) -> Summary:
        """Write every content in the style of every exemplar."""
        with self._stage("mix", "every street in the style of every exemplar"):
            return mix(
                self.storage.locate(CACHE),
                self.storage.locate(STYLIZED),
                styles=self.storage.locate(STYLES),
                dataset=self.storage.locate(DAY),
                model=self.model,
                per_image=len(self.cast.exemplars),
                min_content_score=0,  # each is to meet every exemplar once, so there are no others to draw
                seed=self.settings["seed"],
                batch_size=UNIT,
                retry_failed=True,
                on_event=self._tell,
            )

    def verify(self) -> None:
        """Compare every byte with the records, and make again what somebody removed or changed."""
        with self._stage("verify", "every byte against the records"):
            self._mend(STYLIZED)

    def _mend(self, run: str) -> None:
        verdict = verify(self.storage.locate(run), repair=True, on_event=self._tell)
        mended = "" if verdict.repaired is None else f", {count(len(verdict.findings), 'problem')} mended"
        self._tell(Note(text=f"{run}: {count(verdict.files, 'file')} compared, all well{mended}"))

    def measure(self) -> tuple[list[Pair], dict[str, Comparison]]:
        """Hold every stylized picture against its true render."""
        with self._stage("measure", "every stylized picture against its true render"):
            pairs = demotruth.pairs(self.storage, self.cast)
            if not pairs:
                raise FatalError(f"nothing was stylized in {self.storage.url}: pass --overwrite to begin anew")
            return pairs, demotruth.measure(self.storage, pairs, self._tell)

    def report(
        self, caches: Sequence[Summary], mixed: Summary, pairs: Sequence[Pair], comparisons: Mapping[str, Comparison]
    ) -> None:
        """Write the story as a page, after what a later session need not measure again."""
        with self._stage("report", "the story as a page"):
            demotruth.remember(self.storage, comparisons, self.seconds)
            story = demoreport.Story(
                storage=self.storage,
                cast=self.cast,
                pairs=pairs,
                comparisons=comparisons,
                caches=caches,
                mixed=mixed,
                seconds=self.seconds,
                model=self.model,
                seed=self.settings["seed"],
            )
            self.storage.write(REPORT, demoreport.build(story))

    @contextmanager
    def _stage(self, name: str, text: str) -> Iterator[None]:
        self._begun += 1
        self._tell(StageStarted(number=self._begun, total=STAGES, text=f"{name}: {text}"))
        start = time.monotonic()
        yield
        self.seconds[name] = round(max(time.monotonic() - start, self.seconds.get(name, 0.0)), 2)


def _check(*, seed: int, scenes: int, height: int, width: int) -> None:
    if seed < 0:
        raise ConfigurationError(f"the seed must be 0 or more, not {seed}")
    if not 1 <= scenes <= RANGE:
        raise ConfigurationError(f"the number of scenes must be 1 to {RANGE}, not {scenes}")
    if min(height, width) < SMALLEST_SIDE:
        raise ConfigurationError(f"pictures must have at least {SMALLEST_SIDE} pixels a side, not {height}x{width}")


def _claim(storage: Storage, settings: Mapping[str, Any], *, overwrite: bool) -> None:
    """Make a folder this demo's own, or find that it already is."""
    found = storage.list()
    if DEMO not in found:
        if found:
            raise ConfigurationError(
                f"{storage.url} is not empty and holds no demo (first file: {found[0]}); name an empty or a new folder"
            )
        storage.write_json(DEMO, settings)
        return
    if overwrite:
        _erase(storage, found)
        storage.write_json(DEMO, settings)
        return
    known = storage.read_json(DEMO)
    differences = [
        f"{name} is {_short(known.get(name))} there and {_short(value)} here"
        for name, value in settings.items()
        if known.get(name) != value
    ]
    if differences:
        raise ConfigurationError(
            f"{storage.url} holds another demo ({'; '.join(differences)}); name another folder or pass --overwrite"
        )


def _erase(storage: Storage, found: Sequence[str]) -> None:
    """Remove what a demo wrote, its mark last; files of anybody else beside it stay."""
    own = tuple(f"{folder}/" for folder in FOLDERS)
    for path in found:
        if path.startswith(own) or path in (REPORT, FIGURES):
            storage.remove(path)
    storage.remove(DEMO)


def _short(value: Any) -> str:
    return str(value)[:12]
