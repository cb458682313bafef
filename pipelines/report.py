"""The command `report`: one page that shows a run, with pictures, to look at and to send to others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Set
from typing import Any

from pipelines import reportcache, reportmix, reportproxy, reportranking
from pipelines.fingerprint import REPORT, RUN
from pipelines.proxyrecord import PROXY
from pipelines.survey import Survey, survey
from stylize.errors import ConfigurationError
from stylize.storage import Storage

PAGES: Mapping[str, Callable[[Survey], bytes]] = {"invert": reportcache.build, "mix": reportmix.build}

USED = {"invert": {"model", "dataset"}, "mix": {"dataset", "styles_dataset"}}  # places that a page reads from


def report(
    run: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    ranking: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    dataset: str | os.PathLike[str] | None = None,
    styles_dataset: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> str:
    """Write the report of a run as one HTML page that needs nothing else, and return where it is.

    Args:
        run: what `invert`, `mix` or `proxy_build` wrote or is writing, a folder or URL; of an unfinished run the page
            shows what is there.
        out: file or URL of the page; by default `report.html` in the run's folder.
        ranking: with proxy sets, the file that `proxy_rank(json=...)` wrote; by default `ranking.json` in their folder,
            if there is one.
        model: where the bundle of a cache is now, if not where it was; without it there are no reconstructions.
        dataset, styles_dataset: where the datasets of contents and of a mix's exemplars are now, if not where they
            were.
        storage_options: passed to fsspec for URLs.

    Raises:
        ConfigurationError: there is no run here, or one of another kind.
    """
    there = Storage(run, storage_options)
    storage, name = _place(there, out, storage_options)
    moved = {"model": model, "dataset": dataset, "styles_dataset": styles_dataset}
    places = {what: os.fspath(place) for what, place in moved.items() if place is not None}
    storage.write(name, _page(there, ranking, places))
    return storage.locate(name)


def _page(storage: Storage, ranking: str | os.PathLike[str] | None, places: Mapping[str, str]) -> bytes:
    if storage.exists(PROXY) and not storage.exists(RUN):
        _check_places("proxy sets", places, {"dataset"})
        return reportproxy.build(storage, reportranking.find(storage, ranking), places)
    if ranking is not None:
        raise ConfigurationError(f"a ranking belongs to proxy sets, and {storage.url} holds no {PROXY}")
    _refuse_training(storage)
    seen = survey(storage, places)
    if seen.run["kind"] not in PAGES:
        raise ConfigurationError(
            f"{seen.storage.url} is a run of {seen.run['kind']!r}: give a folder that `invert`, `mix` or `proxy build` "
            "wrote"
        )
    kind = str(seen.run["kind"])
    _check_places("a cache" if kind == "invert" else "a mix", places, USED[kind])
    return PAGES[kind](seen)


def _refuse_training(storage: Storage) -> None:
    """Refuse the folder of a training, whose record is of another form."""
    record = storage.read_json(RUN) if storage.exists(RUN) else {}
    kind = str(record.get("kind")) if isinstance(record, dict) else ""
    if kind.startswith("train"):
        raise ConfigurationError(
            f"{storage.url} is a run of {kind!r}, which draws its curves and grids there by itself"
        )


def _check_places(what: str, places: Mapping[str, str], used: Set[str]) -> None:
    if unused := sorted(places.keys() - used):
        raise ConfigurationError(f"the report of {what} reads no {unused[0].replace('_', ' ')}: leave it out")


def _place(
    run: Storage, out: str | os.PathLike[str] | None, storage_options: Mapping[str, Any] | None
) -> tuple[Storage, str]:
    if out is None:
        return run, REPORT
    folder, _, name = os.fspath(out).rpartition("/")
    if not name:
        raise ConfigurationError(f"{os.fspath(out)!r} names a folder: give the page a file name, as in {out}{REPORT}")
    return Storage(folder or ("/" if os.fspath(out).startswith("/") else "."), storage_options), name
