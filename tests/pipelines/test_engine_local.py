"""The local engine: every unit once, retries, poison, and a clean end whatever stops it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pipelines.engine_local import LocalEngine
from pipelines.engines import make_engine
from pipelines.events import Event, UnitRetried, ignore
from pipelines.units import Unit
from stylize.errors import ConfigurationError, FatalError, TransientError
from stylize.storage import Storage
from tests.pipelines.helpers import Behaviour, CountingSpec

ENGINE = LocalEngine(first_wait=0.001)


def spec(root: Path, behave: Behaviour | None = None) -> CountingSpec:
    return CountingSpec(Storage(root), "r", {}, behave)


def units(count: int) -> list[Unit]:
    return [Unit(index=index) for index in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_unit_is_run_once_and_the_worker_closed(tmp_path: Path, workers: int) -> None:
    counting = spec(tmp_path)
    outcomes = list(LocalEngine(workers=workers).run(counting, iter(units(9)), ignore))
    assert sorted(outcome.unit for outcome in outcomes) == list(range(9))
    assert counting.attempts == {**dict.fromkeys(range(9), 1), -1: 1}


def test_nothing_to_do_makes_no_worker(tmp_path: Path) -> None:
    counting = spec(tmp_path)
    assert list(ENGINE.run(counting, [], ignore)) == []
    assert counting.attempts == {}


def test_units_are_taken_only_as_workers_come_free(tmp_path: Path) -> None:
    taken: list[int] = []

    def source():
        for unit in units(50):
            taken.append(unit.index)
            yield unit

    for done, _ in enumerate(LocalEngine(workers=3).run(spec(tmp_path), source(), ignore), 1):
        assert len(taken) <= done + 6


def test_two_units_are_in_flight_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=5)
    outcomes = ENGINE.run(spec(tmp_path, lambda unit, attempt: together.wait() and None), units(4), ignore)
    assert len(list(outcomes)) == 4


def test_a_passing_error_is_tried_again_and_told(tmp_path: Path) -> None:
    def stumble(unit: Unit, attempt: int) -> None:
        if unit.index == 2 and attempt < 3:
            raise TransientError("503 slow down")

    events: list[Event] = []
    counting = spec(tmp_path, stumble)
    outcomes = list(ENGINE.run(counting, units(5), events.append))
    assert not any(outcome.poisoned for outcome in outcomes)
    assert counting.attempts[2] == 3
    retries = [event for event in events if isinstance(event, UnitRetried)]
    assert [(event.unit, event.attempt) for event in retries] == [(2, 1), (2, 2)]
    assert "503" in retries[0].reason


def test_a_unit_that_always_dies_is_given_up_and_the_others_are_made(tmp_path: Path) -> None:
    def die(unit: Unit, attempt: int) -> None:
        if unit.index == 1:
            raise RuntimeError("unexpected")

    counting = spec(tmp_path, die)
    outcomes = {outcome.unit: outcome for outcome in ENGINE.run(counting, units(4), ignore)}
    assert len(outcomes) == 4
    assert outcomes[1].poisoned
    assert [failure.id for failure in outcomes[1].failures] == ["1a", "1b"]
    assert counting.attempts[1] == 3


def test_a_fatal_error_stops_at_once_and_the_units_in_flight_finish(tmp_path: Path) -> None:
    finished = []

    def behave(unit: Unit, attempt: int) -> None:
        if unit.index == 0:
            raise FatalError("the disk is full")
        time.sleep(0.05)
        finished.append(unit.index)

    counting = spec(tmp_path, behave)
    with pytest.raises(FatalError, match="disk is full"):
        list(ENGINE.run(counting, units(50), ignore))
    assert finished
    assert len(finished) < 10
    assert sorted(finished) == sorted(int(p.stem) for p in (tmp_path / "commits").iterdir())
    assert counting.attempts[-1] == 1


def test_an_interrupt_between_units_lets_those_in_flight_finish(tmp_path: Path) -> None:
    counting = spec(tmp_path, lambda unit, attempt: time.sleep(0.01))
    outcomes = ENGINE.run(counting, units(50), ignore)
    next(outcomes)
    with pytest.raises(KeyboardInterrupt):
        outcomes.throw(KeyboardInterrupt())
    assert counting.attempts.pop(-1) == 1
    assert len(list((tmp_path / "commits").iterdir())) == len(counting.attempts) < 10


def test_a_unit_that_waits_for_its_retry_does_not_hold_up_the_end(tmp_path: Path) -> None:
    def behave(unit: Unit, attempt: int) -> None:
        if unit.index == 0:
            raise TransientError("503")
        time.sleep(0.02)
        raise FatalError("stop")

    start = time.monotonic()
    with pytest.raises(FatalError):
        list(LocalEngine(first_wait=60).run(spec(tmp_path, behave), units(2), ignore))
    assert time.monotonic() - start < 30


def test_engines_are_chosen_by_name() -> None:
    assert make_engine("auto", workers=3) == make_engine("local", workers=3) == LocalEngine(workers=3)
    with pytest.raises(ConfigurationError, match="engine 'spark' is unknown"):
        make_engine("spark")
    with pytest.raises(ConfigurationError, match="at least 1"):
        make_engine(workers=0)
