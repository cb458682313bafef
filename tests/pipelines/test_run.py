"""A run: skips what is committed, ends with the manifest, and is the same run however often it was interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import commits
from pipelines.commits import Commit, FileRecord
from pipelines.engine_local import LocalEngine
from pipelines.events import Event, RunFinished, RunStarted, UnitDone
from pipelines.run import execute
from pipelines.summary import Summary
from pipelines.units import Failure, Unit
from stylize.errors import ConfigurationError, FatalError, TransientError
from stylize.storage import Storage
from tests.pipelines.helpers import Behaviour, CountingSpec, counting_print, tree

ENGINE = LocalEngine(first_wait=0.001)


def run(root: Path, behave: Behaviour | None = None, *, seed: int = 0, units: int = 6, **options: Any) -> Summary:
    storage, print_ = Storage(root), counting_print(units, seed=seed)
    counting = CountingSpec(storage, print_.digest, options.pop("attempts", {}), behave)
    return execute(storage, print_, counting, engine=ENGINE, files={"inputs.parquet": b"rows"}, **options)


def fail_at(*indices: int) -> Behaviour:
    def behave(unit: Unit, attempt: int) -> None:
        if unit.index in indices:
            raise FatalError("power cut")

    return behave


def test_a_run_writes_its_files_and_tells_what_it_does(tmp_path: Path) -> None:
    events: list[Event] = []
    summary = run(tmp_path, on_event=events.append)
    assert sorted(tree(tmp_path)) == [
        "inputs.parquet", "manifest.json", "run.json", *(f"shards/{n:05d}.parquet" for n in range(6))
    ]  # fmt: skip
    assert (summary.units, summary.rows, summary.failed, summary.exit_code) == (6, 12, 0, 0)
    assert summary.seconds == {"model": 3.0}
    assert isinstance(events[0], RunStarted)
    assert sum(isinstance(event, UnitDone) for event in events) == 6
    assert events[-1] == RunFinished(summary=summary)


def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    attempts: dict[int, int] = {}
    with pytest.raises(FatalError):
        run(tmp_path / "cut", fail_at(4), attempts=attempts)
    assert not (tmp_path / "cut" / "manifest.json").exists()
    done = len(list((tmp_path / "cut" / "commits").iterdir()))
    again: dict[int, int] = {}
    summary = run(tmp_path / "cut", attempts=again)
    again.pop(-1)
    assert len(again) == 6 - done
    assert summary.skipped == done
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_a_shard_without_its_record_is_made_again(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    run(tmp_path / "cut")
    (tmp_path / "cut" / "commits" / "00002.json").unlink()
    (tmp_path / "cut" / "shards" / "00002.parquet").write_bytes(b"half")
    (tmp_path / "cut" / "shards" / ".stylize-tmp-0123456789abcdef").write_bytes(b"left by a killed writer")
    attempts: dict[int, int] = {}
    run(tmp_path / "cut", attempts=attempts)
    assert attempts == {2: 1, -1: 1}
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    run(tmp_path)
    before = tree(tmp_path, without=())
    attempts: dict[int, int] = {}
    summary = run(tmp_path, attempts=attempts)
    assert attempts == {}
    assert (summary.skipped, summary.rows) == (6, 12)
    assert tree(tmp_path, without=()) == before


def test_another_configuration_is_refused_and_overwrite_begins_anew(tmp_path: Path) -> None:
    run(tmp_path, seed=1)
    before = tree(tmp_path, without=())
    with pytest.raises(ConfigurationError, match="seed is 1 there and 2 here"):
        run(tmp_path, seed=2)
    assert tree(tmp_path, without=()) == before
    run(tmp_path, seed=2, units=3, overwrite=True)
    assert [name for name in tree(tmp_path) if name.startswith("shards")] == [
        f"shards/{n:05d}.parquet" for n in range(3)
    ]


def test_poison_is_recorded_and_counts_as_failures(tmp_path: Path) -> None:
    def die(unit: Unit, attempt: int) -> None:
        if unit.index == 3:
            raise TransientError("always")

    summary = run(tmp_path, die)
    assert (summary.rows, summary.failed, summary.exit_code) == (10, 2, 3)
    assert summary.causes == {"unit died 3 times": 2}
    assert run(tmp_path, max_failures=2).exit_code == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [failure[:3] for failure in manifest["failures"]] == [[3, "3a", "poison"], [3, "3b", "poison"]]
    mended = run(tmp_path, retry_failed=True)
    assert (mended.rows, mended.failed, mended.exit_code, mended.skipped) == (12, 0, 0, 5)


def test_only_units_with_failures_are_tried_again_and_know_it(tmp_path: Path) -> None:
    run(tmp_path)
    storage, digest = Storage(tmp_path), counting_print(6, seed=0).digest
    failure = Failure(id="4a", kind="bad-input", reason="label size: 1x1")
    commits.write(storage, Commit(run=digest, unit=4, rows=1, files=(), failures=(failure,)))
    seen: list[Unit] = []
    summary = run(tmp_path, lambda unit, attempt: seen.append(unit), retry_failed=True)
    assert seen == [Unit(index=4, retry=True)]
    assert summary.failed == 0


def test_a_retry_that_dies_keeps_the_good_rows(tmp_path: Path) -> None:
    run(tmp_path)
    storage, digest = Storage(tmp_path), counting_print(6, seed=0).digest
    file = FileRecord("shards/00004.parquet", 7, "0" * 64)
    failure = Failure(id="4a", kind="bad-input", reason="empty")
    commits.write(storage, Commit(run=digest, unit=4, rows=1, files=(file,), failures=(failure,)))

    def die(unit: Unit, attempt: int) -> None:
        raise TransientError("always")

    summary = run(tmp_path, die, retry_failed=True)
    assert (summary.rows, summary.failed) == (11, 1)
    assert commits.read(storage, 4).files == (file,)


def test_what_belongs_to_no_unit_is_written_last_and_listed(tmp_path: Path) -> None:
    storage = Storage(tmp_path)

    def sheet() -> list[FileRecord]:
        assert len(commits.committed(storage)) == 6
        return [commits.publish(storage, "sheet.png", b"picture")]

    run(tmp_path, extras=sheet)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [file[:2] for file in manifest["extras"]] == [["sheet.png", 7]]


def test_a_record_of_another_run_is_not_taken_for_ours(tmp_path: Path) -> None:
    with pytest.raises(FatalError):
        run(tmp_path, fail_at(1))
    commits.write(Storage(tmp_path), Commit(run="x", unit=1, rows=2, files=()))
    with pytest.raises(FatalError, match=r"unit 1 .* another run"):
        run(tmp_path)
