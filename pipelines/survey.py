"""What the records of a run say, read in one pass: totals, its weakest units, when it was worked on, its state."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines import commits
from pipelines.commits import Commit
from pipelines.fingerprint import MANIFEST, load
from pipelines.summary import Summary, Totals
from stylize.storage import Storage

WEAKEST = 6


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A run as its records tell it. `units` are those committed.

    `weakest` are those that hold the lowest PSNR of a cache, or of a mix the most refusals and then the lowest content
    score, worst first; `strongest` those that hold the highest PSNR of a cache, best first.

    `span` is from the first unit's beginning to the last one's end, in seconds since 1970; (0, 0) before any.
    """

    storage: Storage
    run: Mapping[str, Any]
    finished: bool
    total: Summary
    units: Sequence[int]
    weakest: Sequence[int]
    strongest: Sequence[int]
    span: tuple[float, float]

    @property
    def state(self) -> str:
        """The state in a few words."""
        return "finished" if self.finished else f"unfinished: {len(self.units)} of {self.run['units']} units"


def survey(storage: Storage, places: Mapping[str, str] | None = None) -> Survey:
    """Read the records of a run, finished or not; `places` replace those of its sources that have moved.

    Raises `ConfigurationError` when there is no run.
    """
    run, totals, weak, strong = load(storage), Totals(), [], []
    if places:
        run["sources"] = {**run["sources"], **places}
    units = sorted(commits.committed(storage))
    begun, ended = [], []
    for commit in commits.read_many(storage, units):
        totals.add(commit)
        weak.append((_weakness(commit), commit.unit))
        strong.append((max(distribution(commit.figures, "psnr"), default=-math.inf), commit.unit))
        if commit.span[1]:
            begun.append(commit.span[0])
            ended.append(commit.span[1])
    return Survey(
        storage=storage,
        run=run,
        finished=storage.exists(MANIFEST),
        total=totals.summary(kind=run["kind"], url=storage.url),
        units=units,
        weakest=[unit for _, unit in heapq.nsmallest(WEAKEST, weak)],
        strongest=[unit for _, unit in heapq.nlargest(WEAKEST, strong)],
        span=(min(begun, default=0.0), max(ended, default=0.0)),
    )


def distribution(figures: Mapping[str, float], name: str) -> dict[float, float]:
    """Return the histogram of a figure, value -> count (see `pipelines.figures`)."""
    return {float(key.split("@")[1]): count for key, count in figures.items() if key.startswith(f"{name}@")}


def _weakness(commit: Commit) -> float:
    """Return a number that is lower for weaker units by their figures alone, so that no shard is read to find them."""
    if commit.figures.get("refused"):
        return -commit.figures["refused"]
    lowest = (min(distribution(commit.figures, name), default=float("inf")) for name in ("psnr", "score"))
    return min(lowest)
