"""What is handed out when: the list in order, retries once their pause is over, suspects apart from all others."""

from __future__ import annotations

import pytest

from pipelines.backlog import Backlog
from pipelines.units import Unit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def backlog(count: int, clock: Clock) -> Backlog:
    return Backlog((Unit(index=index) for index in range(count)), clock=clock)


def drained(source: Backlog) -> list[int]:
    taken = []
    while (unit := source.take()) is not None:
        taken.append(unit.index)
    return taken


def test_units_come_in_order_and_are_taken_one_at_a_time(clock: Clock) -> None:
    pulled: list[int] = []

    def source():
        for index in range(5):
            pulled.append(index)
            yield Unit(index=index)

    given = Backlog(source(), clock=clock)
    assert given.take() == Unit(index=0)
    assert len(pulled) <= 2
    assert drained(given) == [1, 2, 3, 4]
    assert given.empty


def test_no_units_are_no_work(clock: Clock) -> None:
    assert backlog(0, clock).empty


def test_a_retry_waits_for_its_time_and_then_goes_first(clock: Clock) -> None:
    given = backlog(4, clock)
    first = given.take()
    assert first is not None
    given.put_back(first, 2.0, alone=False)
    assert given.take() == Unit(index=1)
    assert given.pause() == pytest.approx(2.0)
    clock.now += 2.0
    assert drained(given) == [0, 2, 3]
    assert given.pause() == float("inf")


def test_a_backlog_with_a_waiting_retry_is_not_empty(clock: Clock) -> None:
    given = backlog(1, clock)
    unit = given.take()
    assert unit is not None
    given.put_back(unit, 5.0, alone=False)
    assert given.take() is None
    assert not given.empty


def test_suspects_are_kept_apart_and_stay_suspects(clock: Clock) -> None:
    given = backlog(3, clock)
    unit = given.take()
    assert unit is not None
    given.put_back(unit, 1.0, alone=True)
    assert given.suspects() == 0
    clock.now += 1.0
    assert given.suspects() == 1
    assert drained(given) == [1, 2]
    assert given.pause() == float("inf"), "it is due, and waits for a worker"
    assert given.take_suspect() == unit
    given.put_back(unit, 1.0, alone=False)  # this time it only raised an error
    clock.now += 1.0
    assert given.suspects() == 1
    assert not given.empty
