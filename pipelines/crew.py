"""The threads of a worker and the cores that they compute on: calls by urgency, and as few hand-overs as can be.

Waking a thread takes longer than many a stage, and whoever does it holds Python's lock meanwhile. So a call gets its
core with its thread and keeps it, from stage to stage; a thread that ends a call goes on with the next one itself; and
only a thread that begins to wait, for storage or for an accelerator, gives its core away.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

PASS, LOAD, FINISH = range(3)  # ranks of a worker's calls, the most urgent one first: what the model waits for
Urgency = tuple[float, int]  # rank, and number of the unit's turn; the least is the most urgent
_Call = tuple[Urgency, int, Callable[[], None] | None]


class Crew:
    """Threads that make calls, no more of them at once than there are cores.

    `crew.turn(rank)` is what a unit hands its work to: the lowest rank is served first, within a rank the turn that was
    taken first. Other threads may compute too, between `take` and `done`; they go before all calls, for a unit waits
    for them to end. Whoever holds a core must not wait for another thread, which may be waiting for a core, nor for a
    lock under which others take one.
    """

    def __init__(self, threads: int, cores: int, name: str) -> None:
        self.size = threads
        self.waits: dict[str, float] = {}  # by stage, how many seconds calls usually wait; whoever waits keeps it
        self._free = cores
        self._calls: list[_Call] = []
        self._waiting: list[tuple[Urgency, int, threading.Lock]] = []  # threads that want to compute again
        self._idle: list[_Seat] = []
        self._lock = threading.Lock()
        self._turns, self._order = itertools.count(), itertools.count()
        self._mine = _Holding()
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}_{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def turn(self, rank: int) -> Turn:
        """Return a place to hand in work, behind all of this rank and lower ones that were given out before."""
        return Turn(self, (rank, next(self._turns)))

    def put(self, urgency: Urgency, call: Callable[[], None] | None) -> None:
        """Queue a call; None ends a thread."""
        with self._lock:
            heapq.heappush(self._calls, (urgency, next(self._order), call))
            self._deal()

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
                asked = next(self._order) if self._mine.order is None else self._mine.order
                heapq.heappush(self._waiting, (self._mine.urgency, asked, woken))
        if woken is not None:
            woken.acquire()
        self._mine.held = True

    def done(self) -> None:
        """End what `take` began; a thread in a call keeps its core."""
        self._mine.depth -= 1
        if self._mine.depth == 0:
            self.leave()

    def leave(self) -> None:
        """Give this thread's core away, if it has one; the next `take` waits for one again."""
        if self._mine.held:
            self._mine.held = False
            with self._lock:
                self._free += 1
                self._deal()

    def shutdown(self) -> None:
        """End the threads once all calls are done."""
        for _ in self._threads:
            self.put((float("inf"), 0), None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        seat = _Seat()
        self._mine.depth = 1
        while True:
            with self._lock:
                self._free += self._mine.held
                self._idle.append(seat)  # on top: this very thread is the next one
                self._deal()
            seat.woken.acquire()
            self._mine.held = True
            self._mine.urgency, self._mine.order, call = seat.call
            if call is None:
                self.leave()
                return
            call()
            del call  # else its result stays until the next one
            seat.call = _NOTHING

    def _deal(self) -> None:
        """Give free cores to the most urgent; the lock is held."""
        while self._free:
            servable = bool(self._calls and self._idle)
            if self._waiting and not (servable and self._calls[0][:2] < self._waiting[0][:2]):
                heapq.heappop(self._waiting)[-1].release()
            elif servable:
                self._idle.pop().begin(heapq.heappop(self._calls))
            else:
                return
            self._free -= 1


class _Holding(threading.local):
    """Whether this thread holds a core, how many stages it is in, and how urgent they are.

    `order` is that of its call: one that was begun goes on before later ones begin. Without a call it is None.
    """

    held = False
    depth = 0
    urgency: Urgency = (-1, 0)
    order: int | None = None


_NOTHING: _Call = ((0, 0), 0, None)


class _Seat:
    """Where a thread waits for its next call."""

    def __init__(self) -> None:
        self.woken = threading.Lock()
        self.woken.acquire()
        self.call = _NOTHING

    def begin(self, call: _Call) -> None:
        self.call = call
        self.woken.release()


class Turn:
    """A unit's place in the queue of a crew; calls of one turn are begun in their order."""

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
