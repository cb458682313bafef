"""The stage `mix`: every picture of a cache in the style of others, written as a dataset like the one it came from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.engines import make_engine
from pipelines.events import Event, Note, ignore
from pipelines.fingerprint import RUN, Fingerprint, require
from pipelines.mixer import MixSpec
from pipelines.mixextras import SHEET, copy_extras, write_sheet
from pipelines.mixguard import RESERVE
from pipelines.mixplan import PLAN, MixPlan
from pipelines.mixshards import FOLDER, FORMATS, SHARD, TREE, packing_of
from pipelines.mixwork import MixWorkSpec
from pipelines.run import execute
from pipelines.summary import Summary
from pipelines.transfer import TransferSpec
from pipelines.units import WorkerSpec
from pipelines.worklist import WorkList
from stylize.cache import CacheReader
from stylize.errors import BadInput, ConfigurationError, NotFound
from stylize.guard import LEAST_SCORE
from stylize.methods import METHODS, STYLIZATION, weights_sha256
from stylize.models.bundle import check_precision, model_sha256
from stylize.render import parse_layers
from stylize.spelling import count
from stylize.storage import Storage
from stylize.strength import Span, Strength, parse_strength, show_strength

SIZES = ("source", "model")
BATCH_SIZE = 8


def mix(
    cache: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    styles: str | os.PathLike[str] | None = None,
    dataset: str | os.PathLike[str] | None = None,
    styles_dataset: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    split: str | None = None,
    limit: int | None = None,
    per_image: int = 1,
    even: bool = False,
    method: str = STYLIZATION,
    strength: Strength = 1.0,
    layers: str | None = None,
    grain: float = 0.0,
    haze: float = 0.0,
    min_content_score: float = LEAST_SCORE,
    size: str = "source",
    format: str = "tree",
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
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
    """Write stylized copies of a cache's pictures with their labels; a second call goes on after an interruption.

    Pictures keep their names, copy 1 on with `__1` after the name of the frame. PNG and JPEG stay what they are, other
    kinds become PNG; all are upright 8-bit RGB. Labels are copied byte for byte, except with `size="model"`: then label
    pictures are resized by nearest neighbour to fit, and polygons and other texts are left out.

    Args:
        cache, out: folders or URLs.
        styles: a second cache, of the same model, that the exemplars come from; without it they come from `cache`.
        dataset, styles_dataset, model: where the cache's dataset, that of `styles` and the bundle are now, if not where
            they were. Exemplars are read from theirs by baselines, for grain and for the contact sheet.
        split: take contents, and without `styles` exemplars, only from this split (several: separated by commas).
        limit: only the first so many contents, by id.
        per_image: copies of each content, each with an exemplar of its own.
        even: use every exemplar equally often (the numbers differ by one at most) instead of drawing them: for
            validation sets, as one content more changes the pairs of all.
        method: "stylization" by generator and noise maps, or a baseline, for which the caches only say which pictures
            there are (see `stylize.methods`).
        strength: how far the style moves from the content's (0) to the exemplar's (1) and, by stylization, beyond it up
            to 2. A range, (0.5, 1.2) or "0.5-1.2", gives each copy a strength of its own.
        layers: move only the codes of these layers, such as "0-3,7".
        grain: how much of the exemplar's grain (noise, streaks, flakes; see `stylize.grain`) the copies take on, from
            none (0) to all (1); with a strength below 1 as much less. The exemplars' pictures are read for it.
        haze: how much of the exemplar's haze (contrast that fades towards the end of a street; see `stylize.haze`) they
            take on, likewise.
        min_content_score: copies whose content score (0..1, see `stylize.guard`) is lower are drawn again, with up to
            two other exemplars; if none does better, the best is kept and flagged. 0 is no guard.
        size: "source" recolours the source picture at its own size, "model" writes the synthesis itself.
        format: "tree" writes the dataset's own folders and file names; "webdataset" and "parquet" write the copies of
            each unit, with labels and provenance, into a shard (see `pipelines.mixshards`), held in memory meanwhile.
        seed: start of all randomness.
        batch_size: pictures per pass of the model; halved when memory does not suffice.
        precision: what the model computes in: "fp32", or "bf16", which hardware with such units is faster at.
        device: torch device; by default the GPU if there is one.
        engine, address, workers, gpus_per_worker: what runs the units, where, and how many at once (see
            `pipelines.engines.make_engine`).
        io_threads: threads per worker that read, recolour, encode and write.
        max_failures: with more failed pictures than this the summary's exit code is 3.
        retry_failed: also try the pictures again that failed in an earlier session.
        overwrite: remove an earlier run in `out` first.
        storage_options: passed to fsspec for all URLs.

    Raises:
        ConfigurationError: the output belongs to another run, or an option does not fit.
        FatalError: going on makes no sense; finished pictures stay.
    """
    _check(per_image=per_image, size=size, format=format, batch_size=batch_size, limit=limit)
    for name, share in (("grain", grain), ("haze", haze)):
        if not 0 <= share <= 1:
            raise ConfigurationError(f"the {name} is between 0 (none) and 1 (all of the exemplar's), not {share:g}")
    if not 0 <= min_content_score <= 1:
        raise ConfigurationError(f"the least content score is between 0 (no guard) and 1, not {min_content_score:g}")
    span = parse_strength(strength)
    _check_method(
        method,
        span,
        {
            "layers": layers is not None,
            "size model": size == "model",
            "model": model is not None,
            "device": device is not None,
            "GPUs per worker": gpus_per_worker is not None,
            "a batch size": batch_size != BATCH_SIZE,
            "a precision": precision != "fp32",
        },
    )
    storage = Storage(out, storage_options)
    contents = CacheReader(Storage(cache, storage_options))
    exemplars = None if styles is None else CacheReader(Storage(styles, storage_options))
    source = Storage(dataset or contents.run["sources"]["dataset"], storage_options)
    exemplar_source = _exemplar_source(exemplars, styles_dataset, source)
    _check_places(storage, contents.storage, source)
    where = None
    if method == STYLIZATION:
        where = _absolute(model or contents.run["sources"]["model"])
        _check_codes(contents, exemplars)
        _check_weights(where, contents, storage_options)
    restricted = None if layers is None else parse_layers(layers, contents.info.num_ws)
    wanted = MixPlan(
        split=split,
        limit=limit,
        per_image=per_image,
        even=even,
        seed=seed,
        strength=span,
        resized=size == "model",
        reserve=RESERVE if min_content_score else 0,
    )
    work, pool = wanted.build(contents, exemplars)
    packing = None
    if format != TREE:
        packing = packing_of(format, work.units, contents.entries(), resized=size == "model")
    if per_image > pool - (exemplars is None):  # of the same dataset, one is the picture itself
        on_event(Note(text=f"{per_image} copies of each picture and {pool} exemplars: some copies will be alike"))
    fingerprint = Fingerprint(
        kind="mix",
        configuration={
            "styles": "intra" if exemplars is None else exemplars.run["inputs"]["sha256"],
            "split": split,
            "limit": limit,
            "per_image": per_image,
            "even": even,
            "method": method,
            "strength": span[0] if span[0] == span[1] else span,
            "layers": restricted,
            "grain": float(grain),
            "haze": float(haze),
            "min_content_score": float(min_content_score),  # 0 and 0.0 are not one in JSON
            "size": size,
            "format": format,
            "seed": seed,
            "precision": check_precision(precision) if where else None,
            # Under a name of its own, because `format` is also the version of run.json, which hides it in comparisons.
            **({} if packing is None else {"packing": packing.format, "columns": packing.columns}),
        },
        weights=contents.info.model_sha256 if where else weights_sha256(method),
        inputs=work.sha256,
        rows=work.rows,
        units=work.units,
        sources={
            "cache": contents.storage.url,
            "styles": exemplars.storage.url if exemplars else None,
            "dataset": source.url,
            "styles_dataset": exemplar_source.url if exemplars else None,
            "model": where,
            "layers": layers,
            "batch_size": batch_size if where else None,
        },
    )
    common = MixWorkSpec(
        out=storage,
        cache=contents.storage,
        styles=exemplars.storage if exemplars else None,
        dataset=source,
        exemplars=exemplar_source,
        run=fingerprint.digest,
        io_threads=io_threads,
        least_score=min_content_score,
        grain=grain,
        haze=haze,
        packing=packing,
    )
    return execute(
        storage,
        fingerprint,
        _spec(common, fingerprint, device),
        engine=make_engine(
            engine,
            workers=workers,
            address=address,
            gpus_per_worker=gpus_per_worker,
            device=device if where else "cpu",  # a baseline must not wait for a GPU
        ),
        files={PLAN: work.data},
        on_event=on_event,
        overwrite=overwrite,
        retry_failed=retry_failed,
        max_failures=max_failures,
        owned=owned,
        extras=lambda: [*copy_extras(source, storage, on_event), *write_sheet(storage, source, exemplar_source)],
    )


# What a run needs to have recorded to be continued from its run.json: options of `mix`, and places.
_WHAT = (
    *("split", "limit", "per_image", "even", "method", "strength", "grain", "haze", "min_content_score"),
    *("size", "format", "seed"),
)
_WHERE = ("cache", "styles", "dataset", "styles_dataset", "model", "layers", "batch_size")


def check_record(run: Mapping[str, Any], out: str) -> None:
    """Raise `ConfigurationError` when a recorded run is too old for `resume`."""
    require(run, out, (*_WHAT, "precision"), _WHERE)


def resume(run: Mapping[str, Any], out: str, **options: Any) -> Summary:
    """Go on with a recorded run (`run.json`); options are those of `mix` that say how and not what."""
    check_record(run, out)
    configuration, sources = run["configuration"], run["sources"]
    what = {name: configuration[name] for name in _WHAT}
    where = {name: sources[name] for name in _WHERE if sources[name] is not None}
    how = {"precision": configuration["precision"] or "fp32"}  # None: the method has no model
    return mix(out=out, **{**what, **where, **how, **options})


def describe(summary: Summary) -> list[str]:
    """Return what a mix came to, in lines for people."""
    if summary.rows == 0:
        return []
    mean, least = summary.mean("shift"), summary.percentile("shift", 5)
    moved = f"moved by {mean:.1f} grey levels on average (the least moved 5 %: below {least:.1f})"
    return [f"{summary.rows} pictures, {moved}; look at {SHEET}", *_guarded(summary)]


def _guarded(summary: Summary) -> list[str]:
    """Return what the guard did, in a line; none when it was off."""
    if "score.count" not in summary.figures:
        return []
    redrawn, flagged = (int(summary.figures[name]) for name in ("redrawn", "flagged"))
    line = f"content score {summary.mean('score') / 100:.2f} on average"
    if not redrawn and not flagged:
        return [f"{line}; no picture was refused"]
    kept = f"{flagged} of them found none and {'is' if flagged == 1 else 'are'} flagged" if flagged else "all found one"
    return [f"{line}; {count(redrawn, 'picture')} drawn again with another exemplar, {kept}: see `stylize report`"]


def owned(out: Storage) -> Iterator[str]:
    """Yield what a mix in `out` may have written without recording it, for `overwrite`."""
    yield SHEET
    if _format_of(out) != TREE:
        yield from (path for path in out.list(FOLDER) if SHARD.fullmatch(path))
        return
    try:
        work = WorkList(out.read(PLAN))
    except NotFound:
        return
    for unit in range(len(work)):
        for row in work.rows(unit):
            yield row["image"]
            yield from (label["path"] for label in row["labels"])


def _format_of(out: Storage) -> str:
    """Return the format of the run in `out`, which may be damaged."""
    try:
        return str(out.read_json(RUN)["configuration"]["format"])
    except (BadInput, KeyError, TypeError):
        return TREE


def _spec(common: MixWorkSpec, fingerprint: Fingerprint, device: str | None) -> WorkerSpec:
    """Return the spec of the worker that the method of a run asks for."""
    configuration, sources = fingerprint.configuration, fingerprint.sources
    if configuration["method"] != STYLIZATION:
        return TransferSpec(**vars(common), method=configuration["method"])
    return MixSpec(
        **vars(common),
        model=sources["model"],
        storage_options=common.out.options,
        layers=configuration["layers"],
        resized=configuration["size"] == "model",
        batch_size=sources["batch_size"],
        precision=configuration["precision"],
        device=device,
    )


def _exemplar_source(
    exemplars: CacheReader | None, styles_dataset: str | os.PathLike[str] | None, source: Storage
) -> Storage:
    """Return the dataset that the exemplars are files of."""
    if exemplars is None:
        if styles_dataset is not None:
            raise ConfigurationError("the styles' dataset says where exemplars of another cache are: give styles too")
        return source
    return Storage(styles_dataset or exemplars.run["sources"]["dataset"], source.options)


def _check_codes(contents: CacheReader, exemplars: CacheReader | None) -> None:
    """Refuse exemplars of another model: codes mean something to the model alone that made them."""
    if exemplars is not None and exemplars.info.model_sha256 != contents.info.model_sha256:
        raise ConfigurationError(
            f"{exemplars.storage.url} was inverted with {_model(exemplars)}, {contents.storage.url} with "
            f"{_model(contents)}: invert both with the same model"
        )


def _model(cache: CacheReader) -> str:
    return f"{cache.run['sources']['model']} ({cache.info.model_sha256[:12]})"


def _check_weights(model: str, contents: CacheReader, storage_options: Mapping[str, Any] | None) -> None:
    found = model_sha256(model, storage_options=storage_options)
    if found != contents.info.model_sha256:
        raise ConfigurationError(
            f"model {model} ({found[:12]}) is not the one that {contents.storage.url} was inverted with, "
            f"{_model(contents)}: name that one with --model, or invert again"
        )


def _check_places(out: Storage, *inputs: Storage) -> None:
    for storage in inputs:
        if out.url == storage.url:
            raise ConfigurationError(f"the output cannot be {storage.url}, which is read from: choose another folder")


def _absolute(model: str | os.PathLike[str]) -> str:
    """Return a local file's absolute path, so that a later session may start elsewhere; names and URLs as they are."""
    text = os.fspath(model)
    return str(Path(text).resolve()) if Path(text).is_file() else text


def _check_method(method: str, span: Span, given: Mapping[str, bool]) -> None:
    """Refuse what means nothing to a baseline; `given` says of options of stylization alone whether they are there."""
    if method not in METHODS:
        raise ConfigurationError(f"method {method!r} is unknown: choose one of {', '.join(METHODS)}")
    if method == STYLIZATION:
        return
    for option, there in given.items():
        if there:
            raise ConfigurationError(f"{option} means nothing to the method {method}: leave it out")
    if span[1] > 1:
        raise ConfigurationError(
            f"the method {method} blends pixels, from strength 0 to 1: only {STYLIZATION} goes beyond, "
            f"not {show_strength(span)}"
        )


def _check(*, per_image: int, size: str, format: str, batch_size: int, limit: int | None) -> None:
    for name, value in (("number of copies per image", per_image), ("batch size", batch_size), ("limit", limit)):
        if value is not None and value < 1:
            raise ConfigurationError(f"the {name} must be at least 1, not {value}")
    if size not in SIZES:
        raise ConfigurationError(f"size is {' or '.join(SIZES)}, not {size!r}")
    if format not in FORMATS:
        raise ConfigurationError(f"format is {', '.join(FORMATS)}, not {format!r}")
