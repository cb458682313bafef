"""Look-ahead on threads: ordered, bounded, and errors at their turn."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.flow import FINISH, LOAD, PASS, Cores, Crew, Stopwatch, cores, limit_cores, prefetch


def test_results_keep_the_order_of_the_items_whatever_the_threads() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.002 * (number % 5 == 0))
        return number * number

    for threads in (1, 8):
        with ThreadPoolExecutor(threads) as pool:
            assert list(prefetch(pool, slow_first, range(50), ahead=7)) == [n * n for n in range(50)]


def test_no_more_than_ahead_items_are_taken_from_the_source() -> None:
    taken = []

    def source():
        for number in range(100):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(4) as pool:
        results = prefetch(pool, lambda n: n, source(), ahead=5)
        for number in range(20):
            assert next(results) == number
            assert len(taken) <= number + 1 + 5
        results.close()


def test_an_error_comes_at_its_items_turn_and_stops_the_rest() -> None:
    started = []
    gate = threading.Event()

    def fail_on_three(number: int) -> int:
        started.append(number)
        if number == 3:
            raise ValueError("three")
        if number > 3:
            gate.wait(5)
        return number

    with ThreadPoolExecutor(1) as pool:
        results = prefetch(pool, fail_on_three, range(100), ahead=20)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)
        gate.set()
    assert len(started) < 10


def test_an_empty_source_gives_nothing() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert list(prefetch(pool, str, [], ahead=3)) == []


def test_the_stopwatch_sums_stages_over_threads() -> None:
    watch = Stopwatch()

    def work(_: int) -> None:
        with watch("read"):
            time.sleep(0.001)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    with pytest.raises(KeyError), watch("decode"):
        raise KeyError
    assert watch.seconds["read"] >= 0.008
    assert set(watch.seconds) == {"read", "decode"}


def test_a_crew_serves_the_lowest_rank_and_then_the_turn_that_was_taken_first() -> None:
    crew, order, held = Crew(1, "crew", Cores(1)), [], threading.Event()
    last, first, second = crew.turn(FINISH), crew.turn(LOAD), crew.turn(LOAD)
    blocker = first.submit(held.wait, 5)
    calls = [
        turn.submit(order.append, name)
        for name, turn in zip("cbbaab", (last, second, second, first, first, second), strict=True)
    ]
    held.set()
    crew.shutdown()
    assert blocker.result(0)
    assert all(call.done() for call in calls)
    assert order == list("aabbbc")


def test_a_crew_passes_errors_on_and_lives() -> None:
    crew = Crew(1, "crew", Cores(1))
    turn = crew.turn(LOAD)
    broken, fine = turn.submit(int, "x"), turn.submit(int, "3")
    with pytest.raises(ValueError, match="invalid literal"):
        broken.result(5)
    assert fine.result(5) == 3
    crew.shutdown()


def test_no_more_stages_compute_at_once_than_there_are_cores_and_reading_needs_none() -> None:
    watch, running, most = Stopwatch(Cores(2)), 0, 0
    lock, reading = threading.Lock(), threading.Barrier(8)

    def work(_: int) -> None:
        nonlocal running, most
        with watch("read"):
            reading.wait(5)  # all eight at once
        with watch("decode"), watch("model"):  # one within the other takes one core
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.002)
            with lock:
                running -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert most == 2


def test_a_call_keeps_its_core_until_it_reads_and_another_gets_it_meanwhile() -> None:
    shared = Cores(1)
    watch, crew, log = Stopwatch(shared), Crew(2, "crew", shared), []
    busy, lent = threading.Event(), threading.Event()

    def keeping(_: int) -> None:
        with watch("decode"):
            busy.set()
        time.sleep(0.02)  # between stages: nobody else gets the core
        with watch("recolour"):
            log.append("kept")
        with watch("read"):
            lent.wait(5)
        with watch("encode"):
            log.append("back")

    def waiting(_: int) -> None:
        busy.wait(5)
        with watch("decode"):
            log.append("lent")
            lent.set()

    calls = [crew.turn(LOAD).submit(keeping, 0), crew.turn(LOAD).submit(waiting, 0)]
    assert [call.result(5) for call in calls] == [None, None]
    assert log == ["kept", "lent", "back"]
    crew.shutdown()


def test_a_core_goes_to_the_most_urgent_that_waits_for_it() -> None:
    shared, order, began = Cores(1), [], threading.Semaphore(0)
    watch, crew = Stopwatch(shared), Crew(3, "crew", shared)

    def work(name: str) -> None:
        began.release()
        with watch("decode"):
            order.append(name)

    with watch("model"):
        for name, rank in (("finish", FINISH), ("load", LOAD), ("pass", PASS)):
            crew.turn(rank).submit(work, name)
        for _ in range(3):
            began.acquire(timeout=5)
        while len(shared._waiting) < 3:
            time.sleep(0.001)
        assert order == []
    crew.shutdown()
    assert order == ["pass", "load", "finish"]


def test_a_worker_beside_others_counts_only_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.flow._share", [])
    here = cores()
    limit_cores(1)
    assert cores() == 1
    limit_cores(10_000)
    assert cores() == here
