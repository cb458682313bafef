"""What the three evaluations share: pictures measured on threads in order, progress, failures, and the exit code."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelines.events import OnEvent, RunStarted, UnitDone
from pipelines.flow import prefetch
from pipelines.summary import SHOWN_FAILURES
from pipelines.units import Failure, Outcome
from stylize.errors import BadInput, ConfigurationError

Item = TypeVar("Item")
Result = TypeVar("Result")


def check(*, limit: int | None, max_failures: int, batch_size: int = 1) -> None:
    """Raise ConfigurationError for numbers that are too small."""
    for name, value, least in (
        ("limit", 1 if limit is None else limit, 1),
        ("batch size", batch_size, 1),
        ("number of failures allowed", max_failures, 0),
    ):
        if value < least:
            raise ConfigurationError(f"the {name} must be at least {least}, not {value}")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How many pictures an evaluation measured; `failures` are the first hundred, `causes` counts all by class."""

    pictures: int
    failed: int
    failures: tuple[Failure, ...]
    causes: Mapping[str, int]
    max_failures: int

    @property
    def exit_code(self) -> int:
        """0, or 3 when more pictures failed than `max_failures` allows."""
        return 3 if self.failed > self.max_failures else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "pictures": self.pictures,
            "failed": self.failed,
            "failures": [{"id": failure.id, "reason": failure.reason} for failure in self.failures],
        }


@dataclass
class Course:
    """The course of an evaluation: tells its progress and remembers what failed."""

    kind: str
    total: int
    on_event: OnEvent
    max_failures: int
    pictures: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.on_event(RunStarted(kind=self.kind, units=self.total, done=0, todo=self.total, inputs=self.total))

    def measured(
        self, measure: Callable[[Item], Result], items: Iterable[Item], name: Callable[[Item], str], ahead: int
    ) -> Iterator[tuple[Item, Result]]:
        """Yield each item with what was measured on it, in order; an item that is `BadInput` is recorded and left out.

        `ahead` items at most are read or waiting, so memory does not grow with their number.
        """

        def attempt(item: Item) -> tuple[Item, Result | Failure]:
            try:
                return item, measure(item)
            except BadInput as error:
                return item, Failure(id=name(item), kind="bad-input", reason=error.reason)

        with ThreadPoolExecutor(min(8, 2 + (os.cpu_count() or 1)), "evaluate") as pool:
            for item, result in prefetch(pool, attempt, items, ahead):
                if isinstance(result, Failure):
                    self.fail(result)
                else:
                    yield item, result

    def done(self) -> None:
        """Count a picture."""
        self._tell(())
        self.pictures += 1

    def fail(self, failure: Failure) -> None:
        """Count a picture that could not be measured."""
        self._tell((failure,))
        self.failed += 1
        self.causes[failure.cause] += 1
        if len(self.failures) < SHOWN_FAILURES:
            self.failures.append(failure)

    def ended(self) -> dict[str, Any]:
        """Return the fields of an `Evaluation`; raises ConfigurationError when nothing was measured."""
        if not self.pictures:
            first = f": {self.failures[0].id}: {self.failures[0].reason}" if self.failures else ""
            raise ConfigurationError(f"{self.kind}: none of {self.total} pictures could be measured{first}")
        return {
            "pictures": self.pictures,
            "failed": self.failed,
            "failures": tuple(self.failures),
            "causes": dict(self.causes.most_common()),
            "max_failures": self.max_failures,
        }

    def _tell(self, failures: Sequence[Failure]) -> None:
        outcome = Outcome(unit=self.pictures + self.failed, rows=not failures, bytes=0, failures=tuple(failures))
        self.on_event(UnitDone(outcome=outcome))
