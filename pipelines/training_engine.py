"""What a training runs on: this process, or several of a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.engines import on_ray
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
    several = (workers or 1) > 1
    ray, place = on_ray(
        engine, workers=workers, address=address, gpus_per_worker=gpus_per_worker, device=device, spread=several
    )
    if not ray:
        if several:
            raise ConfigurationError(f"the local engine trains in one process: choose engine ray for {workers} workers")
        return None
    if gpus_per_worker is not None and not 0 <= gpus_per_worker <= 1:
        raise ConfigurationError(
            f"a training process computes on one GPU at most, not {gpus_per_worker:g}: add workers instead"
        )
    return Processes(address=place, workers=workers, gpus_per_worker=0.0 if device == "cpu" else gpus_per_worker)


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
