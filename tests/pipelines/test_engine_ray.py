"""The Ray engine: the same promises as the local one, held while processes die, come late or never come."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import ray

from pipelines import cluster as cluster_module
from pipelines import pool as pool_module
from pipelines.engine_local import LocalEngine
from pipelines.engine_ray import RayEngine
from pipelines.events import Event, Note, UnitRetried, WorkersChanged, ignore
from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.run import execute
from pipelines.units import Unit
from stylize.errors import FatalError, TransientError
from stylize.storage import Storage
from tests.pipelines import drive
from tests.pipelines.helpers import Behaviour, CountingSpec, CountingWorker, counting_print, tree

ENGINE = RayEngine(workers=2, first_wait=0.01)
pytestmark = pytest.mark.timeout(400)  # clusters start in seconds, and in minutes on a busy machine


@pytest.fixture(scope="session", autouse=True)
def cluster() -> Iterator[None]:
    """A cluster of two CPUs, which the engine finds this process connected to."""
    os.environ |= {"RAY_worker_niceness": "0"}  # else whatever runs beside the tests goes first
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80 << 20,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()


def spec(root: Path, behave: Behaviour | None = None) -> CountingSpec:
    return CountingSpec(Storage(root), "r", {}, behave)


def units(count: int) -> list[Unit]:
    return [Unit(index=index) for index in range(count)]


def committed(root: Path) -> list[int]:
    return sorted(int(path.stem) for path in (root / "commits").glob("*.json"))


def first_time(folder: Path, name: str) -> bool:
    """Say whether this is the first call of all processes."""
    folder.mkdir(exist_ok=True)
    try:
        (folder / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def test_units_survive_errors_and_deaths_and_one_that_always_kills_is_given_up_alone(tmp_path: Path) -> None:
    marks = tmp_path / "marks"

    def behave(unit: Unit, attempt: int) -> None:
        if unit.index == 1 and first_time(marks, "stumbled"):
            raise TransientError("503 slow down")
        if unit.index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)

    events: list[Event] = []
    storage, print_ = Storage(tmp_path), counting_print(9)
    killing, engine = CountingSpec(storage, print_.digest, {}, behave), RayEngine(workers=1, first_wait=0.01)
    summary = execute(storage, print_, killing, engine=engine, files={}, on_event=events.append)
    assert (summary.units, summary.rows, summary.exit_code) == (9, 16, 3)
    assert [failure.id for failure in summary.failures] == ["3a", "3b"], "its neighbours are innocent"
    assert "unit died 3 times" in summary.failures[0].reason
    assert "the process died" in summary.failures[0].reason
    retries = [event for event in events if isinstance(event, UnitRetried)]
    assert {event.unit for event in retries} >= {1, 3}
    assert any("503 slow down" in event.reason for event in retries if event.unit == 1)


def test_a_run_on_ray_ends_in_the_bytes_of_a_local_one(tmp_path: Path, tiny_model: str, dataset: Path) -> None:
    made: dict[str, Any] = {}
    for engine in ("local", "ray"):
        options: dict[str, Any] = {"engine": engine, "workers": 2, "device": "cpu", "batch_size": 3}
        cache, out = tmp_path / engine / "cache", tmp_path / engine / "out"
        assert invert(dataset, cache, model=tiny_model, unit_size=3, **options).rows == 10
        assert mix(cache, out, per_image=2, weather=1.0, uneven=0.2, **options).rows == 20
        made[engine] = {name: data for name, data in tree(tmp_path / engine).items() if "/commits/" not in name}
    assert len(made["ray"]) > 40
    differing = [name for name in made["local"].keys() | made["ray"].keys() if differ(made, name)]
    assert differing == []


def differ(made: dict[str, dict[str, bytes]], name: str) -> bool:
    """Compare a file of both runs; where the cache was is written in `run.json`."""
    local, on_ray = made["local"].get(name, b""), made["ray"].get(name, b"")
    return local.replace(b"/local/cache", b"/ray/cache") != on_ray


class Crashing(CountingSpec):
    """A spec whose workers take their process along."""

    def create(self) -> CountingWorker:
        os._exit(1)


def test_workers_that_die_while_they_start_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "STARTS", 1)
    with pytest.raises(FatalError, match="no worker starts: the process died"):
        list(RayEngine(workers=1).run(Crashing(Storage(tmp_path), "r", {}), units(3), ignore))


def test_a_fatal_error_stops_the_run_and_what_is_in_flight_is_finished(tmp_path: Path) -> None:
    def behave(unit: Unit, attempt: int) -> None:
        time.sleep(0.3 * (unit.index > 0))
        if unit.index == 0:
            raise FatalError("the disk is full")

    with pytest.raises(FatalError, match="the disk is full"):
        list(RayEngine(workers=1).run(spec(tmp_path, behave), units(50), ignore))
    assert 1 <= len(committed(tmp_path)) <= 2


def test_a_cluster_without_room_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"no worker for .*each asks for 1 CPU and 1 GPU.*2 CPUs and 0 GPUs"):
        list(RayEngine(gpus_per_worker=1, patience=0.1).run(spec(tmp_path), units(1), ignore))
    with pytest.raises(FatalError, match="no worker fits on this machine"):
        RayEngine(gpus_per_worker=1)._pool(spec(tmp_path), 1, shared=False)


def test_a_cluster_of_our_own_that_is_gone_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "connected", lambda *_: nullcontext(False))
    monkeypatch.setattr(cluster_module, "capacity", lambda gpus: 1)
    monkeypatch.setattr(cluster_module, "alive", lambda: False)
    with pytest.raises(FatalError, match="Ray ended on this machine"):
        list(RayEngine(gpus_per_worker=1, patience=5).run(spec(tmp_path), units(1), ignore))


@ray.remote(num_cpus=1)
class Occupant:
    """Takes the place of a worker."""

    def ready(self) -> bool:
        return True


def test_a_worker_that_comes_late_takes_part(tmp_path: Path) -> None:
    def behave(unit: Unit, attempt: int) -> None:
        time.sleep(0.1 if (tmp_path / "pids" / "two").exists() else 0.3)
        first_time(tmp_path / "pids", str(os.getpid()))
        if len(list((tmp_path / "pids").iterdir())) > 1:
            first_time(tmp_path / "pids", "two")

    occupant = Occupant.remote()
    assert ray.get(occupant.ready.remote())
    numbers: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, WorkersChanged):
            numbers.append(event.workers)

    def source() -> Iterator[Unit]:
        """Give units for as long as only one process has worked."""
        for index in range(500):
            if index == 6:
                ray.kill(occupant)
            if (tmp_path / "pids" / "two").exists():
                return
            yield Unit(index=index)

    outcomes = list(RayEngine(workers=3, first_wait=0.01).run(spec(tmp_path, behave), source(), listen))
    assert numbers == [1, 2], "the third waits for room that never comes"
    assert committed(tmp_path) == sorted(outcome.unit for outcome in outcomes)


def test_an_interrupt_lets_the_units_in_flight_finish_and_the_next_session_does_the_rest(tmp_path: Path) -> None:
    storage, print_ = Storage(tmp_path), counting_print(30)
    notes: list[str] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.text)
        elif not isinstance(event, WorkersChanged) and len(committed(tmp_path)) >= 3:
            raise KeyboardInterrupt

    slow = CountingSpec(storage, print_.digest, {}, lambda unit, attempt: time.sleep(0.1))
    with pytest.raises(KeyboardInterrupt):
        execute(storage, print_, slow, engine=ENGINE, files={}, on_event=interrupt)
    assert "units in flight; interrupt again" in notes[0]
    done = committed(tmp_path)
    assert 3 <= len(done) < 30
    time.sleep(0.3)
    assert committed(tmp_path) == done, "nobody works on"
    summary = execute(storage, print_, CountingSpec(storage, print_.digest, {}), engine=LocalEngine(), files={})
    assert (summary.units, summary.skipped, summary.exit_code) == (30, len(done), 0)


def test_a_killed_driver_takes_its_workers_along_and_the_next_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    """The cluster lives on; this is also how one is joined by its address, with its token."""
    drive.drive(tmp_path / "whole", "local")
    session = drive.begin(tmp_path / "out", "ray", ray.get_runtime_context().gcs_address)
    os.kill(session.pid, signal.SIGKILL)
    session.communicate()
    assert 0 < len(committed(tmp_path / "out")) < drive.UNITS
    drive.drive(tmp_path / "out", "local")
    drive.all_gone(tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_second_interrupt_does_not_wait(tmp_path: Path) -> None:
    def behave(unit: Unit, attempt: int) -> None:
        (tmp_path / f"begun{unit.index}").touch()
        time.sleep(0 if unit.index == 0 else 600)

    def interrupt(event: Event) -> None:
        if isinstance(event, Note):
            raise KeyboardInterrupt

    outcomes = RayEngine(workers=1).run(spec(tmp_path, behave), units(3), interrupt)
    assert next(outcomes).unit == 0
    while not (tmp_path / "begun1").exists():
        time.sleep(0.01)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        outcomes.throw(KeyboardInterrupt())
    assert time.monotonic() - start < 300
    assert committed(tmp_path) == [0]


def test_nothing_to_do_needs_no_worker(tmp_path: Path) -> None:
    assert list(ENGINE.run(Crashing(Storage(tmp_path), "r", {}), [], ignore)) == []
