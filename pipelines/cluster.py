"""The connection to a Ray cluster: joins the one at an address, or starts one on this machine and stops it again."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Read when Ray is imported and when a cluster starts, hence before the import below.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # no reports to anybody
# Drops what Ray would print on our stdout about dead workers, between the lines of a command: a death reaches the
# user as an event with the unit that it cost. The full story is in the logs of Ray's session folder.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")

import ray
from ray.exceptions import RayError

from stylize.errors import ConfigurationError, FatalError

OBJECT_STORE = 80 << 20  # bytes; the least Ray takes is 75 MiB
ANSWER = 20.0  # seconds that a cluster may take to accept a connection
CPUS = 1  # that a worker asks for; on a GPU its threads are mostly waiting for it


@contextmanager
def connected(address: str | None, workers: int | None) -> Iterator[bool]:
    """Connect this process to a cluster for the length of the block; gives whether others may add machines to it.

    A connection that the caller's program has made already is used as it is and left open. `workers` is how many a
    cluster of our own must have room for.

    Raises:
        ConfigurationError: the address is none of a cluster's own.
        FatalError: there is no cluster at the address, or it does not let us in.
    """
    if ray.is_initialized():
        yield True
        return
    try:
        if address is None or address == "local":
            _start(workers)
        else:
            _join(address)
        yield address not in (None, "local")
    finally:
        ray.shutdown()  # ends our workers; of an own cluster, everything


def _start(workers: int | None) -> None:
    try:
        _init_own(workers)
    except Exception as error:  # Ray raises a bare one when its processes take too long to come up
        said = " ".join(str(error).split())[:300]
        raise FatalError(
            f"Ray does not start on this machine ({said}): try again when it is less busy, or give an --address"
        ) from error


def _init_own(workers: int | None) -> None:
    ray.init(
        # Without it Ray would join whatever cluster it finds traces of on this machine.
        address="local",
        # Counted by Ray, which knows the limits of containers, unless more workers are asked for than there are cores.
        num_cpus=workers and max(workers, os.cpu_count() or 1),
        # Pixels never pass through the object store and outcomes are small enough to travel in messages, so the usual
        # 30 % of the memory would be taken from the workers for nothing. It lies in /dev/shm, 64 MB in most
        # containers; Ray then warns and uses /tmp, which is as good for us.
        object_store_memory=OBJECT_STORE,
        include_dashboard=False,  # a web server that nobody asked for, and some hundred megabytes
        **_common(),
    )


def _join(address: str) -> None:
    if address.startswith("ray://"):
        raise ConfigurationError(
            f"{address} is a Ray Client address, whose runs end with the connection: submit the command with "
            "`ray job submit`, or give the cluster's own address, such as head:6379"
        )
    if not _answers(address):
        raise FatalError(f"nobody answers at {address}: start a cluster there with `ray start --head`, or correct it")
    try:
        # Nothing about resources here: an existing cluster has them already and refuses to be told.
        ray.init(address=address, **_common())
    except (RayError, OSError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        raise FatalError(
            f"cannot join the Ray cluster at {address} ({said}); see `ray status --address {address}`, "
            "and if it asks for a token set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        ) from error


def _answers(address: str) -> bool:
    """Say whether anybody listens at HOST:PORT; Ray itself would try for many minutes, and then end the process."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return True  # such as "auto", which Ray resolves
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER):
            return True
    except OSError:
        return False


def _common() -> dict[str, Any]:
    """Return the settings for both ways.

    There is no runtime_env: it would ship our sources to every node and install packages at run time. The nodes have
    `stylize` installed, or run its container. Authentication is left to Ray's own variables (RAY_AUTH_MODE,
    RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH), which it passes on to the processes of a cluster of our own.
    """
    return {
        "namespace": "stylize",  # actors have no names, so runs that share a cluster cannot meet
        "log_to_driver": False,  # what libraries print in a worker is no concern of the user's terminal
        "logging_level": logging.ERROR,
    }


def capacity(gpus: float) -> int:
    """Return for how many workers, of `gpus` GPUs each, the nodes of the cluster would have room if all were free."""
    return sum(_room(node["Resources"], gpus) for node in ray.nodes() if node["Alive"])


def _room(resources: dict[str, float], gpus: float) -> int:
    by_cpu = int(resources.get("CPU", 0) // CPUS)
    return min(by_cpu, int(resources.get("GPU", 0) / gpus + 1e-6)) if gpus else by_cpu


def alive() -> bool:
    """Say whether any node is left; Ray gives up one that does not answer for some seconds, and never takes it back."""
    return any(node["Alive"] for node in ray.nodes())


def has_gpus() -> bool:
    """Say whether any node has a GPU."""
    return any(node["Alive"] and node["Resources"].get("GPU", 0) > 0 for node in ray.nodes())


def describe() -> str:
    """Return what the cluster has, for messages: `3 nodes with 24 CPUs and 4 GPUs`."""
    total, nodes = ray.cluster_resources(), sum(node["Alive"] for node in ray.nodes())
    has = f"{total.get('CPU', 0):g} CPUs and {total.get('GPU', 0):g} GPUs"
    return f"{nodes} node{'' if nodes == 1 else 's'} with {has}"
