"""Look-ahead on threads: ordered, bounded, and errors at their turn."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.flow import Stopwatch, cores, limit_cores, make_crew, prefetch


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


def test_a_worker_beside_others_counts_only_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.flow._share", [])
    here = cores()
    limit_cores(1)
    assert cores() == 1
    limit_cores(10_000)
    assert cores() == here


def test_a_worker_has_a_thread_per_core_whatever_it_was_told_and_by_default_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.flow._share", [])
    for wanted in (1, None, cores() + 5):
        crew = make_crew(wanted)
        assert crew.size == {1: cores(), None: max(cores(), min(16, cores() + 2))}.get(wanted, cores() + 5)
        crew.shutdown()
