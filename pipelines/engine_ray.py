"""The Ray engine: units in a pool of actors on a cluster, which may lose and gain machines while the run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

from pipelines import cluster  # first: it tells Ray what to leave alone before Ray is imported

# isort: split
import ray

from pipelines.backlog import Backlog
from pipelines.deaths import Deaths, one_line
from pipelines.events import Event, Note, UnitRetried, WorkersChanged
from pipelines.pool import Death, Pool
from pipelines.units import Outcome, Unit, WorkerSpec
from stylize.errors import FatalError

POLL = 1.0  # seconds at most between two looks at who is due
PATIENT = 30.0  # seconds without any worker, after which the user is told what is awaited


@dataclass(frozen=True, kw_only=True)
class RayEngine:
    """Runs units on actors, two in flight on each, and hands those of a dead actor to others.

    `address` is the cluster's (None: one is started here for the run). `workers` is the number of actors; None takes
    all there is room for, and on a cluster at an address also what comes later. Each has `gpus_per_worker` GPUs to
    itself; None: one if there are any. `first_wait` is the pause in seconds after a unit's first death, `patience` how
    long a run goes on without any worker.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float | None = None
    first_wait: float = 1.0
    patience: float = 600.0

    def run(
        self, spec: WorkerSpec, units: Iterable[Unit], on_event: Callable[[Event], None]
    ) -> Generator[Outcome, None, None]:
        """Yield outcomes as units end. An interrupt or an error lets the units in flight finish, a second one does not.

        Raises:
            FatalError: going on makes no sense, or there have been no workers for too long.
        """
        backlog = Backlog(units)
        if backlog.empty:
            return  # nothing to do: no cluster
        most = len(units) if isinstance(units, Sized) else 1 << 20
        with cluster.connected(self.address, self.workers) as shared:
            pool = self._pool(spec, most, shared=shared)
            deaths = Deaths(spec, first_wait=self.first_wait)
            session = _Session(self, pool, backlog, deaths, on_event, own=not shared)
            try:
                yield from session.outcomes()
            finally:
                session.drain()

    def _pool(self, spec: WorkerSpec, most: int, *, shared: bool) -> Pool:
        gpus = self.gpus_per_worker if self.gpus_per_worker is not None else float(cluster.has_gpus())
        room = cluster.capacity(gpus)
        if not room and not shared:
            raise FatalError(
                f"no worker fits on this machine: each asks for {asked(gpus)}, and Ray sees {cluster.describe()}; "
                "lower --gpus-per-worker, or give the --address of a cluster"
            )
        grows = shared and self.workers is None
        return Pool(spec, gpus=gpus, size=self.workers or room, most=most, grows=grows)


def asked(gpus: float) -> str:
    """Return what a worker asks for, in words."""
    return f"{cluster.CPUS} CPU" + (f" and {gpus:g} GPU" if gpus else "")


class _Session:
    """The driver's side of a run: hands out units, takes what comes back, and never waits for what cannot come."""

    def __init__(
        self,
        engine: RayEngine,
        pool: Pool,
        backlog: Backlog,
        deaths: Deaths,
        on_event: Callable[[Event], None],
        *,
        own: bool,
    ) -> None:
        self._engine = engine
        self._pool = pool
        self._backlog = backlog
        self._deaths = deaths
        self._on_event = on_event
        self._own = own  # whether the cluster is this run's, so that nobody adds a machine when its only one is gone
        self._workers = 0  # as told last
        self._deserted: float | None = None  # since when there is no worker
        self._told = False

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcome of every unit."""
        while self._pool.in_flight or not self._backlog.empty:
            self._pool.mend()
            self._look_after()
            self._hand_out()
            for reference in self._ready():
                for reply in self._pool.collect(reference):
                    yield from self._survive(reply) if isinstance(reply, Death) else self._made(reply)

    def drain(self) -> None:
        """Let the units in flight finish, then end the actors; an interrupt meanwhile ends them at once."""
        try:
            waiting = self._pool.in_flight
            if waiting:
                self._on_event(
                    Note(text=f"waiting for {len(waiting)} units in flight; interrupt again to give them up")
                )
            while waiting:
                _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=POLL)
        finally:
            self._pool.close()

    def _ready(self) -> list[Any]:
        references, pause = self._pool.references, min(POLL, self._backlog.pause())
        if references:
            return list(ray.wait(references, num_returns=1, timeout=pause)[0])
        time.sleep(pause)
        return []

    def _made(self, outcome: Outcome) -> Iterator[Outcome]:
        self._deaths.survived(Unit(index=outcome.unit))
        yield outcome

    def _survive(self, death: Death) -> Iterator[Outcome]:
        """Have a unit tried again after its pause, or yield the outcome of one that is given up.

        A unit that was in a process that died is tried again without company: if it is what kills, it must not take
        another along every time, which would be given up with it.
        """
        verdict = self._deaths.died(death.unit, death.error)
        if isinstance(verdict, Outcome):
            yield verdict
            return
        attempt, seconds = verdict
        self._backlog.put_back(death.unit, seconds, alone=death.violent)
        reason = one_line(death.error)
        self._on_event(UnitRetried(unit=death.unit.index, attempt=attempt, wait=seconds, reason=reason))

    def _hand_out(self) -> None:
        """Fill the workers. For each suspect that is due, one worker is left to run empty and then gets it alone."""
        suspects = self._backlog.suspects()
        for place in self._pool.live:
            if suspects and not place.alone:
                suspects -= 1
                if not place.units:
                    self._pool.submit(place, self._backlog.take_suspect(), alone=True)
                continue
            while place.free and (unit := self._backlog.take()) is not None:
                self._pool.submit(place, unit)

    def _look_after(self) -> None:
        """Tell when workers come or go, and give up when none do."""
        workers, now = len(self._pool.live), time.monotonic()
        if workers != self._workers:
            self._workers = workers
            self._on_event(WorkersChanged(workers=workers))
        if workers:
            self._deserted, self._told = None, False
            return
        if self._pool.exhausted:
            raise FatalError(f"no worker starts: {self._pool.why}")
        if self._own and not cluster.alive():
            raise FatalError(
                "Ray ended on this machine, as it does when the machine is too busy to answer or out of memory: run "
                "the same command again to continue, with fewer --workers if it happens again"
            )
        self._deserted = self._deserted or now
        waited = now - self._deserted
        if waited > self._engine.patience:
            reason = f"; the last one to start failed: {self._pool.why}" if self._pool.why else ""
            raise FatalError(
                f"no worker for {waited:.0f} s: {self._wanted()}{reason}; add machines or lower --gpus-per-worker, and "
                "run the same command again to continue"
            )
        if waited > PATIENT and not self._told:
            self._told = True
            self._on_event(Note(text=f"waiting for a worker: {self._wanted()}"))

    def _wanted(self) -> str:
        return f"each asks for {asked(self._pool.gpus)}, the cluster is {cluster.describe()}"
