"""What a worker is built from: cores to compute on, a stopwatch by stage, threads that serve the oldest unit first.

A worker has several units in flight so that one reads or writes while the other computes. Three things keep that from
costing more than it brings. Computing stages hold a core each, so that no more threads compute than there are cores:
more would only take the cache and Python's lock away from one another. Threads do the work of the unit that was begun
first, so that units do not all end at once, and the next ones do not all begin with empty queues. And look-ahead is
bounded, so that memory is.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING = frozenset({"read", "write"})  # stages that wait for storage; all others compute
AHEAD = 2  # batches of a unit that are read before they are needed
_share: list[int] = []


def limit_cores(count: int) -> None:
    """Let the workers of this process compute on so many cores: others of the same machine have the rest."""
    _share[:] = [count]


def cores() -> int:
    """Return how many cores this process may compute on."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([here, *_share])


def io_threads() -> int:
    """Return how many threads shall read, decode, encode and write: one per core, and some that wait for storage."""
    return min(16, 2 + cores())


class Cores:
    """So many threads may compute at once; `with cores: ...`, also within itself.

    Whoever holds one must not wait for another thread, which may be waiting for a core.
    """

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._mine = threading.local()

    def __enter__(self) -> None:
        depth = getattr(self._mine, "depth", 0)
        if depth == 0:
            self._free.acquire()
        self._mine.depth = depth + 1

    def __exit__(self, *_: object) -> None:
        self._mine.depth -= 1
        if self._mine.depth == 0:
            self._free.release()


class Stopwatch:
    """Sums seconds by stage over the threads of one unit; `with watch("decode"): ...`.

    With `cores`, a stage that computes holds one of them; waiting for it is not counted.
    """

    def __init__(self, cores: Cores | None = None) -> None:
        self._cores = cores
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the time spent in the block for `stage`."""
        with nullcontext() if self._cores is None or stage in WAITING else self._cores:
            start = time.perf_counter()
            try:
                yield
            finally:
                spent = time.perf_counter() - start
                with self._lock:
                    self._seconds[stage] = self._seconds.get(stage, 0.0) + spent

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage so far."""
        with self._lock:
            return dict(self._seconds)


class Crew:
    """Threads shared by units: those of them that began earlier are served first.

    `crew.turn()` is what a unit hands its work to; calls of one turn are begun in their order.
    """

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self._calls: queue.PriorityQueue[tuple[float, int, Any]] = queue.PriorityQueue()
        self._turns, self._order = itertools.count(), itertools.count()
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}_{number}", daemon=True) for number in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def turn(self) -> Turn:
        """Return a place to hand in work, behind all that were given out before."""
        return Turn(self, next(self._turns))

    def put(self, turn: float, call: Callable[[], None] | None) -> None:
        """Queue a call; None ends a thread."""
        self._calls.put((turn, next(self._order), call))

    def shutdown(self) -> None:
        """End the threads once all calls are done."""
        for _ in self._threads:
            self.put(float("inf"), None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            _, _, call = self._calls.get()
            if call is None:
                return
            call()
            del call  # else its result stays until the next one


class Turn:
    """A unit's place in the queue of a crew."""

    def __init__(self, crew: Crew, number: int) -> None:
        self._crew = crew
        self._number = number

    def submit(self, function: Callable[[Item], Result], item: Item, /) -> Future[Result]:
        """Have `function(item)` done by a thread of the crew."""
        future: Future[Result] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(item)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._crew.put(self._number, call)
        return future


class Threads(Protocol):
    """What calls are handed to: an executor, or a turn of a crew."""

    def submit(self, function: Callable[[Item], Result], item: Item, /) -> Future[Result]:
        """Have `function(item)` done."""


def prefetch(
    pool: Executor | Threads, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Yield `function(item)` in the order of the items while at most `ahead` of them are worked on or waiting.

    The order of results does not depend on the threads, and no more than `ahead` results are in memory. An exception of
    the function is raised at its item's turn; what was started and not yielded is then cancelled or thrown away.
    """
    source = iter(items)
    waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(source, ahead))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
