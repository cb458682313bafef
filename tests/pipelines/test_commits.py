"""Commit records: what is written is read back, the listing is the resume, damage is named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipelines import commits
from pipelines.commits import Commit, FileRecord
from pipelines.units import Failure
from stylize.errors import StylizeError
from stylize.storage import Storage

COMMIT = Commit(
    run="r" * 64,
    unit=42,
    rows=3,
    files=(FileRecord("shards/00042.parquet", 10, "a" * 64), FileRecord("train/ä b.png", 5, "b" * 64)),
    failures=(Failure(id="train/x", kind="bad-input", reason="unreadable picture: the file is empty"),),
    seconds={"read": 0.25, "model": 1.5},
    figures={"psnr.sum": 72.5, "psnr.count": 3},
    span=(1000.5, 1002.25),
)


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    outcome = commits.write(storage, COMMIT)
    assert commits.read(storage, 42) == COMMIT
    assert (outcome.unit, outcome.rows, outcome.bytes, outcome.failures) == (42, 3, 15, COMMIT.failures)


def test_a_record_has_one_line_per_file(tmp_path: Path) -> None:
    commits.write(Storage(tmp_path), COMMIT)
    lines = (tmp_path / "commits" / "00042.json").read_text().splitlines()
    assert json.loads("\n".join(lines))["files"][1][1] == 5
    assert sum(line.startswith(' ["') for line in lines) == 2


def test_publish_writes_and_hashes(tmp_path: Path) -> None:
    record = commits.publish(Storage(tmp_path), "a/b.bin", b"12345")
    assert record == FileRecord("a/b.bin", 5, hashlib.sha256(b"12345").hexdigest())
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"12345"


def test_the_digest_follows_files_and_failures_and_not_times() -> None:
    parts = vars(COMMIT)
    assert Commit(**{**parts, "seconds": {}, "span": (0, 0), "figures": {}}).digest == COMMIT.digest
    assert Commit(**{**parts, "failures": ()}).digest != COMMIT.digest
    assert Commit(**{**parts, "files": COMMIT.files[:1]}).digest != COMMIT.digest


def test_committed_lists_records_and_nothing_else(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    for name in (
        "commits/00000.json",
        "commits/00007.json",
        "commits/123456.json",
        "commits/note.txt",
        "commits/1.json",
    ):
        storage.write(name, b"{}")
    assert commits.committed(storage) == {0, 7, 123456}
    commits.remove(storage, 7)
    assert commits.committed(storage) == {0, 123456}


def test_many_records_come_in_the_order_asked_for(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    for unit in range(100):
        commits.write(storage, Commit(run="r", unit=unit, rows=unit, files=()))
    order = list(reversed(range(100)))
    assert [commit.unit for commit in commits.read_many(storage, order)] == order


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"unit": 3}'])
def test_a_damaged_record_names_itself_and_the_remedy(tmp_path: Path, data: bytes) -> None:
    storage = Storage(tmp_path)
    storage.write("commits/00003.json", data)
    with pytest.raises(StylizeError, match=r"commits/00003\.json is damaged .*verify --repair"):
        commits.read(storage, 3)
