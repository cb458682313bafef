"""`proxy.json`: what the proxy sets in a folder were built from, so that others can be added and all be scored."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from pipelines.events import Event, Note
from pipelines.fingerprint import REPORT, RUN, erase, load, stamp
from pipelines.mixinputs import Place
from pipelines.mixoptions import LATER, WEATHER, MixOptions
from pipelines.mixrun import owned
from pipelines.summary import Summary
from stylize.cache import CacheReader, Entry
from stylize.datasets.base import split_names
from stylize.datasets.labels import label_kind
from stylize.datasets.tree import is_image
from stylize.errors import BadInput, ConfigurationError, NotFound
from stylize.spelling import count
from stylize.storage import Storage

PROXY = "proxy.json"
FORMAT = 1
_OPTIONS = ("split", "limit", "per_image", "method", "layers", *WEATHER, "min_content_score", "size", "seed")


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


def new_record(
    contents: CacheReader, options: MixOptions, dataset: Place | None, on_event: Callable[[Event], None]
) -> dict[str, Any]:
    """Return `proxy.json` without its targets; what is `built` is the same for all of them.

    Raises ConfigurationError when none of the contents has a label.
    """
    return {
        "built": {
            **{name: getattr(options, name) for name in _OPTIONS},
            "strength": list(options.strength),
            "weights": contents.run["weights"],
            "inputs of the cache": contents.run["inputs"]["sha256"],
        },
        "format": FORMAT,
        "labels": {
            "kinds": _label_kinds(contents, options.split, options.limit, on_event),
            "layout": contents.run["configuration"]["layout"],
        },
        "sources": {
            "cache": contents.storage.url,
            "dataset": os.fspath(dataset or contents.run["sources"]["dataset"]),
        },
    }


def target_record(
    built: Storage, summary: Summary, styles: Place, storage_options: Mapping[str, Any] | None
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


def earlier_targets(storage: Storage, record: Mapping[str, Any], *, overwrite: bool) -> dict[str, Any]:
    """Return the targets that an earlier call has built in the same way, or remove them with `overwrite`.

    Raises ConfigurationError when they were built of other contents or options, or the place is a run's own.
    """
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
    there, here = dict.fromkeys(LATER, 0.0) | known["built"], record["built"]
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
        found = {label_kind(entry, path) for path in entry.labels if is_image(path)}
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
    wanted = None if split is None else split_names(split)
    return (entry for entry in contents.entries() if wanted is None or entry.split in wanted)
