"""Read a work list: a Parquet file that says which rows make each unit, so that drivers hand out numbers, never rows.

The rows stand unit by unit, several thousand to a row group, and no unit lies in two. How many rows the units have is
in the file's metadata under `units`, as runs: `[[50, 19999], [37, 1]]` are 19,999 units of 50 rows and one of 37. A
file without it has one row group per unit, as all had at first: the footer of such a file takes a kilobyte per unit and
column in the memory of everybody who opens it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

UNITS = b"units"


class WorkList:
    """Reads a work list unit by unit; safe to use from several threads."""

    def __init__(self, data: bytes) -> None:
        self._file = pq.ParquetFile(pa.BufferReader(data))
        self._lock = threading.Lock()  # a ParquetFile must not be read by two threads at once
        footer = self._file.metadata
        groups = [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]
        runs = (footer.metadata or {}).get(UNITS)
        self._groups = _bounds(groups)
        self._units = self._groups if runs is None else _bounds(unpack(json.loads(runs)))
        self._last: tuple[int, pa.Table] = (-1, None)  # the row group read last: units are mostly asked for in order

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self._units) - 1

    def rows(self, unit: int) -> list[dict[str, Any]]:
        """Return the rows of a unit in order."""
        first, end = int(self._units[unit]), int(self._units[unit + 1])
        if first == end:
            return []
        group = int(np.searchsorted(self._groups, first, "right")) - 1
        with self._lock:
            if self._last[0] != group:
                self._last = group, self._file.read_row_group(group, use_threads=False)
            table = self._last[1]
        return list(table.slice(first - int(self._groups[group]), end - first).to_pylist())

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column over all units, without reading the others."""
        with self._lock:
            return self._file.read(columns=[name], use_threads=False).column(name)


def pack(rows: Iterable[int]) -> list[list[int]]:
    """Return numbers of rows, one per unit, as runs."""
    return [[size, sum(1 for _ in units)] for size, units in groupby(rows)]


def unpack(runs: Iterable[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """Return what `pack` made runs of."""
    sizes, counts = np.array([*runs], np.int64).reshape(-1, 2).T
    return np.repeat(sizes, counts)


def _bounds(sizes: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.asarray(sizes, np.int64))])
