"""The threads of a worker: order of their calls, and who has a core when."""

from __future__ import annotations

import threading
import time

import pytest

from pipelines.crew import FINISH, LOAD, PASS, Crew
from pipelines.flow import Stopwatch


def test_a_crew_serves_the_lowest_rank_and_then_the_turn_that_was_taken_first() -> None:
    crew, order, held = Crew(1, 1, "crew"), [], threading.Event()
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
    crew = Crew(1, 1, "crew")
    turn = crew.turn(LOAD)
    broken, fine = turn.submit(int, "x"), turn.submit(int, "3")
    with pytest.raises(ValueError, match="invalid literal"):
        broken.result(5)
    assert fine.result(5) == 3
    crew.shutdown()


def test_no_more_calls_are_made_at_once_than_there_are_cores_but_those_that_read() -> None:
    crew, running, most = Crew(8, 2, "crew"), 0, 0
    watch, lock, reading = Stopwatch(crew), threading.Lock(), threading.Barrier(8)
    crew.waits["read"] = 1.0  # as long as from a bucket

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

    calls = [crew.turn(LOAD).submit(work, number) for number in range(8)]
    assert [call.result(5) for call in calls] == [None] * 8
    assert most == 2
    crew.shutdown()


def test_a_call_gives_its_core_away_only_where_waits_are_long() -> None:
    crew = Crew(2, 1, "crew")
    watch = Stopwatch(crew)

    def wait(number: int) -> tuple[int, bool]:
        with watch("read"):
            time.sleep(0.05)  # ten times what is brief: one such wait moves the mean beyond it
            # The thread of the call before may still be about to give the core back that it took meanwhile.
            deadline = time.monotonic() + (5 if number else 0)
            while not crew._free and time.monotonic() < deadline:
                time.sleep(0.001)
            return number, bool(crew._free)

    turn = crew.turn(LOAD)
    assert [turn.submit(wait, number).result(5) for number in range(3)] == [(0, False), (1, True), (2, True)]
    crew.shutdown()


def test_a_call_keeps_its_core_until_it_reads_and_another_gets_it_meanwhile() -> None:
    crew, log = Crew(2, 1, "crew"), []
    watch, crew.waits["read"] = Stopwatch(crew), 1.0
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


def test_a_thread_that_was_away_goes_before_calls_that_are_less_urgent_and_a_units_own_before_all() -> None:
    crew, order, away, back = Crew(2, 1, "crew"), [], threading.Event(), threading.Event()

    def leave(_: int) -> None:
        crew.leave()
        away.set()
        back.wait(5)
        crew.take()
        order.append("load, again")
        crew.done()

    crew.turn(LOAD).submit(leave, 0)
    assert away.wait(5)
    crew.take()
    for rank, name in ((FINISH, "finish"), (PASS, "pass")):
        crew.turn(rank).submit(order.append, name)
    back.set()
    while not crew._waiting:
        time.sleep(0.001)
    own = threading.Thread(target=lambda: (crew.take(), order.append("unit"), crew.done()))
    own.start()
    while len(crew._waiting) < 2:
        time.sleep(0.001)
    assert order == []
    crew.done()
    own.join()
    crew.shutdown()
    assert order == ["unit", "pass", "load, again", "finish"]


def test_all_cores_are_free_again_after_many_calls_from_many_threads() -> None:
    crew, done = Crew(5, 3, "crew"), []
    watch = Stopwatch(crew)

    def work(number: int) -> None:
        if number % 3 == 0:
            crew.leave()
        with watch("decode"):
            done.append(number)

    def unit(first: int) -> None:
        calls = [crew.turn(number % 3).submit(work, number) for number in range(first, first + 200)]
        for call in calls:
            call.result(5)
            with watch("encode"):
                pass

    units = [threading.Thread(target=unit, args=(200 * number,)) for number in range(4)]
    for thread in units:
        thread.start()
    for thread in units:
        thread.join()
    assert sorted(done) == list(range(800))
    assert crew._free == 3
    crew.shutdown()
    assert crew._free == 3


def test_a_call_that_was_begun_goes_on_before_later_ones_begin() -> None:
    crew = Crew(2, 1, "order")
    turn, done = crew.turn(0), []
    left, ask, end = threading.Event(), threading.Event(), threading.Event()

    def first(_: int) -> None:
        crew.leave()
        left.set()
        assert ask.wait(10)
        crew.take()
        done.append("first")
        crew.done()

    def second(_: int) -> None:
        assert end.wait(10)
        done.append("second")

    calls = [turn.submit(first, 0), turn.submit(second, 0)]
    assert left.wait(10)
    calls.append(turn.submit(lambda _: done.append("third"), 0))
    ask.set()
    while not crew._waiting:
        time.sleep(0.001)
    end.set()
    for call in calls:
        call.result(timeout=10)
    crew.shutdown()
    assert done == ["second", "first", "third"]
