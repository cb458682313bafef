"""The engine that a command's `--engine`, `--address`, `--workers` and `--gpus-per-worker` ask for."""

from __future__ import annotations

import os

from pipelines.engine_local import LocalEngine
from pipelines.units import Engine
from stylize.errors import ConfigurationError, FatalError

ENGINES = ("auto", "local", "ray")


def make_engine(
    name: str = "auto",
    *,
    workers: int | None = None,
    address: str | None = None,
    gpus_per_worker: float | None = None,
    device: str | None = None,
) -> Engine:
    """Return the engine of a name in `ENGINES`.

    "auto" is "ray" when a cluster is named, by `address` or in the variable RAY_ADDRESS, or when `gpus_per_worker` is
    given; otherwise "local", which never imports Ray.

    Args:
        workers: of the local engine, the units in flight in this one process (default: one per core, 2 to 8, since a
            unit computes on one thread and the memory for its pictures counts as often); of the Ray engine, the number
            of processes (default: all that the cluster has room for).
        address: the Ray cluster's; without it, RAY_ADDRESS, or else a cluster is started on this machine.
        gpus_per_worker: GPUs of each Ray worker, also fractions (default: one if the cluster has any and `device`
            is not the CPU).

    Raises:
        ConfigurationError: the options do not fit together.
    """
    ray, place = on_ray(name, workers=workers, address=address, gpus_per_worker=gpus_per_worker, device=device)
    if ray:
        return _ray_engine(place, workers, gpus_per_worker, device)
    return LocalEngine(workers=workers or max(2, min(8, os.cpu_count() or 1)))


def on_ray(
    name: str,
    *,
    workers: int | None,
    address: str | None,
    gpus_per_worker: float | None,
    device: str | None,
    spread: bool = False,
) -> tuple[bool, str | None]:
    """Return whether an engine of `ENGINES` is Ray's, and the address of its cluster when one is named.

    `spread` says that "auto" is "ray" for whatever else the options ask for.

    Raises:
        ConfigurationError: the options do not fit together.
    """
    if name not in ENGINES:
        raise ConfigurationError(f"engine {name!r} is unknown: choose one of {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise ConfigurationError(f"workers must be at least 1, not {workers}")
    place = address or os.environ.get("RAY_ADDRESS") or None
    if name == "ray" or (name == "auto" and (place or gpus_per_worker is not None or spread)):
        if device is not None and ":" in device:
            kind = device.partition(":")[0]
            raise ConfigurationError(
                f"a Ray worker sees only the GPUs that are its own: give device {kind}, not {device}"
            )
        return True, place
    for option, value in (("an address", address), ("GPUs per worker", gpus_per_worker)):
        if value is not None:
            raise ConfigurationError(f"{option} means something to the ray engine only: choose engine ray, or leave it")
    return False, None


def _ray_engine(address: str | None, workers: int | None, gpus: float | None, device: str | None) -> Engine:
    if gpus is not None and (gpus < 0 or (gpus > 1 and gpus != int(gpus))):
        raise ConfigurationError(f"GPUs per worker must be a fraction of one or a whole number, not {gpus:g}")
    if device == "cpu":
        gpus = 0.0
    try:
        from pipelines.engine_ray import RayEngine  # a second, and not needed on one machine
    except ImportError as error:
        raise FatalError(f'the ray engine needs Ray ({error}): pip install "ray>=2.40"') from error
    return RayEngine(address=address, workers=workers, gpus_per_worker=gpus)
