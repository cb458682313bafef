"""The stage `mix`: every picture of a cache in the style of others, written as a dataset like the one it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.events import Event, Note, ignore
from pipelines.fingerprint import require
from pipelines.mixextras import SHEET
from pipelines.mixinputs import Place, open_inputs
from pipelines.mixoptions import BATCH_SIZE, LATER, TAKEN, WHAT, MixOptions, taken
from pipelines.mixrun import make
from pipelines.session import Session
from pipelines.summary import Summary
from stylize.guard import LEAST_SCORE
from stylize.methods import STYLIZATION
from stylize.spelling import count
from stylize.storage import Storage
from stylize.strength import Strength, parse_strength

_COLOURS_ALONE = "exemplars give their colours alone: --weather 1 takes on their haze, cover, blur and grain too"


def mix(
    cache: Place,
    out: Place,
    *,
    styles: Place | None = None,
    dataset: Place | None = None,
    styles_dataset: Place | None = None,
    model: Place | None = None,
    split: str | None = None,
    limit: int | None = None,
    per_image: int = 1,
    even: bool = False,
    method: str = STYLIZATION,
    strength: Strength = 1.0,
    layers: str | None = None,
    weather: float = 0.0,
    haze: float | None = None,
    cover: float | None = None,
    blur: float | None = None,
    grain: float | None = None,
    uneven: float = 0.0,
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
            they were. Exemplars are read from theirs by baselines, for weather and for the contact sheet.
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
        weather: how much the copies take on of what the exemplar has beside its colours, from nothing (0) to all (1):
            the four that follow, each of which may be given apart; with a strength below 1 as much less. The exemplars'
            pictures are read for it.
        haze: of contrast that fades towards the end of a street (see `stylize.haze`).
        cover: of what covers sky and ground: clouds, snow, wet (see `stylize.cover`).
        blur: of the softness of a lens in the dark, of motion (see `stylize.blur`).
        grain: of noise, streaks, flakes (see `stylize.grain`).
        uneven: how much the style varies over a copy, in random shapes, as a standard deviation of its strength from 0
            (one style for the whole picture) to 1 (see `stylize.uneven`).
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
    options = MixOptions(
        split=split,
        limit=limit,
        per_image=per_image,
        even=even,
        method=method,
        strength=parse_strength(strength),
        layers=layers,
        **taken(weather, haze=haze, cover=cover, blur=blur, grain=grain),
        uneven=uneven,
        min_content_score=min_content_score,
        size=size,
        format=format,
        seed=seed,
        batch_size=batch_size,
        precision=precision,
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
    inputs = open_inputs(
        cache,
        options,
        styles=styles,
        dataset=dataset,
        styles_dataset=styles_dataset,
        model=model,
        storage_options=storage_options,
    )
    if styles is not None and not any(getattr(options, name) for name in TAKEN):
        on_event(Note(text=_COLOURS_ALONE))
    return make(Storage(out, storage_options), inputs, options, session)


# Beside `WHAT`, what a run needs to have recorded to be continued from its run.json: arguments of `mix`.
_WHERE = ("cache", "styles", "dataset", "styles_dataset", "model", "layers", "batch_size")


def check_record(run: Mapping[str, Any], out: str) -> None:
    """Raise `ConfigurationError` when a recorded run is too old for `resume`."""
    require(run, out, (*WHAT, "precision"), _WHERE)


def resume(run: Mapping[str, Any], out: str, **options: Any) -> Summary:
    """Go on with a recorded run (`run.json`); options are those of `mix` that say how and not what."""
    check_record(run, out)
    configuration, sources = run["configuration"], run["sources"]
    what = {name: configuration[name] for name in WHAT} | {name: configuration.get(name, 0.0) for name in LATER}
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
