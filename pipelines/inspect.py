"""The command `inspect`: what is in a cache, one picture of it with its reconstruction, and its codes to take along."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines import inspectpicture
from pipelines.fingerprint import MANIFEST, RUN
from pipelines.inspectexport import Unit, export_rows, first_rows, one_row
from pipelines.proxyrecord import PROXY
from pipelines.survey import Survey, survey
from stylize.cache import CacheInfo, CacheReader, CacheRow
from stylize.errors import ConfigurationError, StylizeError
from stylize.evaluation.tables import file_at
from stylize.sheet import evenly
from stylize.storage import Storage

Place = str | os.PathLike[str]

IDS, LOWEST = 5, 3  # named in the overview
SUGGESTED = 5
SEARCHED = 10_000  # ids that are compared letter by letter with one that is unknown


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found: the run as its records tell it, and with an id its row.

    `picture` and `exported` say where the files went, `rows_exported` how many rows; `notes` are for the user.
    """

    survey: Survey
    info: CacheInfo
    ids: tuple[str, ...] = ()
    lowest: tuple[tuple[str, float], ...] = ()
    row: CacheRow | None = None
    picture: str | None = None
    exported: str | None = None
    rows_exported: int = 0
    notes: tuple[str, ...] = ()


def inspect(
    cache: Place,
    id: str | None = None,
    *,
    output: Place | None = None,
    export: Place | None = None,
    limit: int | None = None,
    model: Place | None = None,
    dataset: Place | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Inspection:
    """Say what a cache holds, or show one picture of it with its reconstruction; hand out codes and noise maps.

    Args:
        cache: what `invert` wrote, a folder or URL; an overview may be had of an unfinished one, too.
        id: of a picture, as in the overview, or its file; with it the picture is reconstructed.
        output: PNG file or URL for source, reconstruction and difference side by side; by default the id with `_` for
            `/` and `.png`, in the current folder, and none when only an export is asked for.
        export: `.npz` file or URL for w+ codes and noise maps, of the id or of the whole cache (see
            `pipelines.inspectexport` for names and shapes).
        limit: export only the first so many pictures.
        model, dataset: where the bundle and the source pictures are now, if not where they were. Without the source
            the picture is the reconstruction alone.
        storage_options: passed to fsspec for all URLs.

    Raises:
        ConfigurationError: this is no cache, the id is unknown, the model another one, or an option does not fit.
    """
    storage = Storage(cache, storage_options)
    _check(storage, id, output=output, export=export, limit=limit)
    seen = survey(storage)
    info = CacheInfo.from_dict({**seen.run["configuration"], "model_sha256": seen.run["weights"]})
    reader = CacheReader(storage) if id is not None or export is not None or seen.finished else None
    found: dict[str, Any] = {"survey": seen, "info": info}
    units: list[Unit] = []
    if id is None:
        found |= {"ids": tuple(_some_ids(reader)) if reader else (), "lowest": _lowest(seen, reader)}
        units = first_rows(reader, limit) if reader and export is not None else []
    elif reader is not None:
        known = _known(reader, id)
        found["row"] = reader.row(known)
        units = one_row(reader, known)
        if output is not None or export is None:
            where = output or f"{known.replace('/', '_')}.png"
            drawn = inspectpicture.draw(seen.run, storage.options, info, found["row"], where, model, dataset)
            found["picture"], found["notes"] = drawn
    if reader is not None and export is not None:
        found |= _export(reader, units, export, storage_options)
    return Inspection(**found)


def _check(storage: Storage, id: str | None, *, output: Place | None, export: Place | None, limit: int | None) -> None:
    """Refuse what is no cache, with the command that fits it, and options that mean nothing here."""
    if id is None and output is not None:
        raise ConfigurationError("the output is the picture of one id: name one (the overview lists some)")
    if limit is not None and (export is None or id is not None):
        raise ConfigurationError("the limit is for the export of a whole cache: give export and no id")
    if limit is not None and limit < 1:
        raise ConfigurationError(f"the limit must be at least 1, not {limit}")
    if export is not None and not os.fspath(export).endswith(".npz"):
        raise ConfigurationError(f"the export is a NumPy archive: {os.fspath(export)!r} must end in .npz")
    if storage.exists(PROXY) and not storage.exists(RUN):
        raise ConfigurationError(
            f"{storage.url} holds proxy sets, which have no codes: `stylize report {storage.url}` shows them"
        )
    run = storage.read_json(RUN) if storage.exists(RUN) else {}
    kind = run.get("kind", "invert")
    if kind == "mix":
        raise ConfigurationError(
            f"{storage.url} holds pictures that `stylize mix` wrote, and no codes: `stylize report {storage.url}` "
            f"shows them, and their codes are in the cache {run['sources'].get('cache', 'that they were made of')}"
        )
    if kind != "invert":
        raise ConfigurationError(f"{storage.url} is a run of {kind!r}: give a cache that `stylize invert` wrote")


def _some_ids(reader: CacheReader) -> Iterator[str]:
    """Yield ids from all over a cache."""
    for unit in evenly(reader.units, IDS):
        share = -(-IDS // max(1, min(IDS, reader.units)))
        entries = list(reader.entries(unit))
        yield from (entries[place].id for place in evenly(len(entries), share))


def _lowest(seen: Survey, reader: CacheReader | None) -> tuple[tuple[str, float], ...]:
    """Return the pictures with the lowest PSNR, which are among those of the weakest units."""
    found: list[tuple[float, str]] = []
    for unit in seen.weakest if reader else ():
        table = reader.columns(unit, ("id", "psnr"), keep=False) if reader else None
        if table is not None:
            found += zip(table.column("psnr").to_pylist(), table.column("id").to_pylist(), strict=True)
            found = sorted(found)[:LOWEST]
    return tuple((name, value) for value, name in found)


def _known(reader: CacheReader, id: str) -> str:
    """Return an id of the cache, also for its file name; raises `ConfigurationError` with the nearest ones."""
    stem = id.rpartition(".")[0]
    for name in (id, stem):
        try:
            unit = reader.locate(name)
        except StylizeError:
            continue
        if name == id or any(entry.image == id for entry in reader.entries(unit)):
            return name
    if reason := _failure(reader.storage, id):
        raise ConfigurationError(
            f"{id!r} failed to invert ({reason}): mend it and run the same `stylize invert` with --retry-failed"
        )
    near = nearest(id, reader)
    hint = f"near it: {', '.join(near)}" if near else "`stylize inspect` without an id lists some"
    raise ConfigurationError(f"{id!r} is not in the cache {reader.storage.url}; {hint}")


def _failure(storage: Storage, id: str) -> str:
    failures = storage.read_json(MANIFEST)["failures"]
    return next((reason for _, name, _, reason in failures if name == id), "")


def nearest(id: str, reader: CacheReader) -> list[str]:
    """Return ids that resemble one: those that contain it first, then those of nearly the same letters."""
    entries = (entry.id for entry in reader.entries())
    words = id.rpartition("/")[2].lower() or id.lower()
    holding: list[str] = []
    compared: list[str] = []
    for name in entries:
        if words in name.lower() and len(holding) < SUGGESTED:
            holding.append(name)
        if len(compared) < SEARCHED or name[: len(id) // 2] == id[: len(id) // 2]:
            compared.append(name)
    close = difflib.get_close_matches(id, compared[-SEARCHED:], n=SUGGESTED, cutoff=0.5)
    return list(dict.fromkeys([*holding, *close]))[:SUGGESTED]


def _export(
    reader: CacheReader, units: Sequence[Unit], where: Place, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    storage, name = file_at(where, options)
    rows = export_rows(reader, units, storage, name)
    return {"exported": storage.locate(name), "rows_exported": rows}
