"""What a worker is built from: the cores it may use, a stopwatch by stage, bounded look-ahead.

A worker has several units in flight so that one reads or writes while the other computes. What keeps that from costing
more than it brings: no more threads compute than there are cores, as more would only take the cache and Python's lock
away from one another; what feeds the model goes before what is made of its pictures, or an accelerator would wait
behind these (see `crew`); and look-ahead is bounded, so that memory is.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from itertools import islice
from typing import Protocol, TypeVar

from pipelines.crew import Crew

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING = frozenset({"read", "write"})  # stages that wait for storage; all others compute
BRIEF = 5e-3  # seconds; a wait of less is not worth another thread's waking up
AHEAD = 2  # batches of a unit that are read before they are needed
_share: list[int] = []


def limit_cores(count: int) -> None:
    """Let the workers of this process compute on so many cores: others of the same machine have the rest."""
    _share[:] = [count]


def cores() -> int:
    """Return how many cores this process may compute on."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([here, *_share])


def make_crew(io_threads: int | None) -> Crew:
    """Return the threads of a worker, one per core at least; by default some more, which wait for storage."""
    return Crew(max(io_threads or min(16, 2 + cores()), cores()), cores(), "work")


class Stopwatch:
    """Sums seconds by stage over the threads of one unit; `with watch("decode"): ...`.

    With a `crew`, a stage that computes holds one of its cores, waiting for which is not counted; one that waits for
    storage holds none, unless such waits are as brief as on a local disk.
    """

    def __init__(self, crew: Crew | None = None) -> None:
        self._crew = crew
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str, *, computes: bool | None = None) -> Iterator[None]:
        """Count the time spent in the block for `stage`; `computes` says whether on a core, where it is not clear."""
        needed = stage not in WAITING if computes is None else computes
        if self._crew is not None:
            if needed:
                self._crew.take()
            elif self._crew.waits.get(stage, 0.0) > BRIEF:
                self._crew.leave()
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            with self._lock:
                self._seconds[stage] = self._seconds.get(stage, 0.0) + spent
            if self._crew is not None and needed:
                self._crew.done()
            elif self._crew is not None:
                self._crew.waits[stage] = 0.8 * self._crew.waits.get(stage, 0.0) + 0.2 * spent

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage so far."""
        with self._lock:
            return dict(self._seconds)


class Threads(Protocol):
    """What calls are handed to: an executor, or a turn of a crew."""

    def submit(self, function: Callable[[Item], Result], item: Item, /) -> Future[Result]:
        """Have `function(item)` done."""


def prefetch(
    pool: Executor | Threads, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Yield `function(item)` in the order of the items while at most `ahead` of them are worked on or waiting.

    The order of results does not depend on the threads, and no more than `ahead` results are in memory. Once it has to
    wait, it does so for a quarter of them, for each waking up costs. An exception of the function is raised at its
    item's turn; what was started and not yielded is then cancelled or thrown away.
    """
    source = iter(items)
    waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(source, ahead))
    try:
        while waiting:
            if not waiting[0].done():
                waiting[len(waiting) // 4].exception()
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
