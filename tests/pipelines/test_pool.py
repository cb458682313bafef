"""What an actor answers and how its end is told; the pool as a whole is tested with the engine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, OutOfMemoryError, RayError

from pipelines import cluster, pool
from pipelines.pool import Greeting, Host, Place, Pool, cause_of, portable
from pipelines.units import Outcome, Unit
from stylize.errors import BadInput, FatalError, NotFound, TransientError
from stylize.storage import Storage
from tests.pipelines.helpers import CountingSpec, CountingWorker


class Failing(CountingSpec):
    """A spec whose workers cannot start."""

    def create(self) -> CountingWorker:
        raise self.attempts[0]  # type: ignore[misc]


def started(root: Path, error: Exception | None = None) -> Greeting | Exception:
    return Host(0).start(Failing(Storage(root), "r", {0: error}) if error else CountingSpec(Storage(root), "r", {}))


def greet(root: Path, reply: Greeting | Exception) -> Place:
    """Let a pool of one take a reply."""
    pool = Pool(CountingSpec(Storage(root), "r", {}), gpus=0, size=1, most=1, grows=False)
    pool._welcome(pool.places[0], reply)
    return pool.places[0]


def test_a_host_makes_units(tmp_path: Path) -> None:
    host = Host(0)
    assert isinstance(host.start(CountingSpec(Storage(tmp_path), "r", {})), Greeting)
    outcome = host.run(Unit(index=4))
    assert isinstance(outcome, Outcome)
    assert (outcome.unit, outcome.rows) == (4, 2)


def test_an_error_of_a_unit_is_an_answer(tmp_path: Path) -> None:
    def fail(unit: Unit, attempt: int) -> None:
        raise TransientError("503")

    host = Host(0)
    host.start(CountingSpec(Storage(tmp_path), "r", {}, fail))
    reply = host.run(Unit(index=0))
    assert isinstance(reply, TransientError)
    assert str(reply) == "503"
    assert "in fail" in reply.__notes__[0]


def test_a_worker_that_must_not_start_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="the weights changed"):
        greet(tmp_path, started(tmp_path, FatalError("the weights changed")))


def test_a_folder_that_only_this_machine_sees_is_explained(tmp_path: Path) -> None:
    reply = started(tmp_path, NotFound("/data/cache/inputs.parquet does not exist"))
    assert isinstance(reply, FatalError)
    assert "inputs.parquet does not exist" in str(reply)
    assert "use URLs or a shared folder" in str(reply)


def test_a_start_that_fails_otherwise_is_tried_again(tmp_path: Path) -> None:
    place = greet(tmp_path, started(tmp_path, RuntimeError("CUDA driver is asleep")))
    assert (place.live, place.failed_starts) == (False, 1)
    assert greet(tmp_path, TransientError("503")).failed_starts == 1


def test_a_node_with_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"node far has stylize 99, this machine .*install the same"):
        greet(tmp_path, Greeting("far", 1, {"stylize": "99"}))


def test_every_place_that_fails_too_often_exhausts_the_pool(tmp_path: Path) -> None:
    made = Pool(CountingSpec(Storage(tmp_path), "r", {}), gpus=0, size=2, most=9, grows=False)
    for place in made.places:
        assert not made.exhausted
        for _ in range(pool.STARTS):
            made._fail(place, "no driver")
    assert made.exhausted
    assert made.why == "no driver"
    made.mend()
    assert made.references == [], "nothing more is tried"


class Stubborn(Exception):
    """An error that does not survive its journey."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


@pytest.mark.parametrize("error", [BadInput("label size: 1x1"), FatalError("full"), ValueError("x")])
def test_errors_travel_as_they_are(error: Exception) -> None:
    copy = portable(error)
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_an_error_that_cannot_travel_is_put_into_words() -> None:
    copy = portable(Stubborn(1, "CUDA error: an illegal memory access"))
    assert str(copy) == "Stubborn: CUDA error: an illegal memory access"


def preempted() -> ActorDiedError:
    error = ActorDiedError()
    error._preempted = True
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OutOfMemoryError("Task was killed due to the node running low on memory"), "ran out of memory"),
        (preempted(), "preempted"),
        (ActorDiedError(), "the process died"),
        (NodeDiedError("gone"), "NodeDiedError"),
        (ActorUnavailableError("no answer", b"x" * 16), "ActorUnavailableError"),
    ],
)
def test_the_end_of_an_actor_is_told_in_few_words(error: RayError, words: str) -> None:
    assert words in cause_of(error)
    assert len(cause_of(error)) < 120


@pytest.mark.parametrize(
    ("cpus", "gpus", "asked", "room"),
    [(8, 0, 0.0, 8), (8, 4, 1.0, 4), (2, 4, 1.0, 2), (8, 1, 0.5, 2), (8, 1, 0.1, 8), (8, 3, 2.0, 1), (8, 0, 1.0, 0)],
)
def test_room_is_counted_by_node(
    cpus: int, gpus: int, asked: float, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = {"Alive": True, "Resources": {"CPU": float(cpus), "GPU": float(gpus)}}
    gone = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    monkeypatch.setattr(cluster, "ray", SimpleNamespace(nodes=lambda: [node, node, gone]))
    assert cluster.capacity(asked) == 2 * room
    assert cluster.has_gpus() == (gpus > 0)
