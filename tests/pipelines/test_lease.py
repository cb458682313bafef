"""One session per output: the second is refused, a dead one is outlived, a robbed one stops."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines.engine_local import LocalEngine
from pipelines.lease import LEASE, born, hold, machine
from pipelines.run import execute
from pipelines.units import Unit
from stylize.errors import ConfigurationError, FatalError
from stylize.storage import Storage
from tests.pipelines.helpers import CountingSpec, counting_print


def leave(root: Path, **fields: object) -> None:
    """Write the lease of somebody else."""
    root.mkdir(exist_ok=True)
    here = {"host": socket.gethostname(), "machine": machine(), "pid": 1, "born": born(1)}
    (root / LEASE).write_text(json.dumps({"beat": 3, "token": "x", **here, **fields}))


def test_the_lease_is_there_while_held_and_gone_after(tmp_path: Path) -> None:
    with hold(Storage(tmp_path)):
        assert json.loads((tmp_path / LEASE).read_text())["pid"] == os.getpid()
    assert not (tmp_path / LEASE).exists()
    with pytest.raises(KeyboardInterrupt), hold(Storage(tmp_path)):
        raise KeyboardInterrupt
    assert not (tmp_path / LEASE).exists()


def test_a_second_session_is_refused_at_once(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigurationError, match=f"process {os.getpid()}.*wait until it has")
    with hold(Storage(tmp_path)), refused, hold(Storage(tmp_path)):
        raise AssertionError("two sessions hold one output")


def test_of_many_that_start_together_one_wins(tmp_path: Path) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(8)
    leave_together = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        try:
            with hold(Storage(tmp_path)):
                outcomes.append("won")
                leave_together.wait()
        except ConfigurationError:
            outcomes.append("refused")
            leave_together.wait()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["won"]


def test_a_killed_session_of_this_host_is_outlived_at_once(tmp_path: Path) -> None:
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    leave(tmp_path, pid=int(process.stdout), born="1")
    with hold(Storage(tmp_path), dead=1000):
        assert json.loads((tmp_path / LEASE).read_text())["pid"] == os.getpid()


def test_a_killed_session_is_outlived_though_its_number_was_given_again(tmp_path: Path) -> None:
    leave(tmp_path, pid=os.getpid(), born="1")  # as in a container whose main process was started again
    with hold(Storage(tmp_path), dead=1000):
        assert json.loads((tmp_path / LEASE).read_text())["born"] == born(os.getpid()) != "1"


def test_a_machine_of_the_same_name_is_another(tmp_path: Path) -> None:
    leave(tmp_path, machine="other", pid=os.getpid(), born="1")
    timer = threading.Timer(0.1, lambda: leave(tmp_path, machine="other", pid=os.getpid(), born="1", beat=4))
    timer.start()
    with pytest.raises(ConfigurationError, match="another session"), hold(Storage(tmp_path), dead=1.5):
        raise AssertionError("taken from a living session")
    timer.join()


def test_a_session_of_another_host_is_outlived_when_its_beat_stands_still(tmp_path: Path) -> None:
    leave(tmp_path, host="elsewhere", machine="other")
    with hold(Storage(tmp_path), dead=0.05):
        assert json.loads((tmp_path / LEASE).read_text())["host"] == socket.gethostname()


def test_a_session_of_another_host_that_beats_is_respected(tmp_path: Path) -> None:
    leave(tmp_path, host="elsewhere", machine="other")
    timer = threading.Timer(0.1, lambda: leave(tmp_path, host="elsewhere", machine="other", beat=4))
    timer.start()
    with pytest.raises(ConfigurationError, match="host elsewhere"), hold(Storage(tmp_path), dead=1.5):
        raise AssertionError("taken from a living session")
    timer.join()


def test_a_damaged_lease_does_not_block_for_ever(tmp_path: Path) -> None:
    (tmp_path / LEASE).write_bytes(b"{")
    with hold(Storage(tmp_path), dead=0.05) as lease:
        lease.check()


def test_the_holder_beats_and_notices_when_it_is_robbed(tmp_path: Path) -> None:
    with hold(Storage(tmp_path), beat=0.01) as lease:
        while json.loads((tmp_path / LEASE).read_text())["beat"] < 3:
            time.sleep(0.005)
        lease.check()
        leave(tmp_path, token="thief")
        while not lease._lost:
            time.sleep(0.005)
        with pytest.raises(FatalError, match="took over"):
            lease.check()
    assert json.loads((tmp_path / LEASE).read_text())["token"] == "thief", "the thief's lease is left alone"


def test_two_runs_on_one_output_do_not_mix(tmp_path: Path) -> None:
    """The second run starts while the first is in the middle, with another configuration and --overwrite."""
    storage, first, second = Storage(tmp_path), counting_print(4, seed=1), counting_print(4, seed=2)

    def intrude(unit: Unit, attempt: int) -> None:
        spec = CountingSpec(storage, second.digest, {})
        with pytest.raises(ConfigurationError, match="another session"):
            execute(storage, second, spec, engine=LocalEngine(), files={}, overwrite=True)

    spec = CountingSpec(storage, first.digest, {}, intrude)
    assert execute(storage, first, spec, engine=LocalEngine(workers=1), files={}).rows == 8
    assert not (tmp_path / LEASE).exists()
