"""Provenance files: read back as written, and without threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.provenance import SCHEMA, read_rows, write_rows

REPOSITORY = Path(__file__).resolve().parents[2]
READER = """
import os, sys
from pathlib import Path
from pipelines.provenance import read_rows
data = Path(sys.argv[1]).read_bytes()
before = len(os.listdir("/proc/self/task"))
assert len(read_rows(data)) == 3
print(len(os.listdir("/proc/self/task")) - before)
"""


def rows(count: int) -> list[dict[str, object]]:
    return [dict.fromkeys(SCHEMA.names) | {"content": f"train/{number}"} for number in range(count)]


def test_rows_come_back() -> None:
    assert read_rows(write_rows(rows(3))) == rows(3)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux shows them")
def test_reading_starts_no_threads_that_a_process_in_its_end_would_trip_over(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(write_rows(rows(3)))
    command = [sys.executable, "-c", READER, str(tmp_path / "rows.parquet")]
    assert int(subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout) == 0
