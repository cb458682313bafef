"""Commit records: the small JSON written after a unit's files, which says that it is done and with which bytes.

`commits/00042.json` of a cache, one line per file and per failure:

    {
    "bytes": 1290312,
    "failures": [
     {"id": "train/0001TP_006690", "kind": "bad-input", "reason": "truncated: image file is truncated"}
    ],
    "figures": {"images": 31},
    "files": [
     ["shards/00042.parquet", 1290312, "6b0d..."]
    ],
    "rows": 31,
    "run": "0b9c...",
    "seconds": {"decode": 0.4, "encode": 0.2, "model": 3.1, "read": 0.0, "write": 0.0},
    "span": [1790000000.125, 1790000004.5],
    "unit": 42
    }

`span` is when the unit was begun and ended, in seconds since 1970. `run` is the digest of the run's fingerprint: a
record of another run is never mistaken for one of this.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from pipelines.flow import prefetch
from pipelines.units import Failure, Outcome, unit_name
from stylize.errors import StylizeError
from stylize.storage import Storage

FOLDER = "commits"
THREADS = 16  # requests in flight when many records are read: they are small, what counts is the round trip
_NAME = re.compile(rf"{FOLDER}/(\d{{5,}})\.json")


class FileRecord(NamedTuple):
    """A file that was written: its path in the output, its size and its sha256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What a finished unit left behind. Only `seconds` and `span` differ between two runs of the same work."""

    run: str
    unit: int
    rows: int
    files: tuple[FileRecord, ...]
    failures: tuple[Failure, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    span: tuple[float, float] = (0.0, 0.0)

    @property
    def bytes(self) -> int:
        """Bytes of all files of the unit."""
        return sum(record.bytes for record in self.files)

    @property
    def digest(self) -> str:
        """Digest of the unit's files and failures: equal for equal results, whenever and wherever they were made."""
        lines = [list(record) for record in self.files], [asdict(failure) for failure in self.failures]
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()

    def outcome(self) -> Outcome:
        """Return what the driver needs to know of this."""
        return Outcome(
            unit=self.unit,
            rows=self.rows,
            bytes=self.bytes,
            failures=self.failures,
            seconds=self.seconds,
            figures=self.figures,
        )


def path_of(unit: int) -> str:
    """Return the path of a unit's commit record."""
    return f"{FOLDER}/{unit_name(unit)}.json"


def publish(storage: Storage, path: str, data: bytes) -> FileRecord:
    """Write a file whole and return its record for the commit."""
    storage.write(path, data)
    return FileRecord(path, len(data), hashlib.sha256(data).hexdigest())


def write(storage: Storage, commit: Commit) -> Outcome:
    """Write the record of a finished unit, after all its files, and return the unit's outcome."""
    storage.write(path_of(commit.unit), dump(_parts(commit)))
    return commit.outcome()


def read(storage: Storage, unit: int) -> Commit:
    """Read the record of a unit; an unreadable one raises `StylizeError` with the remedy."""
    path = path_of(unit)
    try:
        return _load(json.loads(storage.read(path)))
    except (ValueError, KeyError, TypeError) as error:
        raise StylizeError(f"{path} is damaged ({error}); run `stylize verify --repair` on {storage.url}") from error


def read_many(storage: Storage, units: Iterable[int]) -> Iterator[Commit]:
    """Yield the records of units in the order asked for, a few requests ahead and never all at once."""
    with ThreadPoolExecutor(THREADS, "commits") as pool:
        yield from prefetch(pool, lambda unit: read(storage, unit), units, ahead=4 * THREADS)


def committed(storage: Storage) -> set[int]:
    """Return the units that have a record, by one listing of the folder."""
    matches = (_NAME.fullmatch(path) for path in storage.list(FOLDER))
    return {int(match[1]) for match in matches if match}


def remove(storage: Storage, unit: int) -> None:
    """Take a unit's record away, so that the next session makes the unit again."""
    storage.remove(path_of(unit))


def dump(parts: Mapping[str, Any]) -> bytes:
    """Return an object as JSON, its lists of records with one line per record: compact with many, readable with few."""
    texts = {name: _lines(value) if isinstance(value, list) else json.dumps(value) for name, value in parts.items()}
    return ("{\n" + ",\n".join(f'"{name}": {texts[name]}' for name in sorted(texts)) + "\n}\n").encode()


def _lines(records: list[Any]) -> str:
    return "[" + ",".join("\n " + json.dumps(record) for record in records) + ("\n]" if records else "]")


def _parts(commit: Commit) -> dict[str, Any]:
    return {
        "bytes": commit.bytes,
        "failures": [asdict(failure) for failure in commit.failures],
        "figures": {name: _short(value) for name, value in sorted(commit.figures.items())},
        "files": [list(record) for record in commit.files],
        "rows": commit.rows,
        "run": commit.run,
        "seconds": {stage: round(seconds, 4) for stage, seconds in sorted(commit.seconds.items())},
        "span": tuple(round(moment, 3) for moment in commit.span),
        "unit": commit.unit,
    }


def _short(value: float) -> float:
    return int(value) if value == int(value) else round(value, 6)


def _load(record: dict[str, Any]) -> Commit:
    return Commit(
        run=record["run"],
        unit=record["unit"],
        rows=record["rows"],
        files=tuple(FileRecord(*row) for row in record["files"]),
        failures=tuple(Failure(**failure) for failure in record["failures"]),
        seconds=record["seconds"],
        figures=record["figures"],
        span=(record["span"][0], record["span"][1]),
    )
