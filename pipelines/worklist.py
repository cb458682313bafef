"""Work lists: one Parquet file, one row group per unit, so that the driver hands out numbers and never rows.

`CACHE/inputs.parquet` and `OUT/plan.parquet` are such files. A worker reads the file once (some tens of bytes per row)
and then the row groups of its units.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from stylize.errors import StylizeError

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class WorkListFile:
    """A work list ready to be written. `sha256` is of the rows and their grouping, the same whatever wrote the file."""

    data: bytes
    sha256: str
    units: int
    rows: int


def chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Yield the rows in lists of `size`, the last one shorter."""
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def build(schema: pa.Schema, groups: Iterable[Sequence[dict[str, Any]]]) -> WorkListFile:
    """Write groups of rows, one unit each, into a work list; only one group is in memory beside the packed file."""
    digest, units, rows = hashlib.sha256(), 0, 0
    sink = pa.BufferOutputStream()
    # Statistics per row group would be most of the footer when there are 20,000 groups, and nobody filters by them.
    with pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=False, write_statistics=False) as writer:
        for group in groups:
            digest.update(_line(group))
            writer.write_table(pa.Table.from_pylist(list(group), schema=schema), row_group_size=max(1, len(group)))
            units, rows = units + 1, rows + len(group)
    return WorkListFile(data=sink.getvalue().to_pybytes(), sha256=digest.hexdigest(), units=units, rows=rows)


class WorkList:
    """Reads a work list unit by unit; safe to use from several threads."""

    def __init__(self, data: bytes) -> None:
        self._file = pq.ParquetFile(pa.BufferReader(data))
        self._lock = threading.Lock()  # a ParquetFile must not be read by two threads at once

    def __len__(self) -> int:
        """Return the number of units."""
        return int(self._file.num_row_groups)

    def rows(self, unit: int) -> list[dict[str, Any]]:
        """Return the rows of a unit in order."""
        with self._lock:
            return list(self._file.read_row_group(unit, use_threads=False).to_pylist())

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column over all units, without reading the others."""
        with self._lock:
            return self._file.read(columns=[name], use_threads=False).column(name)


def digest(data: bytes) -> str:
    """Return the sha256 of a work list's rows and their grouping; raises `StylizeError` when it cannot be read."""
    digest = hashlib.sha256()
    try:
        work = WorkList(data)
        for unit in range(len(work)):
            digest.update(_line(work.rows(unit)))
    except (pa.ArrowException, OSError) as error:
        raise StylizeError(f"the work list is damaged ({' '.join(str(error).split())})") from error
    return digest.hexdigest()


def _line(group: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps(group, sort_keys=True, separators=(",", ":")).encode() + b"\n"
