"""What a worker is built from: cores to compute on, a stopwatch by stage, threads that take the most urgent call first.

A worker has several units in flight so that one reads or writes while the other computes. Three things keep that from
costing more than it brings. Computing stages hold a core each, so that no more threads compute than there are cores:
more would only take the cache and Python's lock away from one another. What feeds the model goes before what is made of
its pictures, or an accelerator would wait behind these; and the unit that was begun first goes before the others, so
that units do not all end at once. And look-ahead is bounded, so that memory is.
"""

from __future__ import annotations

import heapq
import itertools
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING = frozenset({"read", "write"})  # stages that wait for storage; all others compute
AHEAD = 2  # batches of a unit that are read before they are needed
PASS, LOAD, FINISH = range(3)  # ranks of a worker's calls, the most urgent one first: what the model waits for
Urgency = tuple[float, int]  # rank, and number of the unit's turn; the least is the most urgent
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
    """So many threads may compute at once; those that wait are served by urgency.

    A call of a `Crew` that began to compute keeps its core until it waits for storage or for an accelerator, or ends:
    handing a core to another thread at every stage would leave it idle for as long as that takes to wake up. Whoever
    holds one must not wait for another thread, which may be waiting for a core; also not for a lock under which others
    enter a stage.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: list[tuple[Urgency, int, threading.Lock]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._mine = _Holding()

    def take(self) -> None:
        """Begin to compute, within itself also; every `take` is followed by a `done`."""
        self._mine.depth += 1
        if self._mine.held:
            return
        with self._lock:
            woken = None if self._free else threading.Lock()
            if woken is None:
                self._free -= 1
            else:
                woken.acquire()
                heapq.heappush(self._waiting, (self._mine.urgency, next(self._order), woken))
        if woken is not None:
            woken.acquire()  # handed over by `leave`
        self._mine.held = True

    def done(self) -> None:
        """End what `take` began."""
        self._mine.depth -= 1
        if self._mine.depth == 0:
            self.leave()

    def leave(self) -> None:
        """Give this thread's core to the most urgent one that waits; the next `take` gets one again."""
        if not self._mine.held:
            return
        self._mine.held = False
        with self._lock:
            if self._waiting:
                heapq.heappop(self._waiting)[-1].release()
            else:
                self._free += 1

    @contextmanager
    def call(self, urgency: Urgency) -> Iterator[None]:
        """Let the block keep the core that one of its stages takes, which it does not have yet."""
        self._mine.urgency, before = urgency, self._mine.urgency
        self._mine.depth += 1
        try:
            yield
        finally:
            self._mine.urgency = before
            self.done()


class _Holding(threading.local):
    """Whether this thread holds a core, how many stages it is in, and how urgent they are: a unit's end is most so."""

    held = False
    depth = 0
    urgency: Urgency = (-1.0, 0)


class Stopwatch:
    """Sums seconds by stage over the threads of one unit; `with watch("decode"): ...`.

    With `cores`, a stage that computes holds one of them, and one that waits for storage holds none; waiting for a core
    is not counted.
    """

    def __init__(self, cores: Cores | None = None) -> None:
        self._cores = cores
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str, *, computes: bool | None = None) -> Iterator[None]:
        """Count the time spent in the block for `stage`; `computes` says whether on a core, where it is not clear."""
        needed = stage not in WAITING if computes is None else computes
        if self._cores is not None:
            self._cores.take() if needed else self._cores.leave()
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            with self._lock:
                self._seconds[stage] = self._seconds.get(stage, 0.0) + spent
            if self._cores is not None and needed:
                self._cores.done()

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage so far."""
        with self._lock:
            return dict(self._seconds)


class Crew:
    """Threads shared by units: they take the most urgent call, of equally urgent ones that of the unit begun first.

    `crew.turn(rank)` is what a unit hands its work to; calls of one turn are begun in their order.
    """

    def __init__(self, size: int, name: str, cores: Cores) -> None:
        self.size = size
        self._cores = cores
        self._calls: queue.PriorityQueue[tuple[Urgency, int, Any]] = queue.PriorityQueue()
        self._turns, self._order = itertools.count(), itertools.count()
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}_{number}", daemon=True) for number in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def turn(self, rank: int) -> Turn:
        """Return a place to hand in work, behind all of this rank and lower ones that were given out before."""
        return Turn(self, (rank, next(self._turns)))

    def put(self, urgency: Urgency, call: Callable[[], None] | None) -> None:
        """Queue a call; None ends a thread."""
        self._calls.put((urgency, next(self._order), call))

    def shutdown(self) -> None:
        """End the threads once all calls are done."""
        for _ in self._threads:
            self.put((float("inf"), 0), None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            urgency, _, call = self._calls.get()
            if call is None:
                return
            with self._cores.call(urgency):
                call()
            del call  # else its result stays until the next one


class Turn:
    """A unit's place in the queue of a crew."""

    def __init__(self, crew: Crew, urgency: Urgency) -> None:
        self._crew = crew
        self._urgency = urgency

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

        self._crew.put(self._urgency, call)
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
