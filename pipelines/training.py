"""`train-generator` and `train-encoder`, in this process or in several under Ray Train that share each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.training_engine import carry_out, choose
from stylize.training.config import EncoderTraining
from stylize.training.encoder import EncoderJob, TrainingSummary
from stylize.training.events import Say
from stylize.training.generator import GeneratorJob, GeneratorSummary
from stylize.training.generator_config import GeneratorTraining


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
        dataset: folder or URL of pictures; labels are not looked at.
        out: folder or URL of the run, see `stylize.training.record`.
        training: shape of the generator, losses, schedules.
        init: file of a generator to continue from, whose shape is kept instead; its discriminator starts anew.
        layout, split: how to read the dataset and which part of it (see `open_dataset`).
        limit: only the first so many pictures, by id.
        inception: the network that FID is defined with; without it the Frechet distance is one of EfficientNet-Lite0.
        picture_cache: folder for the decoded pictures, beside the run by default, see `stylize.training.decoded`.
        checkpoint_minutes: how often to save what a resumed run goes on from.
        engine: `local` trains in this process, `ray` in `workers` processes of a cluster, each on its own share of
            every batch; `auto` is `ray` when there is a cluster or more than one worker. The result is the same, but
            for rounding.
        address, gpus_per_worker: see `pipelines.engines.make_engine`.
        workers: by default one per GPU of the cluster, or one.
        device: torch device; by default the GPU if there is one.
        overwrite: remove an earlier run in `out` first.
        storage_options: passed to fsspec for all URLs.

    Raises:
        ConfigurationError: the arguments contradict each other or the run that `out` holds.
        FatalError: no readable pictures, the losses are no longer finite, or the cluster has no room.
    """
    job = GeneratorJob(
        dataset=dataset,
        out=out,
        training=training,
        init=init,
        layout=layout,
        split=split,
        limit=limit,
        inception=inception,
        picture_cache=picture_cache,
        checkpoint_minutes=checkpoint_minutes,
        device=device,
        overwrite=overwrite,
        storage_options=storage_options,
    )
    processes = choose(engine, workers=workers, address=address, gpus_per_worker=gpus_per_worker, device=device)
    return carry_out(job, processes, on_event)


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

    Args:
        dataset: folder or URL of pictures; labels are not looked at.
        out: folder or URL of the run, see `stylize.training.record`.
        training: losses, masking, schedules; its encoder's `noise_downscale` also decides at which block a generator
            given by file takes the noise maps.
        generator: file of the generator to invert; `init` a bundle to continue from, whose encoder keeps its shape;
            `new_generator` the configuration of a generator to make from scratch, of any kind (see
            `stylize.models.kinds.new_config`), which needs `tune_generator`. Exactly one of the three.
        size: height and width that the bundle of `init` is brought to first, see `stylize.models.resize`.
        tune_generator: train the synthesis network along with the encoder.
        extra: further datasets of any layout to train on, such as style exemplars that the codes shall reach.
        holdout: pattern of picture ids (such as `*0006R0*`) kept out of training; their PSNR is reported.
        lpips_trunk: torchvision's VGG16 weights; without them, here or in torchvision's download cache,
            EfficientNet-Lite0 features are the perceptual loss.

    The other arguments are those of `train_generator`.

    Raises:
        ConfigurationError: the arguments contradict each other or the run that `out` holds.
        FatalError: no readable pictures, no weights, the losses are no longer finite, or the cluster has no room.
    """
    job = EncoderJob(
        dataset=dataset,
        out=out,
        training=training,
        generator=generator,
        init=init,
        new_generator=new_generator,
        size=size,
        tune_generator=tune_generator,
        extra=extra,
        layout=layout,
        split=split,
        limit=limit,
        holdout=holdout,
        lpips_trunk=lpips_trunk,
        picture_cache=picture_cache,
        checkpoint_minutes=checkpoint_minutes,
        device=device,
        overwrite=overwrite,
        storage_options=storage_options,
    )
    processes = choose(engine, workers=workers, address=address, gpus_per_worker=gpus_per_worker, device=device)
    return carry_out(job, processes, on_event)
