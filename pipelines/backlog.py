"""What is still to be handed out: units from the run's list, and those that died and wait for their next attempt."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable

from pipelines.units import Unit


class Backlog:
    """Gives units one at a time; those put back come first, once their pause is over. For one thread.

    Units put back as `alone` are suspects: they are asked for separately, since they must not have company.
    """

    def __init__(self, units: Iterable[Unit], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = iter(units)
        self._next = next(self._source, None)
        self._retries: list[tuple[float, int, Unit]] = []
        self._suspects: list[tuple[float, int, Unit]] = []
        self._violent: set[int] = set()  # a suspect stays one, however it dies the next time
        self._clock = clock

    @property
    def empty(self) -> bool:
        """Whether nothing is left, neither now nor after a pause."""
        return self._next is None and not self._retries and not self._suspects

    def put_back(self, unit: Unit, seconds: float, *, alone: bool) -> None:
        """Keep a unit for another attempt, not before so many seconds have passed."""
        if alone:
            self._violent.add(unit.index)
        queue = self._suspects if unit.index in self._violent else self._retries
        heapq.heappush(queue, (self._clock() + seconds, unit.index, unit))

    def take(self) -> Unit | None:
        """Return the next unit that may have company, or None when there is none just now."""
        if self._retries and self._retries[0][0] <= self._clock():
            return heapq.heappop(self._retries)[2]
        unit, self._next = self._next, next(self._source, None)
        return unit

    def suspects(self) -> int:
        """Return how many suspects are due."""
        now = self._clock()
        return sum(due <= now for due, _, _ in self._suspects)

    def take_suspect(self) -> Unit:
        """Return the suspect that is due first."""
        return heapq.heappop(self._suspects)[2]

    def pause(self) -> float:
        """Return the seconds until a unit that waits for its next attempt is due; infinite without one."""
        dues = [queue[0][0] - self._clock() for queue in (self._retries, self._suspects) if queue]
        later = [due for due in dues if due > 0]  # what is due already waits for a worker, not for the time
        return min(later, default=float("inf"))
