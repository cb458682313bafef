"""The fingerprint of a run, `run.json`: what must be equal for a second session to go on, and who may write where.

{
  "configuration": {"noise": "int8", "unit_size": 32, ...},      compared
  "format": 1,                                                  compared
  "inputs": {"rows": 406, "sha256": "51a0..."},                 compared
  "kind": "invert",                                             compared
  "sources": {"dataset": "/data/camvid", "model": "camvid"},    where things were; may move
  "units": 13,                                                  compared
  "versions": [{"stylize": "0.1.0", "torch": "2.5.1", ...}],    of every session that differed
  "weights": "9f31..."                                          compared
}
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipelines import commits
from pipelines.flow import prefetch
from pipelines.lease import LEASE
from stylize import __version__
from stylize.errors import BadInput, ConfigurationError, NotFound, StylizeError
from stylize.storage import Storage

RUN, MANIFEST = "run.json", "manifest.json"
REPORT = "report.html"  # on no record: written by `stylize report`, whenever somebody likes
FORMAT = 1
_PACKAGES = ("numpy", "onnxruntime", "pillow", "pyarrow", "torch")
WORK_LISTS = ("inputs.parquet", "plan.parquet")
OWN_FOLDERS = ("shards/", "provenance/", "commits/")


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a run is: its stage, configuration (JSON values), weights if any, inputs, and how many units and rows.

    `sources` (paths and URLs, never secrets) and versions are recorded, not compared: data may move, and a run may be
    continued after an upgrade.
    """

    kind: str
    configuration: Mapping[str, Any]
    weights: str | None
    inputs: str
    rows: int
    units: int
    sources: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Digest of all that is compared; stamped on every commit record."""
        return _digest(self.record())

    def record(self) -> dict[str, Any]:
        """Return what `run.json` holds."""
        return {
            "configuration": dict(self.configuration),
            "format": FORMAT,
            "inputs": {"rows": self.rows, "sha256": self.inputs},
            "kind": self.kind,
            "sources": dict(self.sources),
            "units": self.units,
            "versions": [versions()],
            "weights": self.weights,
        }


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(_compared(record), sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions that may change bytes: of this program, Python and what computes or packs."""
    found = {"python": platform.python_version(), "stylize": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load(storage: Storage) -> dict[str, Any]:
    """Return `run.json` of a run's folder; raises `ConfigurationError` when there is none or it is damaged."""
    try:
        record = storage.read_json(RUN)
    except NotFound as error:
        if storage.exists("proxy.json"):
            raise ConfigurationError(f"{storage.url} holds proxy sets: give one of them, {storage.url}/NAME") from error
        raise ConfigurationError(
            f"{storage.url} holds no {RUN}: give the folder that `invert` or `mix` wrote"
        ) from error
    except BadInput as error:
        raise ConfigurationError(f"{error}; pass --overwrite to begin anew") from error
    if record.get("format") != FORMAT:
        raise ConfigurationError(
            f"{storage.locate(RUN)} has format {record.get('format')}, this version reads {FORMAT}"
        )
    return dict(record)


def stamp(record: Mapping[str, Any]) -> str:
    """Return the digest that the commit records of a loaded run carry."""
    return _digest(record)


def require(record: Mapping[str, Any], url: str, configuration: Iterable[str], sources: Iterable[str]) -> None:
    """Raise `ConfigurationError` when a loaded run does not say all that going on with it takes: it is too old."""
    wanted = {"configuration": configuration, "sources": sources}
    missing = [name for part, names in wanted.items() for name in names if name not in record.get(part, {})]
    if missing:
        raise ConfigurationError(
            f"{url} was made by an older version of stylize, which did not record {', '.join(missing)}: it cannot be "
            f"continued or repaired; run `stylize {record['kind']}` on it again with --overwrite"
        )


def claim(
    storage: Storage,
    fingerprint: Fingerprint,
    *,
    overwrite: bool = False,
    owned: Callable[[Storage], Iterable[str]] | None = None,
) -> None:
    """Make the output this run's own, or find that it already is; raises `ConfigurationError` when it is another's.

    `overwrite` removes an earlier run first, by its records and by `owned(storage)`: further paths that the earlier run
    may have written without coming to record them. Files of anybody else are never touched.
    """
    record = fingerprint.record()
    free = not storage.exists(RUN)
    if free:
        refuse_foreign(storage)
    elif overwrite:
        erase(storage, owned)
        free = True
    if free and storage.create(RUN, (json.dumps(record, sort_keys=True, indent=2) + "\n").encode()):
        return
    known = load(storage)
    if differences := compare(known, record):
        raise ConfigurationError(
            f"{storage.url} holds another run ({'; '.join(differences)}); choose another output or pass --overwrite"
        )
    if versions() not in known["versions"]:
        storage.write_json(RUN, {**known, "versions": [*known["versions"], versions()]})


def compare(known: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """Return one clause per thing that differs between two run records, none when the second continues the first."""
    there, here = _compared(known), _compared(record)
    names = sorted(there.keys() | here.keys())
    return [
        f"{name} is {_show(there.get(name))} there and {_show(here.get(name))} here"
        for name in names
        if there.get(name) != here.get(name)
    ]


def _compared(record: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten what is compared; through JSON, so that a tuple equals the list it was stored as."""
    options = json.loads(json.dumps(record["configuration"]))
    named = {name: record[name] for name in ("format", "kind", "units", "weights")}
    return {**options, **named, "inputs": record["inputs"]["sha256"], "number of inputs": record["inputs"]["rows"]}


def _show(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    return "not set" if value is None else json.dumps(value)


def refuse_foreign(storage: Storage) -> None:
    """Raise `ConfigurationError` when an output that holds no run holds anything else."""
    found = [path for path in storage.list() if path != LEASE]
    if found and RUN not in found:  # else another session has just begun one here, which is compared
        raise ConfigurationError(
            f"{storage.url} is not empty and holds no {RUN} (first file: {found[0]}); choose an empty or a new output"
        )


def erase(storage: Storage, owned: Callable[[Storage], Iterable[str]] | None = None) -> None:
    """Remove what an earlier run wrote, `run.json` last, so that an interrupted removal can be repeated."""
    with ThreadPoolExecutor(commits.THREADS, "erase") as pool:
        if owned is not None:  # perhaps millions: not all at once into the pool
            for _ in prefetch(pool, storage.remove, owned(storage), ahead=4 * commits.THREADS):
                pass
        list(pool.map(storage.remove, _extras(storage)))
        list(pool.map(lambda unit: _erase_unit(storage, unit), commits.committed(storage)))
        list(pool.map(storage.remove, (path for folder in OWN_FOLDERS for path in storage.list(folder))))
        list(pool.map(storage.remove, (*WORK_LISTS, MANIFEST, REPORT)))
    storage.remove(RUN)


def _erase_unit(storage: Storage, unit: int) -> None:
    with suppress(StylizeError):  # a damaged record: what it named is in our own folders or among `owned`
        for record in commits.read(storage, unit).files:
            storage.remove(record.path)
    commits.remove(storage, unit)


def _extras(storage: Storage) -> list[str]:
    try:
        return [path for path, _, _ in storage.read_json(MANIFEST)["extras"]]
    except (BadInput, KeyError):
        return []
