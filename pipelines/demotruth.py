"""Holds every stylized picture of the demo against its true render, and remembers what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from pipelines import provenance
from pipelines.demoscenes import DAY, Cast, Exemplar, content_source, truth_path
from pipelines.events import Event, RunStarted, UnitDone
from pipelines.flow import prefetch
from pipelines.units import Outcome
from stylize.errors import BadInput
from stylize.images import decode_rgb
from stylize.storage import Storage
from stylize.truth import Comparison, compare

STYLIZED = "stylized"
FIGURES = "figures.json"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A stylized picture with what it was made of and where its truth lies; paths are relative to the demo."""

    scene: int
    exemplar: Exemplar
    result: str
    sha256: str
    content: str
    truth: str


def pairs(storage: Storage, cast: Cast) -> list[Pair]:
    """Return the pairs of the demo, by content and then by exemplar, from the provenance of the mix."""
    scenes = {content_source(scene): scene for scene in cast.contents}
    exemplars = {exemplar.source: exemplar for exemplar in cast.exemplars}
    found = {}
    for path in storage.list(f"{STYLIZED}/provenance"):
        for row in provenance.read_rows(storage.read(path)):
            scene, exemplar = scenes[row["content_source"]], exemplars[row["exemplar_source"]]
            found[scene, exemplar] = Pair(
                scene=scene,
                exemplar=exemplar,
                result=f"{STYLIZED}/{row['image']}",
                sha256=row["sha256"],
                content=f"{DAY}/{content_source(scene)}",
                truth=truth_path(scene, exemplar),
            )
    order = ((scene, exemplar) for scene in cast.contents for exemplar in cast.exemplars)
    return [found[key] for key in order if key in found]


def measure(storage: Storage, every: list[Pair], on_event: Callable[[Event], None]) -> dict[str, Comparison]:
    """Return the comparison of each pair by the hash of its result; what an earlier session measured is not again."""
    known = {sha256: Comparison(**fields) for sha256, fields in recorded(storage)["comparisons"].items()}
    todo = [pair for pair in every if pair.sha256 not in known]
    done = len(every) - len(todo)
    on_event(RunStarted(kind="measure", units=len(every), done=done, todo=len(todo), inputs=len(every)))
    with ThreadPoolExecutor(os.cpu_count() or 1, "measure") as pool:
        results = prefetch(pool, lambda pair: _compare(storage, pair), todo, ahead=8)
        for number, (pair, result) in enumerate(zip(todo, results, strict=True)):
            known[pair.sha256] = result
            on_event(UnitDone(outcome=Outcome(unit=number, rows=1, bytes=0)))
    return {pair.sha256: known[pair.sha256] for pair in every}


def recorded(storage: Storage) -> dict[str, Any]:
    """Return what earlier sessions remembered: comparisons by hash, and seconds by stage."""
    try:
        return {"comparisons": {}, "seconds": {}, **storage.read_json(FIGURES)}
    except BadInput:  # none yet
        return {"comparisons": {}, "seconds": {}}


def remember(storage: Storage, comparisons: Mapping[str, Comparison], seconds: Mapping[str, float]) -> None:
    """Write what a later session need not measure again."""
    plain = {sha256: asdict(comparison) for sha256, comparison in comparisons.items()}
    storage.write_json(FIGURES, {"comparisons": plain, "seconds": dict(seconds)})


def _compare(storage: Storage, pair: Pair) -> Comparison:
    content, result, truth = (decode_rgb(storage.read(path)) for path in (pair.content, pair.result, pair.truth))
    return compare(pair.exemplar.condition, content, result, truth)
