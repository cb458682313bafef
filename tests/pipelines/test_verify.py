"""Verification finds every kind of damage, and a repair ends in the bytes of an undamaged run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.verify import verify
from stylize.errors import ConfigurationError
from tests.pipelines.helpers import tree


@pytest.fixture
def cache(dataset: Path, tmp_path: Path, tiny_model: str) -> Path:
    """A finished cache of three shards."""
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4, device="cpu")
    return tmp_path / "cache"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_whole_run_is_well(cache: Path) -> None:
    verdict = verify(str(cache))
    assert verdict.ok
    assert verdict.findings == ()
    assert (verdict.units, verdict.files, verdict.exit_code) == (3, 3, 0)
    assert verdict.bytes == sum(path.stat().st_size for path in (cache / "shards").iterdir())


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


DAMAGES: dict[str, tuple[Callable[[Path], object], set[tuple[str, str]]]] = {
    "a flipped bit": (
        lambda root: flip(root / "shards/00001.parquet"),
        {("corrupt", "shards/00001.parquet")},
    ),
    "a cut shard": (
        lambda root: (root / "shards/00002.parquet").write_bytes(b"PAR1"),
        {("corrupt", "shards/00002.parquet")},
    ),
    "a lost shard": (
        lambda root: (root / "shards/00000.parquet").unlink(),
        {("missing", "shards/00000.parquet")},
    ),
    "a lost record": (
        lambda root: (root / "commits/00000.json").unlink(),
        {("missing", "commits/00000.json"), ("orphan", "shards/00000.parquet")},
    ),
    "a broken record": (
        lambda root: (root / "commits/00001.json").write_bytes(b"{"),
        {("corrupt", "commits/00001.json"), ("orphan", "shards/00001.parquet")},
    ),
    "a record of another run": (
        lambda root: edit(root / "commits/00001.json", run="0" * 64),
        {("corrupt", "commits/00001.json"), ("orphan", "shards/00001.parquet")},
    ),
    "a lost manifest": (
        lambda root: (root / "manifest.json").unlink(),
        {("missing", "manifest.json")},
    ),
    "a wrong manifest": (
        lambda root: edit(root / "manifest.json", rows=11),
        {("corrupt", "manifest.json")},
    ),
    "half a manifest": (
        lambda root: (root / "manifest.json").write_bytes(b'{"rows":'),
        {("corrupt", "manifest.json")},
    ),
    "a lost work list": (
        lambda root: (root / "inputs.parquet").unlink(),
        {("missing", "inputs.parquet or plan.parquet")},
    ),
    "a broken work list": (
        lambda root: (root / "inputs.parquet").write_bytes(b"PAR1"),
        {("corrupt", "inputs.parquet")},
    ),
    "an orphan": (
        lambda root: (root / "shards/00009.parquet").write_bytes(b"?"),
        {("orphan", "shards/00009.parquet")},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_repaired(cache: Path, name: str) -> None:
    whole = tree(cache)
    damage, expected = DAMAGES[name]
    damage(cache)
    verdict = verify(str(cache))
    assert {(finding.problem, finding.path) for finding in verdict.findings} == expected
    assert not verdict.ok
    assert verdict.exit_code == 1
    mended = verify(str(cache), repair=True)
    assert mended.ok
    assert mended.repaired is not None
    assert tree(cache) == whole
    assert verify(str(cache)).findings == ()


def test_only_damaged_units_are_made_again(cache: Path) -> None:
    untouched = (cache / "shards/00000.parquet").stat().st_mtime_ns
    flip(cache / "shards/00001.parquet")
    mended = verify(str(cache), repair=True).repaired
    assert mended is not None
    assert mended.skipped == 2
    assert (cache / "shards/00000.parquet").stat().st_mtime_ns == untouched


def test_a_foreign_file_is_told_and_left_alone(cache: Path) -> None:
    (cache / "notes.txt").write_text("mine")
    verdict = verify(str(cache), repair=True)
    assert [(finding.problem, finding.path) for finding in verdict.findings] == [("foreign", "notes.txt")]
    assert verdict.ok
    assert (cache / "notes.txt").read_text() == "mine"


def test_a_repair_without_its_data_says_what_is_missing(cache: Path, dataset: Path) -> None:
    flip(cache / "shards/00001.parquet")
    for path in (dataset / "train").iterdir():
        path.unlink()
    with pytest.raises(ConfigurationError, match=str(dataset)):
        verify(str(cache), repair=True)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no run\.json"):
        verify(str(tmp_path))
    (tmp_path / "run.json").write_text(json.dumps({"format": 1, "kind": "distil"}))
    with pytest.raises(ConfigurationError, match="'distil'"):
        verify(str(tmp_path))


def test_a_run_of_an_older_version_is_refused_and_left_as_it_is(cache: Path, tmp_path: Path) -> None:
    mix(cache, tmp_path / "out", device="cpu")
    for run, part, name in ((cache, "configuration", "precision"), (tmp_path / "out", "sources", "styles_dataset")):
        record = json.loads((run / "run.json").read_text())
        del record[part][name]
        (run / "run.json").write_text(json.dumps(record))
        (run / "manifest.json").unlink()
        before = tree(run, without=())
        with pytest.raises(
            ConfigurationError, match=f"older version .* did not record {name}: .* again with --overwrit"
        ):
            verify(str(run), repair=True)
        assert tree(run, without=()) == before
