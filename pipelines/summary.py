"""What came of a run: totals that are added up from commit records, for the end of a run and for `status`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines import figures
from pipelines.commits import Commit
from pipelines.units import Failure

SHOWN_FAILURES = 100  # the rest is in the commit records and in the manifest


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Totals of a run over all its sessions.

    `seconds` are summed over threads, by stage; `elapsed` is the wall time of this session alone, in seconds; `skipped`
    units were finished by an earlier one. `failures` are the first hundred, `causes` counts all of them by class.
    """

    kind: str
    url: str
    units: int
    rows: int
    bytes: int
    failed: int
    failures: tuple[Failure, ...]
    causes: Mapping[str, int]
    seconds: Mapping[str, float]
    figures: Mapping[str, float]
    skipped: int = 0
    elapsed: float = 0.0
    max_failures: int = 0

    @property
    def exit_code(self) -> int:
        """0, or 3 when more inputs failed than `max_failures` allows."""
        return 3 if self.failed > self.max_failures else 0

    def mean(self, name: str) -> float:
        """Return the mean of a distribution among the figures, such as `psnr`; NaN when there is none."""
        return figures.mean(self.figures, name)

    def percentile(self, name: str, percent: float) -> float:
        """Return a percentile of a distribution among the figures; NaN when there is none."""
        return figures.percentile(self.figures, name, percent)


@dataclass
class Totals:
    """Adds up commit records one by one, in memory that does not grow with their number."""

    units: int = 0
    rows: int = 0
    bytes: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, commit: Commit) -> None:
        """Take a record into the totals."""
        self.units += 1
        self.rows += commit.rows
        self.bytes += commit.bytes
        self.failed += len(commit.failures)
        self.failures.extend(commit.failures[: SHOWN_FAILURES - len(self.failures)])
        self.causes.update(failure.cause for failure in commit.failures)
        figures.add(self.seconds, commit.seconds)
        figures.add(self.figures, commit.figures)

    def summary(self, *, kind: str, url: str, skipped: int = 0, elapsed: float = 0.0, max_failures: int = 0) -> Summary:
        """Return the totals as they stand."""
        return Summary(
            kind=kind,
            url=url,
            units=self.units,
            rows=self.rows,
            bytes=self.bytes,
            failed=self.failed,
            failures=tuple(self.failures),
            causes=dict(self.causes.most_common()),
            seconds=dict(sorted(self.seconds.items())),
            figures=dict(self.figures),
            skipped=skipped,
            elapsed=elapsed,
            max_failures=max_failures,
        )
