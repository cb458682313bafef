"""A team in the threads of one process, for tests of what trainers make of theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from torch import Tensor

from stylize.errors import StylizeError
from stylize.training.team import Team

T = TypeVar("T")


class ThreadTeam(Team):
    """One of several threads that meet at a barrier."""

    def __init__(self, rank: int, size: int, table: list[Any], barrier: threading.Barrier) -> None:
        super().__init__(size)
        self.rank = self.local_rank = rank
        self._table, self._barrier = table, barrier

    def _gather(self, value: Any) -> list[Any]:
        self._table[self.rank] = value
        self._barrier.wait()
        everything = list(self._table)
        self._barrier.wait()
        return everything

    def mean(self, values: Tensor) -> Tensor:
        return sum(self._gather(values.detach().clone())) / self.size  # type: ignore[return-value]

    def together(self, call: Callable[[], T]) -> T:
        outcome: Any = None
        if self.leads:
            try:
                outcome = call()
            except StylizeError as error:
                outcome = error
        result = self._gather(outcome)[0]
        if isinstance(result, StylizeError):
            raise result
        return result  # type: ignore[no-any-return]


def teams(size: int) -> list[ThreadTeam]:
    """Return the members of a team."""
    table, barrier = [None] * size, threading.Barrier(size, timeout=60)
    return [ThreadTeam(rank, size, table, barrier) for rank in range(size)]


def in_step(calls: list[Callable[[], T]]) -> list[T]:
    """Make calls at the same time, one per thread."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]
