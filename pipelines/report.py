"""The command `report`: one page that shows a run, with pictures, to look at and to send to others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from pipelines import reportcache, reportmix, reportproxy, reportranking
from pipelines.fingerprint import REPORT, RUN
from pipelines.proxy import PROXY
from pipelines.survey import Survey, survey
from stylize.errors import ConfigurationError
from stylize.storage import Storage

PAGES: Mapping[str, Callable[[Survey], bytes]] = {"invert": reportcache.build, "mix": reportmix.build}


def report(
    run: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    ranking: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> str:
    """Write the report of a run as one HTML page that needs nothing else, and return where it is.

    Args:
        run: what `invert`, `mix` or `proxy_build` wrote or is writing, a folder or URL; of an unfinished run the page
            shows what is there.
        out: file or URL of the page; by default `report.html` in the run's folder.
        ranking: with proxy sets, the file that `proxy_rank(json=...)` wrote; by default `ranking.json` in their folder,
            if there is one.
        storage_options: passed to fsspec for URLs.

    Raises:
        ConfigurationError: there is no run here, or one of another kind.
    """
    there = Storage(run, storage_options)
    storage, name = _place(there, out, storage_options)
    storage.write(name, _page(there, ranking))
    return storage.locate(name)


def _page(storage: Storage, ranking: str | os.PathLike[str] | None) -> bytes:
    if storage.exists(PROXY) and not storage.exists(RUN):
        return reportproxy.build(storage, reportranking.find(storage, ranking))
    if ranking is not None:
        raise ConfigurationError(f"a ranking belongs to proxy sets, and {storage.url} holds no {PROXY}")
    seen = survey(storage)
    if seen.run["kind"] not in PAGES:
        raise ConfigurationError(
            f"{seen.storage.url} is a run of {seen.run['kind']!r}: give a folder that `invert`, `mix` or `proxy build` "
            "wrote"
        )
    return PAGES[seen.run["kind"]](seen)


def _place(
    run: Storage, out: str | os.PathLike[str] | None, storage_options: Mapping[str, Any] | None
) -> tuple[Storage, str]:
    if out is None:
        return run, REPORT
    folder, _, name = os.fspath(out).rpartition("/")
    if not name:
        raise ConfigurationError(f"{os.fspath(out)!r} names a folder: give the page a file name, as in {out}{REPORT}")
    return Storage(folder or ("/" if os.fspath(out).startswith("/") else "."), storage_options), name
