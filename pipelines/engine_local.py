"""The local engine: units in this process, two at a time, so that one reads or writes while the other computes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice

from pipelines.deaths import Deaths, one_line
from pipelines.events import Event, UnitRetried
from pipelines.units import Outcome, Unit, Worker, WorkerSpec


@dataclass(frozen=True, kw_only=True)
class LocalEngine:
    """Runs units on threads around one worker; `workers` are in flight at once.

    `first_wait` is the pause after a unit's first death, in seconds; it doubles with the next.
    """

    workers: int = 2
    first_wait: float = 1.0

    def run(
        self, spec: WorkerSpec, units: Iterable[Unit], on_event: Callable[[Event], None]
    ) -> Generator[Outcome, None, None]:
        """Yield outcomes as units end. An interrupt or an error lets the units in flight finish first."""
        source = iter(units)
        first = list(islice(source, self.workers))
        if not first:
            return  # nothing to do: do not load the weights
        worker = spec.create()
        attempts = _Attempts(worker, Deaths(spec, first_wait=self.first_wait), on_event)
        pool = ThreadPoolExecutor(self.workers, "unit")
        try:
            running: set[Future[Outcome]] = {pool.submit(attempts.make, unit) for unit in first}
            while running:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(attempts.make, unit) for unit in islice(source, len(ended))}
                for future in ended:
                    yield future.result()
        finally:
            attempts.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            worker.close()


class _Attempts:
    """Makes a unit on its thread, trying again after a death until it is made or given up."""

    def __init__(self, worker: Worker, deaths: Deaths, on_event: Callable[[Event], None]) -> None:
        self.worker = worker
        self.deaths = deaths
        self.stop = threading.Event()
        self._on_event = on_event

    def make(self, unit: Unit) -> Outcome:
        """Return the outcome of a unit, of whichever attempt."""
        while True:
            try:
                outcome = self.worker.run(unit)
            except Exception as error:
                verdict = self.deaths.died(unit, error)
                if isinstance(verdict, Outcome):
                    return verdict
                attempt, seconds = verdict
                self._on_event(UnitRetried(unit=unit.index, attempt=attempt, wait=seconds, reason=one_line(error)))
                if self.stop.wait(seconds):
                    raise  # the run is ending: leave this unit to the next session
            else:
                self.deaths.survived(unit)
                return outcome
