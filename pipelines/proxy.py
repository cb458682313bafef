"""The command `proxy build`: labelled validation sets in the look of domains of which only unlabelled frames exist."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipelines.events import Event, Note, StageStarted, ignore
from pipelines.fingerprint import REPORT, RUN, erase, load, stamp
from pipelines.mix import BATCH_SIZE, mix, owned
from pipelines.summary import Summary
from stylize.cache import CacheReader, Entry
from stylize.datasets.base import Sample
from stylize.datasets.labels import label_kind
from stylize.datasets.tree import is_image
from stylize.errors import BadInput, ConfigurationError, NotFound
from stylize.methods import STYLIZATION
from stylize.spelling import count
from stylize.storage import Storage
from stylize.strength import Strength, parse_strength

PROXY = "proxy.json"
FORMAT = 1
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
    cache: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    styles: Mapping[str, str | os.PathLike[str]],
    dataset: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    split: str | None = None,
    limit: int | None = None,
    per_image: int = 1,
    method: str = STYLIZATION,
    strength: Strength = 1.0,
    layers: str | None = None,
    grain: float = 1.0,
    haze: float = 1.0,
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
        dataset, model, per_image, method, strength, layers, size, seed, batch_size, device, engine, address, workers,
            gpus_per_worker, io_threads, max_failures, retry_failed, storage_options: as for `mix`, for every target.
        grain, haze: as for `mix`, but all of it: a proxy of rain without streaks, or of fog that does not thicken with
            distance, ranks no models.
        min_content_score: as for `mix`, but off by default: a picture drawn again has another exemplar than it was
            dealt, which costs evenness and makes a proxy of thick fog easier than it should be.
        overwrite: remove an earlier build in `out` first, with all of its targets.

    Raises:
        ConfigurationError: the contents have no labels, a name is no folder's, or `out` belongs to something else.
        FatalError: going on makes no sense; finished pictures stay.
    """
    _check_names(styles)
    storage = Storage(out, storage_options)
    contents = CacheReader(Storage(cache, storage_options))
    what: dict[str, Any] = {"split": split, "limit": limit, "per_image": per_image, "method": method, "layers": layers}
    what |= {"size": size, "seed": seed, "strength": strength, "grain": grain, "haze": haze}
    what["min_content_score"] = min_content_score
    record = _record(contents, what, dataset, on_event)
    record["targets"] = _earlier_targets(storage, record, overwrite=overwrite)
    summaries = {}
    for number, (name, exemplars) in enumerate(styles.items(), 1):
        on_event(StageStarted(number=number, total=len(styles), text=f"{name}, with exemplars of {exemplars}"))
        summaries[name] = mix(
            cache,
            storage.locate(name),
            styles=exemplars,
            dataset=dataset,
            model=model,
            even=True,
            **what,
            batch_size=batch_size,
            device=device,
            engine=engine,
            address=address,
            workers=workers,
            gpus_per_worker=gpus_per_worker,
            io_threads=io_threads,
            max_failures=max_failures,
            retry_failed=retry_failed,
            overwrite=overwrite,
            storage_options=storage_options,
            on_event=on_event,
        )
        record["targets"][name] = _target(storage.sub(name), summaries[name], exemplars, storage_options)
        storage.write_json(PROXY, record)
    return ProxySummary(url=storage.url, targets=summaries)


def describe(summary: ProxySummary) -> list[str]:
    """Return what a build came to, in lines for people: one per target."""
    return [
        f"{name}: {count(one.rows, 'picture')}, moved by {one.mean('shift'):.1f} grey levels on average"
        + (f", {one.failed} failed" if one.failed else "")
        for name, one in summary.targets.items()
    ]


def read_record(storage: Storage) -> dict[str, Any]:
    """Return `proxy.json`; raises ConfigurationError when there is none or it is of another version."""
    try:
        record = storage.read_json(PROXY)
    except NotFound:
        raise ConfigurationError(
            f"{storage.url} holds no {PROXY}: give the folder that `stylize proxy build` wrote"
        ) from None
    except BadInput as error:
        raise ConfigurationError(error.reason) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ConfigurationError(f"{storage.locate(PROXY)} is of another version: build the proxy sets again")
    return record


def _record(
    contents: CacheReader,
    what: Mapping[str, Any],
    dataset: str | os.PathLike[str] | None,
    on_event: Callable[[Event], None],
) -> dict[str, Any]:
    """Return `proxy.json` without its targets; what is `built` is the same for all of them."""
    built = {**what, "strength": list(parse_strength(what["strength"])), "weights": contents.run["weights"]}
    return {
        "built": {**built, "inputs of the cache": contents.run["inputs"]["sha256"]},
        "format": FORMAT,
        "labels": {
            "kinds": _label_kinds(contents, what["split"], what["limit"], on_event),
            "layout": contents.run["configuration"]["layout"],
        },
        "sources": {
            "cache": contents.storage.url,
            "dataset": os.fspath(dataset or contents.run["sources"]["dataset"]),
        },
    }


def _target(
    built: Storage, summary: Summary, styles: str | os.PathLike[str], storage_options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what `proxy.json` says of a target."""
    exemplars = CacheReader(Storage(styles, storage_options))
    return {
        "exemplars": len(exemplars),
        "failed": summary.failed,
        "inputs of the styles": exemplars.run["inputs"]["sha256"],
        "pictures": summary.rows,
        "run": stamp(load(built)),
        "styles": exemplars.storage.url,
    }


def _earlier_targets(storage: Storage, record: Mapping[str, Any], *, overwrite: bool) -> dict[str, Any]:
    """Return the targets that an earlier call has built in the same way, or remove them with `overwrite`."""
    if storage.exists(RUN):
        raise ConfigurationError(f"{storage.url} holds a run of its own: choose another output")
    if not storage.exists(PROXY):
        return {}
    known = read_record(storage)
    if overwrite:
        for name in known["targets"]:
            erase(storage.sub(name), owned)
        for name in (REPORT, PROXY):
            storage.remove(name)
        return {}
    there, here = known["built"], record["built"]
    if different := [name for name in sorted(there.keys() | here.keys()) if there.get(name) != here.get(name)]:
        raise ConfigurationError(
            f"{storage.url} holds proxy sets of other contents or options ({', '.join(different)} differ): "
            "choose another output or pass --overwrite"
        )
    return dict(known["targets"])


def _label_kinds(
    contents: CacheReader, split: str | None, limit: int | None, on_event: Callable[[Event], None]
) -> dict[str, int]:
    """Count the contents that have a label of each kind; raises ConfigurationError when none has any."""
    kinds: Counter[str] = Counter()
    total = without = 0
    for entry in islice(_chosen(contents, split), limit):
        sample = Sample(id=entry.id, image=entry.image, labels=entry.labels, split=entry.split, key=entry.key)
        found = {label_kind(sample, path) for path in entry.labels if is_image(path)}
        kinds.update(found)
        without += not found
        total += 1
    if total and not kinds:  # without any picture the mix says what is wrong
        raise ConfigurationError(
            f"no picture of {contents.storage.url} that was asked for has a label: "
            "a proxy set needs the cache of a labelled dataset, such as --split val of it"
        )
    if without:
        which = "which is" if without == 1 else "which are"
        on_event(Note(text=f"{count(without, 'content')} without labels, {which} stylized and never scored"))
    return dict(sorted(kinds.items()))


def _chosen(contents: CacheReader, split: str | None) -> Iterator[Entry]:
    wanted = None if split is None else {name.strip() for name in split.split(",")}
    return (entry for entry in contents.entries() if wanted is None or entry.split in wanted)


def _check_names(styles: Mapping[str, Any]) -> None:
    if not styles:
        raise ConfigurationError("no target: name at least one, with --styles NAME=CACHE")
    for name in styles:
        if not _NAME.fullmatch(name) or name == PROXY:
            raise ConfigurationError(
                f"a target becomes a folder: {name!r} must be of letters, digits and . _ - and not begin with a dot"
            )
