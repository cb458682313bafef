"""Holds stylized pictures of the demo against their true renders, and remembers what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from pipelines import provenance
from pipelines.demoscenes import DAY, Cast, Exemplar, Picture, content_source, true_picture
from pipelines.events import Event, RunStarted, UnitDone
from pipelines.flow import prefetch
from pipelines.units import Outcome
from stylize.errors import BadInput
from stylize.images import decode_rgb
from stylize.storage import Storage
from stylize.truth import Comparison, compare

STYLIZED = "stylized"
FIGURES = "figures.json"
STREETS = 8  # whose copies are held against the truth: rendering it takes longer than all the rest


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A stylized picture with what it was made of; paths are relative to the demo."""

    scene: int
    exemplar: Exemplar
    result: str
    sha256: str
    content: str

    @property
    def true(self) -> Picture:
        """The content in the very weather of the exemplar."""
        return true_picture(self.scene, self.exemplar)


def pairs(storage: Storage, cast: Cast) -> list[Pair]:
    """Return the pairs of the demo, by content and then by exemplar, from the provenance of the mix."""
    scenes = {content_source(scene): scene for scene in cast.contents}
    exemplars = {exemplar.source: exemplar for exemplar in cast.exemplars}
    files = (provenance.read_rows(storage.read(path)) for path in storage.list(f"{STYLIZED}/provenance"))
    found = [
        Pair(
            scene=scenes[row["content_source"]],
            exemplar=exemplars[row["exemplar_source"]],
            result=f"{STYLIZED}/{row['image']}",
            sha256=row["sha256"],
            content=f"{DAY}/{row['content_source']}",
        )
        for rows in files
        for row in rows
    ]
    order = {exemplar: place for place, exemplar in enumerate(cast.exemplars)}
    return sorted(found, key=lambda pair: (pair.scene, order[pair.exemplar], pair.result))


def chosen(every: Sequence[Pair]) -> list[Pair]:
    """Return the pairs of the few streets whose copies show the most kinds of weather, which the plan drew."""
    kinds: dict[int, set[str]] = {}
    for pair in every:
        kinds.setdefault(pair.scene, set()).add(pair.exemplar.condition)
    streets = set(sorted(kinds, key=lambda scene: (-len(kinds[scene]), scene))[:STREETS])
    return [pair for pair in every if pair.scene in streets]


def measure(storage: Storage, every: Sequence[Pair], on_event: Callable[[Event], None]) -> dict[str, Comparison]:
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
    """Return what earlier sessions remembered: comparisons by hash, and seconds by stage, of the clock and of cores."""
    nothing: dict[str, Any] = {"comparisons": {}, "seconds": {}, "processor": {}}
    try:
        return {**nothing, **storage.read_json(FIGURES)}
    except BadInput:  # none yet
        return nothing


def remember(storage: Storage, **known: Mapping[str, Any]) -> None:
    """Write what a later session need not find out again, over what earlier ones wrote."""
    storage.write_json(FIGURES, recorded(storage) | known)


def plain(comparisons: Mapping[str, Comparison]) -> dict[str, Any]:
    """Return comparisons as `remember` takes them."""
    return {sha256: asdict(comparison) for sha256, comparison in comparisons.items()}


def _compare(storage: Storage, pair: Pair) -> Comparison:
    content, result, truth = (decode_rgb(storage.read(path)) for path in (pair.content, pair.result, pair.true.path))
    return compare(pair.exemplar.condition, content, result, truth)
