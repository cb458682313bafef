"""Status counts from commit records alone: a run that is half done, one that stands still, one that is finished."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipelines import commits
from pipelines.commits import Commit
from pipelines.engine_local import LocalEngine
from pipelines.fingerprint import claim
from pipelines.lease import LEASE, hold, machine
from pipelines.run import execute
from pipelines.status import status
from pipelines.units import Failure
from stylize.errors import ConfigurationError
from stylize.storage import Storage
from tests.pipelines.helpers import CountingSpec, counting_print


def half_done(root: Path, ended: float) -> Storage:
    """Four of ten units, two rows or failures each, one every five seconds from two workers until `ended`."""
    storage, print_ = Storage(root), counting_print(10)
    claim(storage, print_)
    for unit in range(4):
        failures = (Failure(id="x", kind="bad-input", reason="label size: 1x1"),) if unit == 2 else ()
        last = ended - 5 * (3 - unit)
        commit = Commit(
            run=print_.digest,
            unit=unit,
            rows=2 - len(failures),
            files=(),
            failures=failures,
            seconds={"read": 1.0, "model": 3.0},
            span=(last - 5, last),
        )
        commits.write(storage, commit)
    return storage


def test_a_run_in_progress_tells_how_far_how_fast_and_how_long(tmp_path: Path) -> None:
    half_done(tmp_path, time.time() - 3)
    with hold(Storage(tmp_path)):
        now = status(str(tmp_path))
    assert (now.done.units, now.total_units, now.inputs, now.finished, now.active) == (4, 10, 20, False, True)
    assert (now.done.rows, now.done.failed, now.done.causes) == (7, 1, {"label size": 1})
    assert now.done.seconds == {"model": 12.0, "read": 4.0}
    assert now.rate == pytest.approx(8 / 20, rel=0.01)
    assert now.remaining == pytest.approx(12 / 0.4, rel=0.01)
    assert 3 <= now.silent < 30


def test_a_run_whose_session_has_ended_is_not_active(tmp_path: Path) -> None:
    half_done(tmp_path, time.time() - 3)
    assert not status(str(tmp_path)).active


def test_a_run_whose_session_was_killed_is_not_active(tmp_path: Path) -> None:
    storage = half_done(tmp_path, time.time() - 3)
    storage.write_json(LEASE, {"host": "here", "machine": machine(), "pid": os.getpid(), "born": "earlier"})
    assert not status(str(tmp_path)).active


def test_a_run_that_stands_still_is_not_active(tmp_path: Path) -> None:
    half_done(tmp_path, time.time() - 3600)
    with hold(Storage(tmp_path)):
        now = status(str(tmp_path))
    assert not now.active
    assert now.silent == pytest.approx(3600, abs=30)


def test_the_rate_is_that_of_the_latest_work_and_not_of_the_night_between(tmp_path: Path) -> None:
    storage = half_done(tmp_path, time.time() - 50_000)
    ended = time.time()
    digest = counting_print(10).digest
    commits.write(storage, Commit(run=digest, unit=4, rows=2, files=(), span=(ended - 1, ended)))
    assert status(str(tmp_path)).rate == pytest.approx(2.0, rel=0.01)


def test_a_run_that_has_just_begun_knows_no_rate(tmp_path: Path) -> None:
    claim(Storage(tmp_path), counting_print(10))
    with hold(Storage(tmp_path)):
        now = status(str(tmp_path))
    assert (now.done.units, now.rate, now.remaining, now.silent, now.active) == (0, 0.0, 0.0, 0.0, True)


def test_a_finished_run_has_nothing_left(tmp_path: Path) -> None:
    storage, print_ = Storage(tmp_path), counting_print(3)
    spec = CountingSpec(storage, print_.digest, {})
    execute(storage, print_, spec, engine=LocalEngine(), files={})
    now = status(str(tmp_path))
    assert now.finished
    assert not now.active
    assert (now.done.units, now.remaining) == (3, 0.0)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no run\.json"):
        status(str(tmp_path))
