"""The command `demo`: the whole story on rendered streets and the bundled weights, from nothing to a report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipelines import demonetworks, demoreport, demotruth
from pipelines.democlaim import REPORT, claim
from pipelines.democommands import CACHE, COPIES, PLOT, PROXY, RANKING, STAGES, STYLES, UNIT, Commands, wrapped
from pipelines.demonetworks import AFTER, ARMS, BEFORE, INTRA, PREDICTIONS, seen_height
from pipelines.demoscenes import DAY, KINDS, MOST_SCENES, TARGETS, TEST, TRAIN, VAL, WEATHER, Cast, render_missing
from pipelines.demotruth import STYLIZED, Pair
from pipelines.events import Event, Note, StageStarted, ignore
from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.proxy import proxy_build
from pipelines.proxyrank import proxy_rank
from pipelines.proxyresult import ProxyRanking
from pipelines.summary import Summary
from pipelines.verify import verify
from stylize.datasets.base import open_dataset
from stylize.datasets.doctor import diagnose
from stylize.errors import ConfigurationError, FatalError
from stylize.models.bundle import model_sha256
from stylize.spelling import count
from stylize.storage import Storage
from stylize.truth import Comparison, Verdict, by_condition, judge

SMALLEST_SIDE = 16


@dataclass(frozen=True, kw_only=True)
class DemoSummary:
    """What the demo came to: `contents` labelled pictures became `pictures` in the style of `exemplars`.

    `verdict` and `conditions` say how near copies are to their true renders. `ranking` has what the networks score on
    proxies, in truth and by day; `before` and `after` are two of them, mean IoU by condition. `seconds` are the wall
    time by stage, the longest of all sessions (a later one finds most work done), `processor` the time of all cores;
    `elapsed` is the wall time of this session.
    """

    url: str
    report: str
    contents: int
    exemplars: int
    pictures: int
    psnr: float
    verdict: Verdict
    conditions: Mapping[str, Verdict]
    ranking: ProxyRanking
    seconds: Mapping[str, float]
    processor: Mapping[str, float]
    elapsed: float

    @property
    def before(self) -> Mapping[str, float]:
        """Mean IoU by condition of the network that saw the streets by day alone."""
        return {name: ranked.score(BEFORE.name) for name, ranked in self.ranking.real.items()}

    @property
    def after(self) -> Mapping[str, float]:
        """The same of the network that saw stylized copies too."""
        return {name: ranked.score(AFTER.name) for name, ranked in self.ranking.real.items()}


def demo(
    out: str | os.PathLike[str] = "demo",
    *,
    seed: int = 0,
    scenes: int = 40,
    height: int = 288,
    width: int = 384,
    steps: int = 240,
    model: str = "streets",
    overwrite: bool = False,
    on_event: Callable[[Event], None] = ignore,
) -> DemoSummary:
    """Stylize rendered streets, train networks with and without the copies, measure both, and write a report.

    `scenes` labelled streets by day take the style of one another and of ten other streets at dusk, at night, in fog,
    rain and snow. Some results are held against their true render in that very weather. Small networks are trained
    and tested on labelled streets in weather that no training label showed, and ranked without these labels by proxy
    sets. A second call goes on where the first was interrupted, and finds everything that is there.

    Args:
        out: folder or URL that is empty or holds an earlier demo.
        seed: which streets, below scene number 1000; the bundled model has seen none of them.
        scenes: labelled streets by day to train on, at most 240; others go with them for validation and tests.
        height, width: of the pictures, in pixels.
        steps: of training each network.
        model: a bundle's path, URL or bundled name.
        overwrite: remove an earlier demo first.

    Raises:
        ConfigurationError: `out` holds something else, or a demo of other settings.
        FatalError: going on makes no sense; what is finished stays.
    """
    start = time.monotonic()
    _check(seed=seed, scenes=scenes, height=height, width=width, steps=steps)
    storage = Storage(out)
    settings = {"seed": seed, "scenes": scenes, "height": height, "width": width, "steps": steps}
    claim(storage, settings | {"weights": model_sha256(model)}, overwrite=overwrite)
    show = _Demo(storage, Cast.choose(seed, scenes), settings, model, on_event)
    show.render()
    show.doctor()
    caches = show.invert()
    mixed = show.mix()
    show.verify()
    pairs, comparisons = show.measure()
    show.train()
    show.proxies()
    show.predict()
    ranking = show.score()
    show.report(caches, mixed, pairs, comparisons, ranking)
    return DemoSummary(
        url=storage.url,
        report=storage.locate(REPORT),
        contents=scenes,
        exemplars=len(show.cast.exemplars),
        pictures=mixed.rows,
        psnr=caches[0].mean("psnr"),
        verdict=judge(comparisons.values()),
        conditions=by_condition(comparisons.values()),
        ranking=ranking,
        seconds=show.seconds,
        processor=show.processor,
        elapsed=time.monotonic() - start,
    )


class _Demo:
    """The stages in their order; each finds by itself what an earlier session has done."""

    def __init__(
        self,
        storage: Storage,
        cast: Cast,
        settings: Mapping[str, int],
        model: str,
        on_event: Callable[[Event], None],
    ) -> None:
        self.storage = storage
        self.cast = cast
        self.settings = settings
        self.model = model
        self.size = settings["height"], settings["width"]
        self.commands = Commands(
            cast=cast, model=model, seed=settings["seed"], height=settings["height"], width=settings["width"]
        )
        known = demotruth.recorded(storage)
        self.seconds: dict[str, float] = known["seconds"]
        self.processor: dict[str, float] = known["processor"]
        self.problems = 0
        self._tell = on_event

    def render(self) -> None:
        """Render the streets."""
        with self._stage("render"):
            render_missing(self.storage, self.cast.pictures(), *self.size, self._tell)

    def doctor(self) -> None:
        """Examine the labelled streets, as anybody should before a long run, and remember what is wrong."""
        with self._stage("doctor"):
            found = diagnose(open_dataset(self.storage.sub(DAY)))
            self.problems = len(found.problems)
            for problem in found.problems:
                self._tell(Note(text=f"{problem.severity}: {problem.count} {problem.message}: {problem.remedy}"))
            self._tell(
                Note(text=f"{found.images} pictures with labels, {'all well' if found.healthy else 'see above'}")
            )

    def invert(self) -> list[Summary]:
        """Invert contents and exemplars, each into a cache that is whole."""
        with self._stage("invert"):
            return [self._invert(DAY, CACHE), self._invert(WEATHER, STYLES)]

    def _invert(self, data: str, cache: str) -> Summary:
        summary = invert(
            self.storage.locate(data),
            self.storage.locate(cache),
            model=self.model,
            unit_size=UNIT,
            retry_failed=True,
            on_event=self._tell,
        )
        self._mend(cache)  # a damaged shard would stop the mix
        return summary

    def mix(self) -> Summary:
        """Write every street by day in the style of another one, and in that of some exemplars in weather."""
        with self._stage("mix"):
            self._mix(INTRA)
            return self._mix(STYLIZED, styles=self.storage.locate(STYLES), per_image=COPIES, weather=1.0)

    def _mix(self, out: str, **how: Any) -> Summary:
        return mix(
            self.storage.locate(CACHE),
            self.storage.locate(out),
            dataset=self.storage.locate(DAY),
            styles_dataset=self.storage.locate(WEATHER) if "styles" in how else None,
            split=TRAIN,
            model=self.model,
            seed=self.settings["seed"],
            retry_failed=True,
            on_event=self._tell,
            **how,
        )

    def verify(self) -> None:
        """Compare every byte with the records, and make again what somebody removed or changed."""
        with self._stage("verify"):
            self._mend(INTRA)
            self._mend(STYLIZED)

    def _mend(self, run: str) -> None:
        verdict = verify(self.storage.locate(run), repair=True, on_event=self._tell)
        mended = "" if verdict.repaired is None else f", {count(len(verdict.findings), 'problem')} mended"
        self._tell(Note(text=f"{run}: {count(verdict.files, 'file')} compared, all well{mended}"))

    def measure(self) -> tuple[list[Pair], dict[str, Comparison]]:
        """Hold the copies of some streets against their true renders."""
        with self._stage("measure"):
            pairs = demotruth.chosen(demotruth.pairs(self.storage, self.cast))
            if not pairs:
                raise FatalError(f"nothing was stylized in {self.storage.url}: pass --overwrite to begin anew")
            render_missing(self.storage, {pair.true.path: pair.true for pair in pairs}.values(), *self.size, self._tell)
            comparisons = demotruth.measure(self.storage, pairs, self._tell)
            demotruth.remember(self.storage, comparisons=demotruth.plain(comparisons))
            return pairs, comparisons

    def train(self) -> None:
        """Train the networks, for which a user has a trainer of their own."""
        with self._stage("train"):
            demonetworks.train_missing(
                self.storage,
                steps=self.settings["steps"],
                seed=self.settings["seed"],
                height=seen_height(self.settings["height"]),
                on_event=self._tell,
            )

    def proxies(self) -> None:
        """Build a proxy set for each kind of weather from a few unlabelled frames of it."""
        with self._stage("proxies"):
            for kind in KINDS:
                self._invert(f"{TARGETS}/{kind}", f"cache/{kind}")
            proxy_build(
                self.storage.locate(CACHE),
                self.storage.locate(PROXY),
                styles={kind: self.storage.locate(f"cache/{kind}") for kind in KINDS},
                dataset=self.storage.locate(DAY),
                split=VAL,
                model=self.model,
                seed=self.settings["seed"],
                retry_failed=True,
                on_event=self._tell_step,
            )
            for kind in KINDS:
                self._mend(f"{PROXY}/{kind}")

    def predict(self) -> None:
        """Write what the networks see, where they are validated, on the proxies and in true weather."""
        with self._stage("predict"):
            sets: dict[str, tuple[str, str | None]] = {VAL: (DAY, VAL)}
            sets |= {f"proxy/{kind}": (f"{PROXY}/{kind}", None) for kind in KINDS}
            sets |= {f"test/{kind}": (f"{TEST}/{kind}", None) for kind in KINDS}
            height = seen_height(self.settings["height"])
            demonetworks.predict_missing(self.storage, sets, height=height, on_event=self._tell)

    def score(self) -> ProxyRanking:
        """Rank the networks by proxies, and hold that against what they score in true weather."""
        folders = {arm.name: self.storage.locate(f"{PREDICTIONS}/{arm.name}") for arm in ARMS}
        with self._stage("score"):
            return proxy_rank(
                self.storage.locate(PROXY),
                predictions={name: f"{folder}/proxy" for name, folder in folders.items()},
                real={kind: self.storage.locate(f"{TEST}/{kind}") for kind in KINDS},
                real_predictions={name: f"{folder}/test" for name, folder in folders.items()},
                source=self.storage.locate(DAY),
                source_split=VAL,
                source_predictions={name: f"{folder}/{VAL}" for name, folder in folders.items()},
                json=self.storage.locate(RANKING),
                plot=self.storage.locate(PLOT),
                on_event=self._tell,
            )

    def report(
        self,
        caches: Sequence[Summary],
        mixed: Summary,
        pairs: Sequence[Pair],
        comparisons: Mapping[str, Comparison],
        ranking: ProxyRanking,
    ) -> None:
        """Write the story as a page, after what a later session need not measure again."""
        with self._stage("report"):
            story = demoreport.Story(
                storage=self.storage,
                cast=self.cast,
                pairs=pairs,
                comparisons=comparisons,
                caches=caches,
                mixed=mixed,
                ranking=ranking,
                seconds=self.seconds,
                processor=self.processor,
                commands=self.commands,
                problems=self.problems,
                steps=self.settings["steps"],
            )
            self.storage.write(REPORT, demoreport.build(story))

    def _tell_step(self, event: Event) -> None:
        """Tell of a stage within a stage as of a step."""
        self._tell(Note(text=event.text) if isinstance(event, StageStarted) else event)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        number = list(STAGES).index(name) + 1
        self._tell(StageStarted(number=number, total=len(STAGES), text=f"{name}: {STAGES[name]}"))
        for line in self.commands.of(name):
            shown = line if line.startswith("#") else f"$ {wrapped(line)}"
            self._tell(Note(text="\n".join(f"  {part}" for part in shown.splitlines())))
        start, worked = time.monotonic(), time.process_time()
        yield
        for known, spent in ((self.seconds, time.monotonic() - start), (self.processor, time.process_time() - worked)):
            known[name] = round(max(spent, known.get(name, 0.0)), 2)
        demotruth.remember(self.storage, seconds=self.seconds, processor=self.processor)


def _check(*, seed: int, scenes: int, height: int, width: int, steps: int) -> None:
    if seed < 0:
        raise ConfigurationError(f"the seed must be 0 or more, not {seed}")
    if not 1 <= scenes <= MOST_SCENES:
        raise ConfigurationError(f"the number of scenes must be 1 to {MOST_SCENES}, not {scenes}")
    if min(height, width) < SMALLEST_SIDE:
        raise ConfigurationError(f"pictures must have at least {SMALLEST_SIDE} pixels a side, not {height}x{width}")
    if steps < 1:
        raise ConfigurationError(f"a network is trained for at least 1 step, not {steps}")
