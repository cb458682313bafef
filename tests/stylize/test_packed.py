from __future__ import annotations

import io
import pickle
import tarfile
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stylize import packed
from stylize.errors import BadInput, NotFound
from stylize.packed import inner, parquet_address, parse, tar_address
from stylize.storage import Storage

ROWS = [f"picture {row}".encode() * 100 for row in range(20)]


@pytest.fixture
def shards(tmp_path: Path) -> Storage:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, data in (("one.png", b"first"), ("two.png", b"second")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    cells = [None if row == 3 else {"bytes": data, "path": f"{row}.png"} for row, data in enumerate(ROWS)]
    table = pa.table({"image": cells, "plain": ROWS, "number": list(range(20))})
    (tmp_path / "data").mkdir()
    pq.write_table(table, tmp_path / "data" / "b.parquet", row_group_size=8)
    return Storage(tmp_path)


def test_addresses_are_told_from_paths() -> None:
    assert parse(tar_address("x/a.tar", 512, 5, "images/one.png")) == ("x/a.tar", "512+5", "images/one.png")
    assert parse(parquet_address("b.parquet", 17, "image", "images/a b.png")) == (
        "b.parquet", "17:image", "images/a b.png",
    )  # fmt: skip
    for path in ("train/a.png", "hello!.png", "a.tar!b.png", "a.tar!1+2!", "a.zip!1+2!b.png", "a.tar!1:x!b.png"):
        assert parse(path) is None, path
        assert inner(path) == path
    assert inner("a.tar!1+2!images/b.png") == "images/b.png"


def test_a_storage_reads_addresses(shards: Storage) -> None:
    assert shards.read(tar_address("a.tar", 512, 5, "one.png")) == b"first"
    assert shards.read_range(tar_address("a.tar", 512, 5, "one.png"), 1, 3) == b"ir"
    assert shards.read_range(tar_address("a.tar", 512, 5, "one.png"), 3, 99) == b"st"
    for row in (0, 7, 8, 19):
        assert shards.read(parquet_address("data/b.parquet", row, "image", "x.png")) == ROWS[row]
        assert shards.read(parquet_address("data/b.parquet", row, "plain", "x.png")) == ROWS[row]
    assert shards.read_range(parquet_address("data/b.parquet", 9, "image", "x.png"), 2, 9) == ROWS[9][2:9]
    assert pickle.loads(pickle.dumps(shards)).read("a.tar!512+5!x") == b"first"


def test_a_row_group_is_read_once_by_all_threads(shards: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int | None, int | None]] = []
    original = Storage.read_range

    def spy(storage: Storage, path: str, start: int | None, end: int | None) -> bytes:
        if path == "data/b.parquet":
            asked.append((start, end))
        return original(storage, path, start, end)

    monkeypatch.setattr(Storage, "read_range", spy)
    shards.read("data/b.parquet!8:image!x.png")
    count = len(asked)
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda row=row: found.append(shards.read(f"data/b.parquet!{row}:image!x.png")))  # type: ignore[misc]
        for row in range(8, 16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(ROWS[8:16])
    assert len(asked) == count


def test_little_is_kept_in_memory(shards: Storage) -> None:
    reader = packed.PackedReader(shards, memory=1)
    for row in range(20):
        address = parse(f"data/b.parquet!{row}:plain!x.png")
        assert address is not None
        assert reader.read(address, None, None) == ROWS[row]
        assert len(reader._columns) == 1


def test_a_shard_that_is_written_anew_is_read_anew(shards: Storage) -> None:
    assert shards.read("data/b.parquet!0:plain!x") == ROWS[0]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"plain": [b"new"]}), sink)
    shards.write("data/b.parquet", bytes(sink.getvalue()))
    assert shards.read("data/b.parquet!0:plain!x") == b"new"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("data/b.parquet!20:image!x.png", "row 20, column image of .*b.parquet cannot be read .*it has 20 rows"),
        ("data/b.parquet!3:image!x.png", "row 3, column image of .* holds no bytes"),
        ("data/b.parquet!3:number!x.png", "holds no bytes"),
        ("data/b.parquet!3:depth!x.png", "there is no column depth"),
        ("a.tar!512+99999!x.png", "a.tar ends before x.png"),
    ],
)
def test_what_is_not_there_is_bad_input(shards: Storage, address: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        shards.read(address)


def test_a_missing_shard_is_not_found(shards: Storage) -> None:
    for address in ("gone.tar!512+5!x.png", "gone.parquet!1:image!x.png"):
        with pytest.raises(NotFound, match="gone"):
            shards.read(address)
