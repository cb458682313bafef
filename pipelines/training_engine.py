"""What a training runs on: this process, or several of a Ray cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.engines import ENGINES
from stylize.errors import ConfigurationError, FatalError
from stylize.training.events import Say, silent
from stylize.training.job import Job, Summary
from stylize.training.team import Team

if TYPE_CHECKING:
    from pipelines.training_ray import RayTraining


@dataclass(frozen=True, kw_only=True)
class Processes:
    """What a training is asked to run on: the cluster at `address`, or one started here; None leaves a number open."""

    address: str | None
    workers: int | None
    gpus_per_worker: float | None


def choose(
    engine: str,
    *,
    workers: int | None = None,
    address: str | None = None,
    gpus_per_worker: float | None = None,
    device: str | None = None,
) -> Processes | None:
    """Return what Ray shall run a training on, None for this process.

    Raises:
        ConfigurationError: the options do not fit together.
    """
    if engine not in ENGINES:
        raise ConfigurationError(f"engine {engine!r} is unknown: choose one of {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise ConfigurationError(f"workers must be at least 1, not {workers}")
    place = address or os.environ.get("RAY_ADDRESS") or None
    if engine == "auto":
        engine = "ray" if place or gpus_per_worker is not None or (workers or 1) > 1 else "local"
    if engine == "ray":
        _check_gpus(gpus_per_worker, device)
        return Processes(address=place, workers=workers, gpus_per_worker=0.0 if device == "cpu" else gpus_per_worker)
    if (workers or 1) > 1:
        raise ConfigurationError(f"the local engine trains in one process: choose engine ray for {workers} workers")
    for option, value in (("an address", address), ("GPUs per worker", gpus_per_worker)):
        if value is not None:
            raise ConfigurationError(f"{option} means something to the ray engine only: choose engine ray, or leave it")
    return None


def _check_gpus(gpus: float | None, device: str | None) -> None:
    if gpus is not None and not 0 <= gpus <= 1:
        raise ConfigurationError(f"a training process computes on one GPU at most, not {gpus:g}: add workers instead")
    if device is not None and ":" in device:
        kind = device.partition(":")[0]
        raise ConfigurationError(f"a Ray worker sees only the GPUs that are its own: give device {kind}, not {device}")


def carry_out(job: Job[Summary], processes: Processes | None, on_event: Say | None) -> Summary:
    """Do a training in this process, or in those of a cluster; errors are those of the job and of `RayTraining.run`."""
    job = job.settled()
    if processes is None:
        return job.run(on_event)
    if processes.workers:
        job.check_shares(Team(processes.workers))  # here at once, and again where the number is known
    return _ray_training(processes).run(job, on_event or silent)


def _ray_training(processes: Processes) -> RayTraining:
    try:
        from pipelines.training_ray import RayTraining  # seconds, and not needed on one machine
    except ImportError as error:
        raise FatalError(
            f'training by Ray needs Ray Train ({" ".join(str(error).split())}): pip install "stylize[distributed]"'
        ) from error
    return RayTraining(address=processes.address, workers=processes.workers, gpus_per_worker=processes.gpus_per_worker)
