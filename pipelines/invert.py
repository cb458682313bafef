"""The stage `invert`: every picture of a dataset once, into a cache of w+ codes and noise maps."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.events import Event, Note, ignore
from pipelines.fingerprint import Fingerprint, load, require
from pipelines.inverter import InvertSpec
from pipelines.session import Session
from pipelines.summary import Summary
from pipelines.worklist import WorkListFile, work_list
from stylize.cache import INPUTS, CacheInfo
from stylize.codec import check_mode
from stylize.datasets.base import Dataset, open_dataset
from stylize.errors import ConfigurationError
from stylize.models.bundle import Bundle, check_precision, load_outline, model_place
from stylize.storage import Storage


def invert(
    dataset: str | os.PathLike[str],
    cache: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str],
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    noise: str = "int8",
    unit_size: int = 32,
    batch_size: int = 8,
    precision: str = "fp32",
    device: str | None = None,
    engine: str = "auto",
    address: str | None = None,
    workers: int | None = None,
    gpus_per_worker: float | None = None,
    io_threads: int | None = None,
    max_failures: int = 0,
    retry_failed: bool = False,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] = ignore,
) -> Summary:
    """Invert every picture of a dataset into a cache; a second call goes on where the first was interrupted.

    Args:
        dataset, cache: folders or URLs.
        model: a bundle's path, URL or bundled name.
        layout, split: how to read the dataset and which part of it (see `open_dataset`).
        limit: only the first so many pictures, by id.
        noise: how noise maps are stored, "int8" or "fp16" (see `stylize.codec`).
        unit_size: pictures per shard.
        batch_size: pictures per pass of the model; halved when memory does not suffice.
        precision: what the model computes in: "fp32", or "bf16", which hardware with such units is faster at.
        device: torch device; by default the GPU if there is one.
        engine, address, workers, gpus_per_worker: what runs the units, where, and how many at once (see
            `pipelines.engines.make_engine`).
        io_threads: threads per worker that read and decode.
        max_failures: with more failed pictures than this the summary's exit code is 3.
        retry_failed: also try the pictures again that failed in an earlier session.
        overwrite: remove an earlier run in `cache` first.
        storage_options: passed to fsspec for the three URLs.

    Raises:
        ConfigurationError: the cache belongs to another run, or an option does not fit.
        FatalError: going on makes no sense; finished shards stay.
    """
    _check(unit_size=unit_size, batch_size=batch_size, limit=limit)
    storage = Storage(cache, storage_options)
    found = open_dataset(dataset, layout=layout, split=split, storage_options=storage_options)
    on_event(Note(text=found.note))
    if found.storage.url == storage.url:
        raise ConfigurationError(f"the cache cannot be the dataset's own folder {storage.url}: choose another")
    where = model_place(model)
    info = _info(load_outline(where, storage_options=storage_options), noise)
    samples = found.samples.head(limit)
    work = work_list(samples, unit_size)
    labelled = tuple(samples.per_split(labelled=True))  # there, a picture without label is a fault
    sources = {"dataset": found.storage.url, "model": where, "batch_size": batch_size}
    options = {"split": split, "limit": limit, "unit_size": unit_size, "precision": check_precision(precision)}
    fingerprint = _fingerprint(found, work, info, labelled, sources, **options)
    spec = InvertSpec(
        dataset=found.storage,
        cache=storage,
        run=fingerprint.digest,
        model=where,
        storage_options=dict(storage_options or {}),
        info=info,
        labelled=labelled,
        batch_size=batch_size,
        precision=precision,
        device=device,
        io_threads=io_threads,
    )
    session = Session(
        device=device,
        engine=engine,
        address=address,
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        io_threads=io_threads,
        max_failures=max_failures,
        retry_failed=retry_failed,
        overwrite=overwrite,
        on_event=on_event,
    )
    return session.execute(storage, fingerprint, spec, files={INPUTS: work.file})


# What a run needs to have recorded to be continued from its run.json: options of `invert`, and places.
_WHAT = ("layout", "split", "limit", "noise", "unit_size", "precision")
_WHERE = ("dataset", "model", "batch_size")


def check_record(run: Mapping[str, Any], cache: str) -> None:
    """Raise `ConfigurationError` when a recorded run is too old for `resume`."""
    require(run, cache, _WHAT, _WHERE)


def resume(run: Mapping[str, Any], cache: str, **options: Any) -> Summary:
    """Go on with a recorded run (`run.json`); options are those of `invert` that say how and not what."""
    check_record(run, cache)
    configuration, sources = run["configuration"], run["sources"]
    what = {name: configuration[name] for name in _WHAT}
    where = {name: sources[name] for name in _WHERE}
    return invert(cache=cache, **{**what, **where, **options})


def usage(cache: str, storage_options: Mapping[str, Any] | None = None) -> str:
    """Return the command that a finished cache is for: pictures without labels serve as exemplars of others."""
    labelled = load(Storage(cache, storage_options))["configuration"]["labelled_splits"]
    return f"stylize mix {cache} OUT" if labelled else f"stylize mix CACHE OUT --styles {cache} --weather 1"


def describe(summary: Summary) -> list[str]:
    """Return what an inversion came to, in lines for people: reconstruction, cost of quantisation, bytes."""
    if summary.rows == 0:
        return []
    psnr, cost = summary.mean("psnr"), summary.mean("psnr_fp32") - summary.mean("psnr")
    worst = summary.percentile("psnr", 5)
    per_image, raw = summary.bytes / summary.rows, summary.figures["raw_bytes"] / summary.rows
    return [
        f"reconstruction: {psnr:.2f} dB PSNR on average, 5 % below {worst:.1f} dB; quantisation costs {cost:.3f} dB",
        f"storage: {per_image / 1e3:.1f} kB per image, {raw / per_image:.1f} times less than fp32 ({raw / 1e3:.1f} kB)",
    ]


def _fingerprint(
    dataset: Dataset,
    work: WorkListFile,
    info: CacheInfo,
    labelled: tuple[str, ...],
    sources: Mapping[str, Any],
    **options: Any,
) -> Fingerprint:
    shapes = {name: value for name, value in info.as_dict().items() if name != "model_sha256"}
    return Fingerprint(
        kind="invert",
        configuration={**shapes, **options, "layout": dataset.layout, "labelled_splits": list(labelled)},
        weights=info.model_sha256,
        inputs=work.sha256,
        rows=work.rows,
        units=work.units,
        sources=sources,
    )


def _info(bundle: Bundle, noise: str) -> CacheInfo:
    return CacheInfo(
        height=bundle.height,
        width=bundle.width,
        num_ws=bundle.num_ws,
        w_dim=bundle.w_dim,
        noise_shapes=bundle.noise_shapes,
        noise=check_mode(noise),
        model_sha256=bundle.sha256,
    )


def _check(*, unit_size: int, batch_size: int, limit: int | None) -> None:
    for name, value in (("unit size", unit_size), ("batch size", batch_size), ("limit", limit)):
        if value is not None and value < 1:
            raise ConfigurationError(f"the {name} must be at least 1, not {value}")
