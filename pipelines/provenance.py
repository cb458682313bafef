"""Provenance: one row per written picture that says what it was made of; one Parquet file per unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.units import unit_name

Row = Mapping[str, Any]

REFUSED = pa.struct(
    [
        ("exemplar", pa.string()),
        ("exemplar_source", pa.string()),
        ("score", pa.float32()),
        ("picture", pa.binary()),  # a small JPEG; null for all but the first few of a unit
    ]
)
SCHEMA = pa.schema(
    [
        ("image", pa.string()),  # of the output, like the labels; in shards their addresses, see stylize.packed
        ("labels", pa.list_(pa.string())),
        ("sha256", pa.string()),  # of the written picture
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("content", pa.string()),  # id in the cache
        ("content_source", pa.string()),  # its file, relative to its dataset
        ("split", pa.string()),  # of the content
        ("k", pa.int32()),
        ("exemplar", pa.string()),
        ("exemplar_source", pa.string()),  # likewise
        ("exemplar_sha256", pa.string()),
        ("method", pa.string()),
        ("strength", pa.float64()),
        ("layers", pa.list_(pa.int32())),  # null: all
        ("grain", pa.float64()),  # share of the exemplar's grain
        ("haze", pa.float64()),  # share of the exemplar's haze
        ("blur", pa.float64()),  # share of the exemplar's blur; null in early runs: 0
        ("uneven", pa.float64()),  # how much the style varies over the picture; likewise
        ("cover", pa.float64()),  # share of what covers the exemplar's sky and ground; likewise
        ("seed", pa.int64()),
        ("weights", pa.string()),  # null: a method without any
        ("shift", pa.float32()),  # mean change in grey levels, of a stylization from the one synthesis to the other
        ("content_score", pa.float32()),  # see stylize.guard; null when the guard is off
        ("redrawn", pa.list_(REFUSED)),  # draws with other exemplars that were not taken, in the order of trial
        ("flagged", pa.bool_()),  # whether even the best draw scored too low
    ]
)


def path_of(unit: int) -> str:
    """Return the path of a unit's provenance."""
    return f"provenance/{unit_name(unit)}.parquet"


def write_rows(rows: Sequence[Row]) -> bytes:
    """Return the bytes of a provenance file; equal rows give equal bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_pylist(list(rows), schema=SCHEMA), sink, version="2.6", compression="zstd", use_dictionary=False
    )
    return bytes(memoryview(sink.getvalue()))


def read_rows(data: bytes) -> list[dict[str, Any]]:
    """Return the rows of a provenance file in order."""
    # Not `read_table`: it starts threads of its own, and a process that ends while they come up aborts.
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        return list(file.read(use_threads=False).to_pylist())
