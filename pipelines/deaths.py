"""How often a unit may die: backoff between attempts, the third death makes it poison, many in a row stop the run."""

from __future__ import annotations

import random
import threading
from collections import Counter

from pipelines.units import Failure, Outcome, Unit, WorkerSpec
from stylize.errors import ConfigurationError, FatalError

DEATHS = 3  # of one unit, before it is given up
POISON_IN_A_ROW = 5  # units given up without one success between them: then it is not the units


class Deaths:
    """Counts the deaths of units over a run, for any engine; safe to use from several threads.

    `first_wait` is the pause in seconds after a first death; it doubles with the next and is spread by up to half, so
    that many workers that were throttled together do not come back together.
    """

    def __init__(self, spec: WorkerSpec, *, first_wait: float = 1.0) -> None:
        self._spec = spec
        self._first_wait = first_wait
        self._deaths: Counter[int] = Counter()
        self._in_a_row = 0
        self._lock = threading.Lock()

    def survived(self, unit: Unit) -> None:
        """Note that a unit was made."""
        with self._lock:
            self._in_a_row = 0
            self._deaths.pop(unit.index, None)

    def died(self, unit: Unit, error: BaseException) -> Outcome | tuple[int, float]:
        """Note a death; return (deaths, seconds to wait) to try again, or the outcome of a unit that is given up.

        Raises:
            FatalError: the error is one that trying again cannot mend, or too many units were given up in a row.
        """
        if isinstance(error, (FatalError, ConfigurationError)):
            raise error
        with self._lock:
            self._deaths[unit.index] += 1
            count = self._deaths[unit.index]
            if count < DEATHS:
                return count, self._first_wait * 2 ** (count - 1) * random.uniform(1, 1.5)
            self._in_a_row += 1
            if self._in_a_row >= POISON_IN_A_ROW:
                raise FatalError(
                    f"{self._in_a_row} units in a row were given up; the last one died of {one_line(error)}"
                )
        return self._give_up(unit, error)

    def _give_up(self, unit: Unit, error: BaseException) -> Outcome:
        reason = f"unit died {DEATHS} times: {one_line(error)}"
        failures = tuple(Failure(id=item, kind="poison", reason=reason) for item in self._spec.ids(unit))
        return Outcome(unit=unit.index, rows=0, bytes=0, failures=failures)


def one_line(error: BaseException) -> str:
    """Return an error as one line of at most 300 characters that names its type."""
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text}"[:300]
