"""The command `report`: one page that shows a run, with pictures, to look at and to send to others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from pipelines import reportcache, reportmix
from pipelines.fingerprint import REPORT
from pipelines.survey import Survey, survey
from stylize.errors import ConfigurationError
from stylize.storage import Storage

PAGES: Mapping[str, Callable[[Survey], bytes]] = {"invert": reportcache.build, "mix": reportmix.build}


def report(
    run: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> str:
    """Write the report of a run as one HTML page that needs nothing else, and return where it is.

    Args:
        run: what `invert` or `mix` wrote or is writing, a folder or URL; of an unfinished run the page shows what is
            there.
        out: file or URL of the page; by default `report.html` in the run's folder.
        storage_options: passed to fsspec for URLs.

    Raises:
        ConfigurationError: there is no run here, or one of another kind.
    """
    seen = survey(Storage(run, storage_options))
    if seen.run["kind"] not in PAGES:
        raise ConfigurationError(
            f"{seen.storage.url} is a run of {seen.run['kind']!r}: give a folder that `invert` or `mix` wrote"
        )
    storage, name = _place(seen.storage, out, storage_options)
    storage.write(name, PAGES[seen.run["kind"]](seen))
    return storage.locate(name)


def _place(
    run: Storage, out: str | os.PathLike[str] | None, storage_options: Mapping[str, Any] | None
) -> tuple[Storage, str]:
    if out is None:
        return run, REPORT
    folder, _, name = os.fspath(out).rpartition("/")
    if not name:
        raise ConfigurationError(f"{os.fspath(out)!r} names a folder: give the page a file name, as in {out}{REPORT}")
    return Storage(folder or ("/" if os.fspath(out).startswith("/") else "."), storage_options), name
