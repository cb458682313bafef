"""Sessions that are killed, interrupted or started twice: the end is always that of one undisturbed run.

Ten rounds of each with the real stages are in `benchmarks/chaos.py`; here is one of each, with units that only write.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import commits
from pipelines.invert import invert
from pipelines.mix import mix
from stylize.storage import Storage
from tests.pipelines import drive
from tests.pipelines.drive import alive, all_gone, begin, workers
from tests.pipelines.helpers import tree
from tests.s3server import S3Server, running_server

pytestmark = pytest.mark.timeout(400)  # clusters start in seconds, and in minutes on a busy machine


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run leaves."""
    out = tmp_path_factory.mktemp("whole") / "out"
    drive.drive(out, "local")
    return tree(out)


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """An output; no process that works on it outlives the test."""
    yield tmp_path / "out"
    for pid in workers(tmp_path / "out"):
        if alive(pid) and pid != os.getpid():
            os.kill(pid, signal.SIGKILL)


def test_a_killed_session_takes_its_cluster_along_and_the_next_ends_as_if_nothing_had_been(
    out: Path, whole: dict[str, bytes]
) -> None:
    session = begin(out, "ray")
    os.killpg(session.pid, signal.SIGKILL)
    session.communicate()
    all_gone(out)
    done = len(commits.committed(Storage(out)))
    assert 0 < done < drive.UNITS
    drive.drive(out, "local")
    assert tree(out) == whole


def test_an_interrupt_from_the_terminal_ends_clean(out: Path, whole: dict[str, bytes]) -> None:
    session = begin(out, "ray")
    os.killpg(session.pid, signal.SIGINT)  # as a terminal does it: to every process of the group
    printed, errors = session.communicate()
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert set(printed.split()) == {"working"}, "Ray keeps quiet"
    all_gone(out)
    named = {file.path for unit in commits.committed(Storage(out)) for file in commits.read(Storage(out), unit).files}
    assert named == {name for name in tree(out) if name.startswith("shards/")}, "what was begun is committed"
    drive.drive(out, "local")
    assert tree(out) == whole


def test_two_sessions_started_together_end_in_one_result(out: Path, whole: dict[str, bytes]) -> None:
    command = [sys.executable, "-m", drive.MODULE, str(out), "local"]
    piped: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": drive.REPOSITORY}
    both = [subprocess.Popen(command, text=True, **piped) for _ in range(2)]
    ends = [(session.communicate()[1], session.returncode) for session in both]
    assert 0 in {code for _, code in ends}
    assert all(code == 0 or "another session" in errors for errors, code in ends)
    assert tree(out) == whole


@pytest.fixture
def flaky() -> Iterator[S3Server]:
    """A store where one request in twenty fails, each in another way."""
    dice = random.Random(7)
    with running_server() as server:
        server.rule = lambda method, path: (
            dice.choice(["503", "500", "drop", "half", "lost"]) if dice.random() < 0.05 else ""
        )
        yield server


def test_a_bucket_that_fails_gets_the_bytes_of_a_disk(
    flaky: S3Server, tmp_path: Path, tiny_model: str, dataset: Path
) -> None:
    made = {}
    for name, root, options in (("disk", str(tmp_path), None), ("bucket", "s3://bucket", flaky.options)):
        more = {"device": "cpu", "batch_size": 3, "workers": 2, "storage_options": options, "engine": "local"}
        assert invert(dataset, f"{root}/cache", model=tiny_model, unit_size=2, **more).rows == 10
        assert mix(f"{root}/cache", f"{root}/out", dataset=str(dataset), model=tiny_model, **more).rows == 10
        storage = Storage(root, options)
        paths = [path for folder in ("cache", "out") for path in storage.list(folder)]
        made[name] = {path: storage.read(path) for path in paths if "/commits/" not in path}
    assert sum(flaky.rule("", "") != "" for _ in range(1000)) > 20, "the store was flaky all the time"
    assert flaky.count("PUT") > 40
    made["bucket"]["out/run.json"] = made["bucket"]["out/run.json"].replace(b"s3://bucket", str(tmp_path).encode())
    assert made["disk"] == made["bucket"]
