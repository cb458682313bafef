"""Reports of runs wherever and however large they are: in a bucket, in shards, of many units."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.inspect import inspect
from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.proxy import proxy_build
from pipelines.report import report
from stylize.storage import Storage
from tests.pages import Page
from tests.pipelines.helpers import write_dataset
from tests.s3server import running_server

NAMES = [f"0001TP_{number:03d}" for number in range(6)]


def test_runs_in_a_bucket(tmp_path: Path, tiny_model: str) -> None:
    local = write_dataset(tmp_path / "data", NAMES)
    with running_server() as server:
        options = server.options
        bucket = Storage("s3://bucket", options)
        for path in local.rglob("*.png"):
            bucket.write(f"data/{path.relative_to(local).as_posix()}", path.read_bytes())
        invert("s3://bucket/data", "s3://bucket/cache", model=tiny_model, device="cpu", storage_options=options)
        mix("s3://bucket/cache", "s3://bucket/out", device="cpu", storage_options=options)
        styles = {"day": "s3://bucket/cache"}
        proxy_build("s3://bucket/cache", "s3://bucket/proxy", styles=styles, device="cpu", storage_options=options)
        for name, cards in (("cache", 6 + 1 + 1), ("out", 6 + 4), ("proxy", 6)):
            where = report(f"s3://bucket/{name}", storage_options=options)
            assert where == f"s3://bucket/{name}/report.html"
            page = Page(bucket.read(f"{name}/report.html"))
            assert page.tags.count("article") == cards
            assert "missing here" not in page.text
        found = inspect("s3://bucket/cache", f"train/{NAMES[0]}", output="s3://bucket/a.png", storage_options=options)
        assert found.picture == "s3://bucket/a.png"
        inspect("s3://bucket/cache", export="s3://bucket/codes.npz", storage_options=options)
        assert bucket.exists("codes.npz")


@pytest.mark.parametrize("format", ["webdataset", "parquet"])
def test_copies_in_shards(format: str, tmp_path: Path, tiny_model: str) -> None:
    invert(write_dataset(tmp_path / "data", NAMES), tmp_path / "cache", model=tiny_model, device="cpu")
    mix(tmp_path / "cache", tmp_path / "out", format=format, device="cpu")
    page = Page(Path(report(tmp_path / "out")).read_bytes())
    assert page.tags.count("article") == 6 + 4
    assert "missing here" not in page.text
    assert f"train/{NAMES[0]}.png in the style of train/" in page.text
    assert "!" not in page.text.partition("What this run is")[0]


def test_of_many_units_a_few_are_read(tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(tmp_path / "data", [f"0001TP_{number:03d}" for number in range(100)])
    invert(tmp_path / "data", tmp_path / "cache", model=tiny_model, unit_size=1, device="cpu")
    mix(tmp_path / "cache", tmp_path / "out", device="cpu")
    reads: list[str] = []
    plain = Storage.read_range

    def counted(self: Storage, path: str, start: int | None, end: int | None) -> bytes:
        reads.append(path)
        return plain(self, path, start, end)

    monkeypatch.setattr(Storage, "read_range", counted)
    page = Page(Path(report(tmp_path / "out")).read_bytes())
    assert page.tags.count("article") == 12 + 4
    records = [path for path in reads if path.startswith("commits/")]
    assert len(records) == 100
    assert len(reads) - len(records) < 24 + 24 * 3 + 2 * 4 * 3 + 12 + 12  # provenance, pictures, the lowest, exemplars
    reads.clear()
    assert len(Page(Path(report(tmp_path / "cache")).read_bytes()).sources) == 2 * (6 + 6 + 3)
    assert len([path for path in reads if path.startswith("shards/")]) <= 3 * 6
