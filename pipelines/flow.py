"""What a worker is built from: a stopwatch by stage, and a bounded look-ahead on threads that keeps the order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopwatch:
    """Sums seconds by stage over the threads of one unit; `with watch("decode"): ...`."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the time spent in the block for `stage`."""
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


def prefetch(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
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
