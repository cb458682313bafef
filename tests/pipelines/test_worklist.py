"""Work lists: a row group per unit, a hash of the rows and not of the packing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import worklist
from pipelines.worklist import WorkList, build, chunks, digest
from stylize.errors import FatalError, StylizeError
from stylize.storage import Storage

SCHEMA = pa.schema([("id", pa.string()), ("labels", pa.list_(pa.string())), ("k", pa.int32())])


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"ä{n:03d}", "labels": [f"l/{n}.png"] * (n % 3), "k": n} for n in range(count)]


def test_each_unit_reads_its_own_rows() -> None:
    work = build(SCHEMA, chunks(rows(23), 5))
    assert (work.units, work.rows) == (5, 23)
    file = WorkList(work.data)
    assert len(file) == 5
    assert [row for unit in range(5) for row in file.rows(unit)] == rows(23)
    assert len(file.rows(4)) == 3
    assert file.column("k").to_pylist() == list(range(23))


def test_units_share_row_groups_and_lie_in_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "ROW_GROUP", 7)
    sizes = [3, 5, 0, 2, 9, 1, 1]
    source = iter(rows(21))
    work = build(SCHEMA, ([next(source) for _ in range(size)] for size in sizes))
    file = WorkList(work.data)
    assert [len(file.rows(unit)) for unit in range(len(file))] == sizes
    assert [row for unit in range(len(file)) for row in file.rows(unit)] == rows(21)
    assert file.rows(4) == file.rows(4) == rows(21)[10:19]
    footer = pq.ParquetFile(pa.BufferReader(work.data)).metadata
    assert [footer.row_group(n).num_rows for n in range(footer.num_row_groups)] == [8, 11, 2]
    assert json.loads(footer.metadata[b"units"]) == [[3, 1], [5, 1], [0, 1], [2, 1], [9, 1], [1, 2]]
    assert digest(work.data) == work.sha256


def test_a_list_without_units_has_one_per_row_group() -> None:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, SCHEMA) as writer:  # as they were written at first
        for group in chunks(rows(23), 5):
            writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
    file = WorkList(sink.getvalue().to_pybytes())
    assert [file.rows(unit) for unit in range(len(file))] == list(chunks(rows(23), 5))


def test_a_long_list_goes_to_the_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = build(SCHEMA, chunks(rows(50), 5)).data
    monkeypatch.setattr(worklist, "IN_MEMORY", 100)
    work = build(SCHEMA, chunks(rows(50), 5))
    assert work.data == work.data == expected
    Storage(tmp_path).write_from("list", work.file)
    assert (tmp_path / "list").read_bytes() == expected
    monkeypatch.setattr(worklist.tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(FatalError, match="TMPDIR"):
        build(SCHEMA, chunks(rows(50), 5))


def test_threads_may_read_one_list_together() -> None:
    file = WorkList(build(SCHEMA, chunks(rows(200), 2)).data)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(file.rows, list(range(100)) * 3))
    assert [row["k"] for unit in got[:100] for row in unit] == list(range(200))


def test_the_hash_is_of_rows_and_grouping_whatever_packed_them() -> None:
    work = build(SCHEMA, chunks(rows(23), 5))
    assert work.sha256 == digest(work.data) == build(SCHEMA, chunks(rows(23), 5)).sha256
    assert build(SCHEMA, chunks(rows(22), 5)).sha256 != work.sha256
    assert build(SCHEMA, chunks(rows(23), 6)).sha256 != work.sha256
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, SCHEMA, compression="snappy") as writer:  # as another version might pack it
        for group in chunks(rows(23), 5):
            writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
    packed = sink.getvalue().to_pybytes()
    assert packed != work.data
    assert digest(packed) == work.sha256


def test_equal_rows_give_equal_bytes() -> None:
    assert build(SCHEMA, chunks(rows(9), 4)).data == build(SCHEMA, chunks(json.loads(json.dumps(rows(9))), 4)).data


def test_damage_is_told() -> None:
    data = build(SCHEMA, chunks(rows(9), 4)).data
    for damaged in (data[:-20], b"nonsense", b""):
        with pytest.raises(StylizeError, match="damaged"):
            digest(damaged)
