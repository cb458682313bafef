"""What a stage and an engine must agree on: units, outcomes, the worker and the spec that makes one anywhere."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pipelines.events import Event

FailureKind = Literal["bad-input", "poison"]


def unit_name(index: int) -> str:
    """Return the name every file of a unit starts with, `00042`; longer than five digits from unit 100,000 on."""
    return f"{index:05d}"


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A piece of work: one row group of the work list, one shard, one commit record.

    `retry` asks for the failed inputs of an already committed unit only; the rows that were good are kept as they are.
    """

    index: int
    retry: bool = False

    @property
    def name(self) -> str:
        """The name every file of this unit starts with."""
        return unit_name(self.index)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An input that gave no row. `reason` is one line, `class: details`; what stands before the colon is counted."""

    id: str
    kind: FailureKind
    reason: str

    @property
    def cause(self) -> str:
        """The reason's class, the part before the first colon."""
        return self.reason.split(":", 1)[0].strip()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the driver learns of a finished unit, about a kilobyte.

    `seconds` are spent by stage (read, decode, model, encode, write), summed over threads. `figures` are sums that
    add up over units by key, such as counts, totals and histogram bins (see `pipelines.figures`).
    """

    unit: int
    rows: int
    bytes: int
    failures: tuple[Failure, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def poisoned(self) -> bool:
        """Whether the unit was given up; its commit record is then written by the driver, since no worker lived to."""
        return any(failure.kind == "poison" for failure in self.failures)


class Worker(Protocol):
    """Makes units. `run` is called by several threads at once, so that one unit reads while another computes."""

    def run(self, unit: Unit) -> Outcome:
        """Make a unit: read its inputs, write its files, then its commit record, and say what came of it.

        Whatever is written follows from the plan alone, so that doing a unit twice gives the same bytes. An input that
        is unusable becomes a `Failure`. `FatalError` stops the run; any other exception is a death of this unit.
        """
        ...

    def close(self) -> None:
        """Release threads and memory."""
        ...


class WorkerSpec(Protocol):
    """Makes workers in any process: small, picklable, holding paths and settings but neither weights nor rows."""

    def create(self) -> Worker:
        """Load what a worker needs and return it."""
        ...

    def ids(self, unit: Unit) -> Sequence[str]:
        """Return the input ids of a unit, to name what is lost when the unit is given up."""
        ...


class Engine(Protocol):
    """Runs units on workers, in any order, each until it is made or given up."""

    def run(
        self, spec: WorkerSpec, units: Iterable[Unit], on_event: Callable[[Event], None]
    ) -> Generator[Outcome, None, None]:
        """Yield one outcome per unit as they end; raise `FatalError` when going on makes no sense.

        Units are taken from the iterable as workers come free. Closing the generator, or an interrupt, lets the units
        in flight finish and starts no others.
        """
        ...
