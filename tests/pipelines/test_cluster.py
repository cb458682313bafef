"""How a cluster is found, or not; that one is joined and started for real is tested with the engine."""

from __future__ import annotations

import ast
import logging
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pipelines
from pipelines import cluster
from stylize.errors import ConfigurationError, FatalError


def imported(source: Path) -> list[str]:
    """Return the modules that a file imports at its top, in order."""
    names = []
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def test_what_ray_reads_when_it_is_imported_is_set_before() -> None:
    wrong = []
    for source in Path(pipelines.__file__).parent.glob("*.py"):
        names = imported(source)
        if source.name != "cluster.py" and "ray" in names:
            before = names[: names.index("ray")]
            wrong += [] if "pipelines.cluster" in before else [source.name]
    assert not wrong, "Ray would print on stdout what became of its workers"
    assert os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] == ".*"


class FakeRay:
    """Remembers how it was started."""

    def __init__(self, error: Exception | None = None) -> None:
        self.settings: dict[str, Any] = {}
        self.error = error
        self.ended = 0

    def is_initialized(self) -> bool:
        return False

    def init(self, **settings: Any) -> None:
        self.settings = settings
        if self.error:
            raise self.error

    def shutdown(self) -> None:
        self.ended += 1


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setattr(cluster, "ray", fake)
    return fake


@pytest.mark.parametrize("address", [None, "local"])
def test_a_cluster_of_our_own_is_small_quiet_and_ended(ray: FakeRay, address: str | None) -> None:
    with cluster.connected(address, None) as shared:
        assert not shared
        assert ray.settings["address"] == "local", "else Ray joins whatever runs on this machine"
        assert ray.settings["object_store_memory"] < 100e6
        assert (ray.settings["include_dashboard"], ray.settings["log_to_driver"]) == (False, False)
        assert ray.settings["logging_level"] == logging.ERROR
        assert "runtime_env" not in ray.settings
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert ray.ended == 1


def test_a_cluster_of_our_own_has_room_for_the_workers_asked_for(ray: FakeRay) -> None:
    with cluster.connected(None, 64):
        assert ray.settings["num_cpus"] == max(64, os.cpu_count() or 1)


def test_a_cluster_that_does_not_start_is_told_with_the_remedy(ray: FakeRay) -> None:
    ray.error = Exception("The current node timed out\nduring startup.")
    with pytest.raises(FatalError, match=r"not start .*node timed out during startup.*: try again .* --address"):
        cluster.connected(None, None).__enter__()


def test_a_cluster_at_an_address_is_joined_as_it_is(ray: FakeRay) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with cluster.connected(address, 3) as shared:
            assert shared
            assert ray.settings.keys() == {"address", "namespace", "log_to_driver", "logging_level"}
    assert ray.ended == 1


def test_an_address_where_nobody_answers_is_told_at_once(ray: FakeRay) -> None:
    with (
        pytest.raises(FatalError, match=r"nobody answers at 127\.0\.0\.1:1: start a cluster"),
        cluster.connected("127.0.0.1:1", None),
    ):
        raise AssertionError("connected to nobody")
    assert ray.settings == {}


def test_a_cluster_that_does_not_let_us_in_is_told_with_the_remedy(ray: FakeRay) -> None:
    ray.error = ConnectionError("Could not find any\nrunning Ray instance")
    refused = pytest.raises(FatalError, match=r"at auto .*find any running.*RAY_AUTH_TOKEN")
    with refused, cluster.connected("auto", None):
        raise AssertionError("connected to nobody")
    assert ray.ended == 1


def test_the_address_of_a_ray_client_is_refused(ray: FakeRay) -> None:
    with pytest.raises(ConfigurationError, match="ray job submit"), cluster.connected("ray://head:10001", None):
        raise AssertionError("connected")


def test_a_connection_of_the_caller_is_used_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ray", SimpleNamespace(is_initialized=lambda: True))
    with cluster.connected("elsewhere:1", None) as shared:
        assert shared
