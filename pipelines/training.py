"""`train-generator` and `train-encoder`, in this process or in several under Ray Train that share each batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engines import ENGINES
from stylize.errors import ConfigurationError, FatalError
from stylize.storage import Storage
from stylize.training.config import EncoderTraining
from stylize.training.encoder import TrainingSummary
from stylize.training.encoder import train_encoder as _train_encoder
from stylize.training.events import Say
from stylize.training.generator import GeneratorSummary
from stylize.training.generator import train_generator as _train_generator
from stylize.training.generator_config import GeneratorTraining
from stylize.training.generator_trainer import check_shares as check_generator_shares
from stylize.training.team import Team
from stylize.training.trainer import check_shares as check_encoder_shares

if TYPE_CHECKING:
    from pipelines.training_ray import RayTraining


def train_generator(
    dataset: str,
    out: str,
    *,
    training: GeneratorTraining,
    init: str | None = None,
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    inception: Path | None = None,
    picture_cache: Path | None = None,
    checkpoint_minutes: float = 3.0,
    engine: str = "auto",
    address: str | None = None,
    workers: int | None = None,
    gpus_per_worker: float | None = None,
    device: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Say | None = None,
) -> GeneratorSummary:
    """Train a StyleGAN2 generator on pictures; a second call with the same arguments continues the run.

    Args:
        engine: `local` trains in this process, `ray` in `workers` processes of a cluster, each on its own share of
            every batch; `auto` is `ray` when there is a cluster or more than one worker. The result is the same, but
            for rounding.
        address, gpus_per_worker: see `pipelines.engines.make_engine`.
        workers: by default one per GPU of the cluster, or one.

    The other arguments and the errors are those of `stylize.training.generator.train_generator`.
    """
    arguments = {
        "training": training,
        "init": _absolute(init),
        "layout": layout,
        "split": split,
        "limit": limit,
        "inception": _resolved(inception),
    }
    common = _common(dataset, out, picture_cache, checkpoint_minutes, device, overwrite, storage_options)
    chosen = choose(engine, workers=workers, address=address, gpus_per_worker=gpus_per_worker, device=device)
    if chosen and chosen.workers:
        check_generator_shares(training, Team(chosen.workers))  # here at once, and again where the number is known
    summary: GeneratorSummary = _run(_train_generator, arguments | common, chosen, on_event)
    return summary


def train_encoder(
    dataset: str,
    out: str,
    *,
    training: EncoderTraining,
    generator: str | None = None,
    init: str | None = None,
    new_generator: Any | None = None,
    size: tuple[int, int] | None = None,
    tune_generator: bool = False,
    extra: Sequence[str] = (),
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    holdout: str | None = None,
    lpips_trunk: Path | None = None,
    picture_cache: Path | None = None,
    checkpoint_minutes: float = 3.0,
    engine: str = "auto",
    address: str | None = None,
    workers: int | None = None,
    gpus_per_worker: float | None = None,
    device: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Say | None = None,
) -> TrainingSummary:
    """Train the masked noise encoder for a generator; a second call with the same arguments continues the run.

    `engine`, `address`, `workers` and `gpus_per_worker` are those of `train_generator`, the other arguments and the
    errors those of `stylize.training.encoder.train_encoder`.
    """
    arguments = {
        "training": training,
        "generator": _absolute(generator),
        "init": _absolute(init),
        "new_generator": new_generator,
        "size": size,
        "tune_generator": tune_generator,
        "extra": [Storage(each, storage_options).url for each in extra],
        "layout": layout,
        "split": split,
        "limit": limit,
        "holdout": holdout,
        "lpips_trunk": _resolved(lpips_trunk),
    }
    common = _common(dataset, out, picture_cache, checkpoint_minutes, device, overwrite, storage_options)
    chosen = choose(engine, workers=workers, address=address, gpus_per_worker=gpus_per_worker, device=device)
    if chosen and chosen.workers:
        check_encoder_shares(training, Team(chosen.workers))
    summary: TrainingSummary = _run(_train_encoder, arguments | common, chosen, on_event)
    return summary


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


def _common(
    dataset: str,
    out: str,
    picture_cache: Path | None,
    checkpoint_minutes: float,
    device: str | None,
    overwrite: bool,
    storage_options: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the arguments that both trainings take, with paths that mean the same in another process."""
    return {
        "dataset": Storage(dataset, storage_options).url,
        "out": Storage(out, storage_options).url,
        "picture_cache": _resolved(picture_cache),
        "checkpoint_minutes": checkpoint_minutes,
        "device": device,
        "overwrite": overwrite,
        "storage_options": storage_options,
    }


def _absolute(model: str | None) -> str | None:
    """Return a model's name or place so that it means the same in another folder."""
    return os.path.abspath(model) if model and os.path.exists(model) else model


def _resolved(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


def _run(
    train: Callable[..., Any], arguments: Mapping[str, Any], chosen: Processes | None, on_event: Say | None
) -> Any:
    if chosen is None:
        return train(**arguments, on_event=on_event)
    return _ray_training(chosen).run(train, arguments, on_event or (lambda _: None))


def _ray_training(chosen: Processes) -> RayTraining:
    try:
        from pipelines.training_ray import RayTraining  # seconds, and not needed on one machine
    except ImportError as error:
        raise FatalError(
            f'training by Ray needs Ray Train ({" ".join(str(error).split())}): pip install "stylize[distributed]"'
        ) from error
    return RayTraining(address=chosen.address, workers=chosen.workers, gpus_per_worker=chosen.gpus_per_worker)
