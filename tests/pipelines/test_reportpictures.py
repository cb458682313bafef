"""Copies for a report come from all over a run, from each condition, and from runs that recorded less."""

from __future__ import annotations

import io
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.provenance import read_rows
from pipelines.report import report
from pipelines.reportpictures import Pictures, look, way_gone
from pipelines.survey import survey
from stylize.images import decode_rgb, encode
from stylize.reporting import LIMIT
from stylize.storage import Storage
from tests.pages import Page
from tests.pipelines.helpers import write_dataset


@pytest.fixture
def stylized(dataset: Path, tmp_path: Path, tiny_model: str) -> Path:
    """Ten contents in three units, in the style of pictures of two conditions."""
    for name in ("fog", "rain"):
        write_dataset(tmp_path / "styles" / name, ["a", "b"])
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4, device="cpu")
    invert(tmp_path / "styles", tmp_path / "weather", layout="folder", model=tiny_model, device="cpu")
    mix(tmp_path / "cache", tmp_path / "out", styles=tmp_path / "weather", per_image=2, device="cpu")
    return tmp_path / "out"


def folder(source: str) -> str:
    return source.partition("/")[0]


def test_each_condition_has_its_turn(stylized: Path) -> None:
    seen = survey(Storage(stylized))
    found = look(seen, Pictures(seen), folder, 8)
    assert found.trouble == ""
    assert {name: len(group) for name, group in found.by_condition().items()} == {"fog": 4, "rain": 4}
    assert [one.condition for one in found.shown(4)] == ["fog", "rain", "fog", "rain"]
    assert len({one.row["content"] for one in found.seen}) > 4


def test_of_a_few_copies_all_are_seen(stylized: Path) -> None:
    seen = survey(Storage(stylized))
    assert len(look(seen, Pictures(seen), folder, 1000).seen) == 20


def test_the_way_is_that_of_the_pictures(stylized: Path) -> None:
    seen = survey(Storage(stylized))
    one = look(seen, Pictures(seen), folder, 1).seen[0]
    before, after, share = way_gone([one])
    assert before > 1
    assert share == pytest.approx(1 - after / before)
    row = one.row
    exemplar = decode_rgb((stylized.parent / "styles" / row["exemplar_source"]).read_bytes())
    (stylized / row["image"]).write_bytes(encode(exemplar, "png"))  # a copy that is its exemplar has gone all the way
    again = look(seen, Pictures(seen), folder, 20).seen
    moved = next(other for other in again if other.row["image"] == row["image"])
    assert way_gone([moved])[2] == pytest.approx(1, abs=0.02)
    assert all(math.isnan(number) for number in way_gone([]))


def strip(stylized: Path) -> Storage:
    """Make a run look as one from before exemplars' datasets, methods, grain and guards were recorded."""
    storage = Storage(stylized)
    run = storage.read_json("run.json")
    for name in ("method", "grain", "min_content_score", "even", "precision"):
        del run["configuration"][name]
    del run["sources"]["styles_dataset"]
    storage.write_json("run.json", run)
    for path in storage.list("provenance"):
        kept = pq.read_table(io.BytesIO(storage.read(path)))
        kept = kept.drop_columns(["method", "grain", "content_score", "redrawn", "flagged"])
        sink = io.BytesIO()
        pq.write_table(kept, sink)
        storage.write(path, sink.getvalue())
    for path in storage.list("commits"):
        record = storage.read_json(path)
        record["figures"] = {name: value for name, value in record["figures"].items() if name.startswith("shift")}
        storage.write_json(path, record)
    return storage


def test_a_run_of_an_early_version_has_its_report(stylized: Path) -> None:
    strip(stylized)
    page = Page(Path(report(stylized)).read_bytes())
    assert "Pictures are missing" not in page.text
    assert "How far each condition moved" in page.text
    assert "This run had no guard" in page.text


def test_an_early_run_without_its_exemplars_says_so(stylized: Path) -> None:
    strip(stylized)
    shutil.rmtree(stylized.parent / "weather")
    page = Page(Path(report(stylized)).read_bytes())
    assert "Pictures are missing here: the exemplars' cache is gone: " in page.text
    assert "How far each condition moved" not in page.text
    assert page.tags.count("article") > 8


def test_a_plan_of_an_early_version_leaves_its_part_out(stylized: Path) -> None:
    (stylized / "plan.parquet").unlink()
    page = Page(Path(report(stylized)).read_bytes())
    assert "exemplars in the plan" not in page.text
    assert page.tags.count("article") > 8


def test_pictures_however_large_and_noisy_keep_to_the_limit(tmp_path: Path, tiny_model: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    noise = np.random.default_rng(0)
    for number in range(6):
        picture = noise.integers(0, 256, (600, 560, 3), np.uint8)
        (data / f"{number}.jpg").write_bytes(encode(picture, "jpeg", quality=60))
    invert(data, tmp_path / "cache", model=tiny_model, device="cpu")
    options: dict[str, Any] = {"per_image": 2, "min_content_score": 0.999, "device": "cpu"}
    mix(tmp_path / "cache", tmp_path / "out", **options)
    made = Path(report(tmp_path / "out")).read_bytes()
    assert len(Page(made).sources) >= 40
    assert 1_500_000 < len(made) < LIMIT


def test_rows_are_read_as_they_are(stylized: Path) -> None:
    seen = survey(Storage(stylized))
    rows = [row for path in sorted(stylized.glob("provenance/*")) for row in read_rows(path.read_bytes())]
    found = {one.row["image"]: one for one in look(seen, Pictures(seen), folder, 20).seen}
    assert {row["image"]: row["content_score"] for row in rows} == {name: one.score for name, one in found.items()}
