"""A listener hears one event at a time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from pipelines.events import Event, Note, in_turn


def test_events_of_many_threads_are_heard_one_after_the_other() -> None:
    inside, most = [], []

    def slow(event: Event) -> None:
        inside.append(event)
        most.append(len(inside))
        time.sleep(0.001)
        inside.remove(event)

    listen = in_turn(slow)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: listen(Note(text=str(n))), range(40)))
    assert max(most) == 1
    assert len(most) == 40
