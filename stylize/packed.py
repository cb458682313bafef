"""Files inside shards: an address says where the bytes are, so that one picture is read without its shard.

    data/train-00003.tar!1536+20480!images/train/0001TP.png      20480 bytes of the shard, from byte 1536 on
    data/train-00003.parquet!17:image!images/train/0001TP.png    row 17, column `image`

What stands behind the second `!` is the name that the file has among the others, and nothing is looked up by it. A
`Storage` reads an address like any other path; all that is needed to read it is in it.
"""

from __future__ import annotations

import bisect
import re
import threading
from collections import OrderedDict
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from stylize.errors import BadInput
from stylize.ranges import Ranges

if TYPE_CHECKING:
    from stylize.storage import Storage

_ADDRESS = re.compile(r"([^!]+\.(?:tar!\d+\+\d+|parquet!\d+:[^!]+))!([^!]+)", re.DOTALL)
MEMORY = 256 << 20  # bytes of Parquet columns that a reader keeps
FOOTERS = 256  # Parquet shards whose footers it keeps


class Address(NamedTuple):
    """Where a file is: its shard, its place in there, and its name."""

    shard: str
    place: str
    name: str

    def __str__(self) -> str:
        return "!".join(self)


def tar_address(shard: str, start: int, size: int, name: str) -> str:
    """Return the address of `size` bytes of a tar file."""
    return str(Address(shard, f"{start}+{size}", name))


def parquet_address(shard: str, row: int, column: str, name: str) -> str:
    """Return the address of a cell of a Parquet file; `column` holds bytes, or a struct with a field `bytes`."""
    return str(Address(shard, f"{row}:{column}", name))


def parse(path: str) -> Address | None:
    """Return the parts of an address, None for a path that is none."""
    found = _ADDRESS.fullmatch(path) if "!" in path else None
    if found is None:
        return None
    shard, _, place = found[1].partition("!")
    return Address(shard, place, found[2])


def inner(path: str) -> str:
    """Return the name that an address gives its file; any other path as it is."""
    address = parse(path)
    return address.name if address else path


class PackedReader:
    """Reads files by their addresses; of Parquet shards it keeps footers and the columns of row groups read lately.

    Safe to use from several threads.
    """

    def __init__(self, storage: Storage, *, memory: int = MEMORY) -> None:
        self._storage = storage
        self._memory = memory
        self._footers: OrderedDict[str, tuple[Any, list[int]]] = OrderedDict()
        self._columns: OrderedDict[tuple[str, int, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, address: Address, start: int | None, end: int | None) -> bytes:
        """Return the bytes of a file from `start` to before `end`; raises `NotFound` without its shard, `BadInput`."""
        if address.shard.endswith(".parquet"):
            row, _, column = address.place.partition(":")
            return self._cell(address.shard, int(row), column)[start:end]
        offset, size = map(int, address.place.split("+"))
        first, last = min(start or 0, size), size if end is None else min(end, size)
        data = self._storage.read_range(address.shard, offset + first, offset + last)
        if len(data) != max(0, last - first):
            raise BadInput(f"{self._storage.locate(address.shard)} ends before {address.name}: fetch the shard again")
        return data

    def forget(self, shard: str) -> None:
        """Drop what is kept of a shard that is about to change."""
        with self._lock:
            self._footers.pop(shard, None)
            for key in [key for key in self._columns if key[0] == shard]:
                del self._columns[key]

    def _cell(self, shard: str, row: int, column: str) -> bytes:
        import pyarrow as pa  # here, because most storages hold no shards

        try:
            with self._lock:  # so that threads which want the same row group read it once
                cells, index = self._find(shard, row, column)
            cell = cells[index]
            data = (cell["bytes"] if pa.types.is_struct(cell.type) and cell.is_valid else cell).as_py()
        except (pa.ArrowException, OSError, KeyError, IndexError) as error:
            reason = " ".join(str(error).split())
            where = self._storage.locate(shard)
            raise BadInput(f"row {row}, column {column} of {where} cannot be read ({reason})") from error
        if not isinstance(data, bytes):
            raise BadInput(f"row {row}, column {column} of {self._storage.locate(shard)} holds no bytes")
        return data

    def _find(self, shard: str, row: int, column: str) -> tuple[Any, int]:
        """Return a column of the row group that a row is in, and the row's place there."""
        file, ends = self._open(shard)
        group = bisect.bisect_right(ends, row)
        if group == len(ends):
            raise IndexError(f"it has {ends[-1] if ends else 0} rows")
        key = (shard, group, column)
        if key not in self._columns:
            self._columns[key] = file.read_row_group(group, columns=[bytes_column(file, column)]).column(column)
        self._columns.move_to_end(key)
        while sum(kept.nbytes for kept in self._columns.values()) > self._memory and len(self._columns) > 1:
            self._columns.popitem(last=False)
        return self._columns[key], row - (ends[group - 1] if group else 0)

    def _open(self, shard: str) -> tuple[Any, list[int]]:
        if shard not in self._footers:
            file = open_parquet(self._storage, shard)
            sizes = (file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
            self._footers[shard] = file, list(accumulate(sizes))
            if len(self._footers) > FOOTERS:
                self._footers.popitem(last=False)
        return self._footers[shard]


def open_parquet(storage: Storage, path: str) -> Any:
    """Return a `pyarrow.parquet.ParquetFile` that reads by ranges."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.PythonFile(Ranges(storage, path, storage.size(path)), mode="r"), pre_buffer=True)


def bytes_column(file: Any, column: str) -> str:
    """Return the leaf that holds the bytes of a column, which may be a struct; raises `KeyError` without the column."""
    import pyarrow as pa

    if column not in file.schema_arrow.names:
        raise KeyError(f"there is no column {column}")
    return f"{column}.bytes" if pa.types.is_struct(file.schema_arrow.field(column).type) else column
