"""The command `proxy build`: labelled validation sets in the look of domains of which only unlabelled frames exist."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.events import Event, StageStarted, ignore
from pipelines.mixinputs import Place, open_inputs
from pipelines.mixoptions import BATCH_SIZE, MixOptions, taken
from pipelines.mixrun import make
from pipelines.mixshards import TREE
from pipelines.proxyrecord import PROXY, earlier_targets, new_record, target_record
from pipelines.session import Session
from pipelines.summary import Summary
from stylize.cache import CacheReader
from stylize.errors import ConfigurationError
from stylize.methods import STYLIZATION
from stylize.spelling import count
from stylize.storage import Storage
from stylize.strength import Strength, parse_strength

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True)
class ProxySummary:
    """What a build came to: the summary of each target's mix by name."""

    url: str
    targets: Mapping[str, Summary]

    @property
    def exit_code(self) -> int:
        """0, or 3 when in some target more contents failed than allowed."""
        return max(summary.exit_code for summary in self.targets.values())


def proxy_build(
    cache: Place,
    out: Place,
    *,
    styles: Mapping[str, Place],
    dataset: Place | None = None,
    model: Place | None = None,
    split: str | None = None,
    limit: int | None = None,
    per_image: int = 1,
    method: str = STYLIZATION,
    strength: Strength = 1.0,
    layers: str | None = None,
    weather: float = 1.0,
    haze: float | None = None,
    cover: float | None = None,
    blur: float | None = None,
    grain: float | None = None,
    uneven: float = 0.0,
    min_content_score: float = 0.0,
    size: str = "source",
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
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
) -> ProxySummary:
    """Write one labelled proxy set per target domain into `out/NAME/`, and `out/proxy.json` that describes them.

    Each is what `mix` writes, with its exemplars used equally often. A second call goes on after an interruption; one
    with other names adds targets to those that are there.

    Args:
        cache: of the labelled validation pictures, a folder or URL.
        out: folder or URL.
        styles: caches of the targets' exemplars by the name of the target; one exemplar suffices.
        split, limit: which contents; the exemplars are all that a target's cache holds.
        dataset, model, per_image, method, strength, layers, uneven, size, seed, batch_size, device, engine, address,
            workers, gpus_per_worker, io_threads, max_failures, retry_failed, storage_options: as for `mix`, for every
            target.
        weather, haze, cover, blur, grain: as for `mix`, but all of it by default: a proxy of rain without streaks, of
            fog that does not thicken with distance, or of a night under the sky of day ranks no models.
        min_content_score: as for `mix`, but off by default: a picture drawn again has another exemplar than it was
            dealt, which costs evenness and makes a proxy of thick fog easier than it should be.
        overwrite: remove an earlier build in `out` first, with all of its targets.

    Raises:
        ConfigurationError: the contents have no labels, a name is no folder's, or `out` belongs to something else.
        FatalError: going on makes no sense; finished pictures stay.
    """
    _check_names(styles)
    options = MixOptions(
        split=split,
        limit=limit,
        per_image=per_image,
        even=True,
        method=method,
        strength=parse_strength(strength),
        layers=layers,
        **taken(weather, haze=haze, cover=cover, blur=blur, grain=grain),
        uneven=uneven,
        min_content_score=min_content_score,
        size=size,
        format=TREE,
        seed=seed,
        batch_size=batch_size,
        precision="fp32",
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
    storage = Storage(out, storage_options)
    contents = CacheReader(Storage(cache, storage_options))
    record = new_record(contents, options, dataset, on_event)
    record["targets"] = earlier_targets(storage, record, overwrite=overwrite)
    summaries = {}
    for number, (name, exemplars) in enumerate(styles.items(), 1):
        on_event(StageStarted(number=number, total=len(styles), text=f"{name}, with exemplars of {exemplars}"))
        inputs = open_inputs(
            cache, options, styles=exemplars, dataset=dataset, model=model, storage_options=storage_options
        )
        summaries[name] = make(storage.sub(name), inputs, options, session)
        record["targets"][name] = target_record(storage.sub(name), summaries[name], exemplars, storage_options)
        storage.write_json(PROXY, record)
    return ProxySummary(url=storage.url, targets=summaries)


def describe(summary: ProxySummary) -> list[str]:
    """Return what a build came to, in lines for people: one per target."""
    return [
        f"{name}: {count(one.rows, 'picture')}, moved by {one.mean('shift'):.1f} grey levels on average"
        + (f", {one.failed} failed" if one.failed else "")
        for name, one in summary.targets.items()
    ]


def _check_names(styles: Mapping[str, Any]) -> None:
    if not styles:
        raise ConfigurationError("no target: name at least one, with --styles NAME=CACHE")
    for name in styles:
        if not _NAME.fullmatch(name) or name == PROXY:
            raise ConfigurationError(
                f"a target becomes a folder: {name!r} must be of letters, digits and . _ - and not begin with a dot"
            )
