"""The command `status`: how far a run is, from its records alone, so from any machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines import commits, lease
from pipelines.commits import Commit
from pipelines.fingerprint import MANIFEST, load
from pipelines.summary import Summary, Totals
from stylize.storage import Storage

RECENT = 600.0  # seconds of work, before the last record, from which the rate is taken
IDLE = 4.0  # a run is taken to stand still when it is silent for this many times its longest unit


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a run stands.

    `units` of `total_units` are committed and `rows` plus failures of `inputs` dealt with. `rate` is in rows per second
    over the last ten minutes of work, `remaining` the seconds still needed at that rate (both 0 when nothing is known),
    `silent` the seconds since the last record. `finished` says that the manifest is written, `active` that a session
    holds the run and was heard of lately.
    """

    kind: str
    url: str
    total_units: int
    inputs: int
    finished: bool
    done: Summary
    rate: float
    remaining: float
    silent: float
    active: bool


def status(run: str, *, storage_options: Mapping[str, Any] | None = None) -> Status:
    """Return how far the run in a folder or URL is; raises `ConfigurationError` when there is none."""
    storage = Storage(run, storage_options)
    record = load(storage)
    totals, pace = Totals(), _Pace()
    for commit in commits.read_many(storage, sorted(commits.committed(storage))):
        totals.add(commit)
        pace.add(commit)
    finished = storage.exists(MANIFEST)
    rate = pace.rate()
    left = int(record["inputs"]["rows"]) - totals.rows - totals.failed
    silent = max(0.0, time.time() - pace.last) if totals.units else 0.0
    return Status(
        kind=record["kind"],
        url=storage.url,
        total_units=int(record["units"]),
        inputs=int(record["inputs"]["rows"]),
        finished=finished,
        done=totals.summary(kind=record["kind"], url=storage.url),
        rate=rate,
        remaining=left / rate if rate and not finished else 0.0,
        silent=silent,
        active=not finished and lease.held(storage) and silent < max(60.0, IDLE * pace.longest),
    )


class _Pace:
    """Collects when units were made; three numbers each."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float, int]] = []
        self.last = 0.0
        self.longest = 0.0

    def add(self, commit: Commit) -> None:
        """Take a unit into account."""
        begun, ended = commit.span
        self._spans.append((begun, ended, commit.rows + len(commit.failures)))
        self.last = max(self.last, ended)
        self.longest = max(self.longest, ended - begun)

    def rate(self) -> float:
        """Return rows per second over the last minutes of work; 0 when nothing was timed."""
        recent = [span for span in self._spans if span[1] >= self.last - RECENT]
        seconds = self.last - min((begun for begun, _, _ in recent), default=self.last)
        return sum(rows for _, _, rows in recent) / seconds if seconds > 0 else 0.0
