"""Work lists, `CACHE/inputs.parquet` and `OUT/plan.parquet`: written row by row, known by a hash of their rows.

How they look on disk, and how a worker reads the rows of its units, is in `stylize.worklist`.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from stylize.cache import INPUT_SCHEMA
from stylize.datasets.samples import Samples
from stylize.datasets.tree import Sample
from stylize.errors import FatalError, StylizeError
from stylize.worklist import UNITS, WorkList, pack

__all__ = ["WorkList", "WorkListFile", "build", "chunks", "digest", "work_list"]

Row = TypeVar("Row")
ROW_GROUP = 8192  # rows at least, but for the last group
IN_MEMORY = 64 << 20  # bytes; what is longer is written to the temporary folder, under no name


@dataclass(frozen=True, kw_only=True)
class WorkListFile:
    """A work list ready to be published; `sha256` is of the rows and their units, the same however they are packed.

    The file is open for as long as this object lives.
    """

    file: IO[bytes]
    sha256: str
    units: int
    rows: int

    def __post_init__(self) -> None:
        weakref.finalize(self, self.file.close)

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        self.file.seek(0)
        return self.file.read()


def chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Yield the rows in lists of `size`, the last one shorter."""
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def build(schema: pa.Schema, units: Iterable[Sequence[dict[str, Any]]]) -> WorkListFile:
    """Write the rows of units into a work list, of which only one row group is in memory at a time.

    Raises `FatalError` when the temporary folder has no room for it.
    """
    digest, sizes = hashlib.sha256(), array("I")
    with ExitStack() as opened:
        file = opened.enter_context(tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))
        opened.enter_context(_no_room_is_fatal())
        # Statistics would be a good part of the footer, and nobody filters by them.
        with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False, write_statistics=False) as writer:
            group: list[dict[str, Any]] = []
            for rows in units:
                digest.update(_line(rows))
                sizes.append(len(rows))
                group.extend(rows)
                if len(group) >= ROW_GROUP:
                    _write(writer, group, schema)
                    group = []
            if group:
                _write(writer, group, schema)
            writer.add_key_value_metadata({UNITS: json.dumps(pack(sizes))})
        opened.pop_all()
    return WorkListFile(file=file, sha256=digest.hexdigest(), units=len(sizes), rows=sum(sizes))


@contextmanager
def _no_room_is_fatal() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = tempfile.gettempdir()
        raise FatalError(f"cannot write a work list to {where} ({error}): name another folder in TMPDIR") from error


def work_list(samples: Sequence[Sample], unit_size: int) -> WorkListFile:
    """Return the work list of `invert`: samples sorted by id, `unit_size` to a unit."""
    ordered = samples if isinstance(samples, Samples) else sorted(samples, key=lambda sample: sample.id)
    rows = ({"id": s.id, "image": s.image, "labels": list(s.labels), "split": s.split, "key": s.key} for s in ordered)
    return build(INPUT_SCHEMA, chunks(rows, unit_size))


def digest(data: bytes) -> str:
    """Return the sha256 of a work list's rows and their units; raises `StylizeError` when it cannot be read."""
    digest = hashlib.sha256()
    try:
        work = WorkList(data)
        for unit in range(len(work)):
            digest.update(_line(work.rows(unit)))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StylizeError(f"the work list is damaged ({' '.join(str(error).split())})") from error
    return digest.hexdigest()


def _write(writer: pq.ParquetWriter, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=len(rows))


def _line(rows: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps(rows, sort_keys=True, separators=(",", ":")).encode() + b"\n"
