"""A training in several processes under Ray Train, which restarts them from the last checkpoint when one is lost."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass, replace
from typing import Any

from pipelines import cluster  # first: it tells Ray what to leave alone before Ray is imported

# A working folder of Ray's own for every worker would change what relative paths mean, and nobody looks at its metrics.
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("RAY_TRAIN_METRICS_ENABLED", "0")

import ray
import ray.train
import ray.train.torch
import torch

from pipelines.deaths import one_line
from stylize.errors import FatalError, StylizeError, TransientError
from stylize.training.events import Say, TrainingEvent, note
from stylize.training.job import Job, Summary
from stylize.training.team import ProcessTeam

POLL = 0.5  # seconds between two looks at what the workers tell
RESTARTS = 3  # from the last checkpoint, before a run is given up
PATIENCE = 1800  # seconds that a worker waits for the others; dead ones are noticed at once by Ray


@dataclass(frozen=True, kw_only=True)
class RayTraining:
    """Runs a training on a cluster at an address, or on one that is started here."""

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float | None = None

    def run(self, job: Job[Summary], on_event: Say) -> Summary:
        """Do a job in every worker; return what the one that leads returns.

        Raises:
            FatalError: the cluster has no room, or workers were lost too often; the same call goes on.
        """
        with cluster.connected(self.address, self.workers):
            gpus = self.gpus_per_worker
            gpus = float(cluster.has_gpus()) if gpus is None else gpus
            workers = self.workers or (cluster.capacity(gpus) if gpus else 1)
            self._check_room(workers, gpus)
            relay = Relay.remote()  # type: ignore[attr-defined]
            with tempfile.TemporaryDirectory(prefix="stylize-ray-") as scratch:
                trainer = _trainer(workers, gpus, scratch, {"job": job, "relay": relay})
                error = _follow(trainer, relay, on_event)
            summary: Summary = _outcome(relay, error)
            return summary

    def _check_room(self, workers: int, gpus: float) -> None:
        room = cluster.capacity(gpus)
        if not workers or workers > room:
            raise FatalError(
                f"no room for {max(workers, 1)} workers of {cluster.CPUS} CPU"
                + (f" and {gpus:g} GPU" if gpus else "")
                + f" each on {cluster.describe()}: lower --workers or --gpus-per-worker, or add machines"
            )


@ray.remote(num_cpus=0)
class Relay:
    """Carries what the leading worker tells to the driver, and the driver's wish to stop back; outlives workers."""

    def __init__(self) -> None:
        self._events: list[TrainingEvent] = []
        self._attempts = 0
        self._outcome: tuple[Any, StylizeError | None] | None = None
        self._stopped = False

    def begin(self) -> int:
        """Count an attempt of the workers; return its number, from 1."""
        self._attempts += 1
        return self._attempts

    def say(self, event: TrainingEvent) -> bool:
        """Take an event; return whether the driver wants no more."""
        self._events.append(event)
        return self._stopped

    def take(self) -> list[TrainingEvent]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    def end(self, result: Any, error: StylizeError | None) -> None:
        """Take the result, or the error after which another attempt makes no sense; the first counts."""
        self._outcome = self._outcome or (result, error)

    def outcome(self) -> tuple[Any, StylizeError | None] | None:
        """Return what `end` took."""
        return self._outcome

    def stop(self) -> None:
        """Have the workers end at their next event."""
        self._stopped = True


class Stopped(Exception):
    """The driver wants no more."""


def _trainer(workers: int, gpus: float, scratch: str, config: dict[str, Any]) -> ray.train.torch.TorchTrainer:
    # NCCL refuses two processes on one GPU, gloo does not.
    backend = "nccl" if gpus == 1 else "gloo"
    return ray.train.torch.TorchTrainer(
        _work,
        train_loop_config=config,
        torch_config=ray.train.torch.TorchConfig(backend=backend, timeout_s=PATIENCE),
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers,
            use_gpu=gpus > 0,
            resources_per_worker={"CPU": cluster.CPUS} | ({"GPU": gpus} if gpus else {}),
        ),
        run_config=ray.train.RunConfig(
            name="training",
            storage_path=scratch,  # of what Ray notes itself; checkpoints are in the run's own folder
            failure_config=ray.train.FailureConfig(
                max_failures=RESTARTS,
                controller_failure_limit=RESTARTS,  # type: ignore[call-arg] # the types are those of version 1
            ),
        ),
    )


def _work(config: dict[str, Any]) -> None:
    """Train in one worker. What cannot succeed another time ends the run, anything else has Ray start all anew."""
    relay, job = config["relay"], config["job"]
    if ray.get(relay.outcome.remote()) is not None:
        return  # Ray starts again whatever the error was
    device: torch.device = ray.train.torch.get_device()
    team = ProcessTeam(device, ray.train.get_context().get_local_rank())

    def say(event: TrainingEvent) -> None:
        if ray.get(relay.say.remote(event)):
            raise Stopped

    if team.leads:
        attempt = ray.get(relay.begin.remote())
        job = replace(job, overwrite=job.overwrite and attempt == 1)
        if attempt > 1:
            say(note("a worker was lost: starting again from the last checkpoint"))
    try:
        result = replace(job, device=str(device)).run(say, team)
    except TransientError:
        raise
    except StylizeError as error:
        ray.get(relay.end.remote(None, error))
        raise
    if team.leads:
        ray.get(relay.end.remote(result, None))


def _follow(trainer: ray.train.torch.TorchTrainer, relay: Any, on_event: Say) -> Exception | None:
    """Pass events on until the training has ended; return what Ray says went wrong."""
    failed: list[Exception] = []

    def fit() -> None:
        try:
            trainer.fit()
        except Exception as error:
            failed.append(error)

    # In a thread of its own, so that an interrupt reaches us here and not a handler of Ray's.
    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    running = True
    try:
        while running:
            thread.join(POLL)
            running = thread.is_alive()  # asked before the events are taken, so that none is left at the end
            for event in ray.get(relay.take.remote()):
                on_event(event)
    except BaseException:
        relay.stop.remote()  # where the cluster is not ours, and goes on
        raise
    return failed[0] if failed else None


def _outcome(relay: Any, error: Exception | None) -> Any:
    ended = ray.get(relay.outcome.remote())
    if ended is not None:
        result, failure = ended
        if failure is not None:
            raise failure
        return result
    failures = list(getattr(error, "worker_failures", {}).values())
    cause = failures[0] if failures else error
    reason = one_line(cause) if cause is not None else "Ray gives no reason"
    what = f"the workers were lost {RESTARTS + 1} times" if failures else "Ray Train gave up"
    raise FatalError(
        f"{what} ({reason}): mend the cause, and run the same command again to continue from the last checkpoint"
    ) from error
