"""Reports show what is there: finished or not, with failures, with names that look like markup, without sources."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.report import report
from pipelines.verify import verify
from pipelines.worklist import WorkList
from stylize.cache import CacheReader
from stylize.errors import ConfigurationError
from stylize.images import encode
from stylize.storage import Storage
from tests.pages import Page
from tests.pipelines.helpers import picture, write_dataset

SHOWN = 3 * 12  # pictures of copies: contents, exemplars and results
LOWEST = 3 * 4  # likewise of those that kept least
EVIL = "a <b>&\"c'"


@pytest.fixture
def cache(dataset: Path, tmp_path: Path, tiny_model: str) -> Path:
    """A finished cache of ten pictures in three units, of which one is far worse than the others."""
    noise = np.random.default_rng(0).integers(0, 2, (30, 40, 3), np.uint8) * 255
    (dataset / "train/0001TP_006.png").write_bytes(encode(noise, "png"))
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4, device="cpu")
    return tmp_path / "cache"


@pytest.fixture
def stylized(cache: Path, tmp_path: Path) -> Path:
    mix(cache, tmp_path / "stylized", per_image=2, device="cpu")
    return tmp_path / "stylized"


def page_of(run: Path, **options: Any) -> Page:
    page = Page(Path(report(run, **options)).read_bytes())
    assert page.is_self_contained()
    return page


def test_a_cache_is_shown_by_figures_and_reconstructions(cache: Path) -> None:
    page = page_of(cache)
    for expected in (
        "finished",
        "10 of 10 pictures inverted",
        "mean PSNR",
        "times less than raw fp32",
        "Seconds by stage",
    ):
        assert expected in page.text
    assert "Failures" not in page.text
    assert len(page.sources) == 2 * (8 + 2 + 2)
    for title in ("The worst", "The best", "A cross-section"):
        assert f" {title} " in page.text


def test_the_worst_picture_leads_the_worst(cache: Path) -> None:
    text = page_of(cache).text
    worst = text[text.index("The worst") :]
    assert worst.index("train/0001TP_006.png") < worst.index("Bytes per picture")
    assert worst[: worst.index("The best")].count("train/0001TP") == 2


def test_the_best_picture_leads_the_best(cache: Path) -> None:
    reader = CacheReader(Storage(cache))
    rows = [row for unit in range(reader.units) for row in reader.rows(unit)]
    best = max(rows, key=lambda row: row.psnr)
    text = page_of(cache).text
    assert text[text.index("The best") :].index(best.image) < text.index("A cross-section")
    assert f"{best.image} PSNR {best.psnr:.1f} dB source 40 x 30" in text


def test_a_mix_is_shown_by_triples_and_exemplars(stylized: Path) -> None:
    page = page_of(stylized)
    exemplars = len(set(WorkList((stylized / "plan.parquet").read_bytes()).column("exemplar").to_pylist()))
    assert len(page.sources) == SHOWN + LOWEST + min(exemplars, 12)
    for expected in ("20 of 20 pictures written", "strength 1", "Content, exemplar, result", "exemplars in the plan"):
        assert expected in page.text
    assert "__1.png in the style of train/0001TP_" in page.text
    assert "content kept" in page.text
    assert "moved by" in page.text


def test_exemplars_of_another_cache_are_found_where_they_were(cache: Path, tmp_path: Path, tiny_model: str) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    (photographs / "dusk.jpg").write_bytes(encode(picture(5, 40, 50), "jpeg"))
    invert(photographs, tmp_path / "styles", model=tiny_model, device="cpu")
    mix(cache, tmp_path / "out", styles=tmp_path / "styles", strength=0.5, layers="0-2", seed=3, device="cpu")
    page = page_of(tmp_path / "out")
    assert len(page.sources) == 3 * 10 + LOWEST + 1
    assert "1 exemplar in the plan, each used 10 times" in page.text
    assert "How far each condition moved" in page.text
    assert "of the way" in page.text
    assert "strength 0.5, in layers 0-2 only, seed 3" in page.text
    shutil.rmtree(photographs)
    page = page_of(tmp_path / "out")
    assert len(page.sources) == 2 * 10 + 2 * 4
    assert "Pictures are missing here: " in page.text
    assert "How far each condition moved" not in page.text
    assert "dusk.jpg does not exist" in page.text


def test_failures_are_counted_and_listed(dataset: Path, tmp_path: Path, tiny_model: str) -> None:
    (dataset / "train/0001TP_002.png").write_bytes(b"")
    (dataset / "train/0001TP_005.png").write_bytes(encode(picture(5), "png")[:200])
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4, device="cpu")
    text = page_of(tmp_path / "cache").text
    assert "8 of 10 pictures inverted" in text
    assert "2 failed" in text
    assert "--retry-failed" in text
    for name in ("train/0001TP_002", "train/0001TP_005"):
        assert f"{name} unreadable picture: " in text


def test_a_run_in_which_everything_failed_has_a_page(dataset: Path, tmp_path: Path, tiny_model: str) -> None:
    for path in (dataset / "train").iterdir():
        path.write_bytes(b"")
    invert(dataset, tmp_path / "cache", model=tiny_model, device="cpu")
    page = page_of(tmp_path / "cache")
    assert "0 of 10 pictures inverted" in page.text
    assert page.sources == []


@pytest.mark.parametrize("kind", ["cache", "stylized"])
def test_an_unfinished_run_says_so_and_shows_what_is_there(kind: str, request: pytest.FixtureRequest) -> None:
    run: Path = request.getfixturevalue(kind)
    storage = Storage(run)
    for path in ("manifest.json", "commits/00001.json"):
        storage.remove(path)
    text = page_of(run).text
    assert "unfinished: 2 of 3 units" in text
    assert "This run is not finished." in text
    assert "6 of 10 pictures" in text or "12 of 20 pictures" in text


@pytest.mark.parametrize("kind", ["cache", "stylized"])
def test_a_run_that_has_only_begun_has_a_page(kind: str, request: pytest.FixtureRequest) -> None:
    run: Path = request.getfixturevalue(kind)
    storage = Storage(run)
    for path in ("manifest.json", *storage.list("commits")):
        storage.remove(path)
    page = page_of(run)
    assert "unfinished: 0 of 3 units" in page.text
    assert page.tags.count("article") == 0
    for empty in ("Content kept", "Reconstruction", "Seconds by stage", "Failures"):
        assert empty not in page.text


def test_names_that_look_like_markup_stay_text(tmp_path: Path, tiny_model: str) -> None:
    data = write_dataset(tmp_path / "<i>data", [EVIL, "b", "<script>"])
    (data / "train/<script>.png").write_bytes(b"<script>alert(1)</script>")
    invert(data, tmp_path / "cache", model=tiny_model, device="cpu")
    mix(tmp_path / "cache", tmp_path / "out", device="cpu")
    for name in ("cache", "out"):
        page = page_of(tmp_path / name)
        assert "i>data" not in page.tags
        assert page.tags.count("script") == 1
        assert f"train/{EVIL}" in page.text
        assert "<i>data" in page.text


def test_without_the_sources_there_are_figures_still(cache: Path, dataset: Path) -> None:
    shutil.rmtree(dataset)
    page = page_of(cache)
    assert page.sources == []
    assert "No pictures here: " in page.text
    assert "mean PSNR" in page.text


def test_without_the_model_there_are_figures_still(cache: Path) -> None:
    storage = Storage(cache)
    run = storage.read_json("run.json")
    run["sources"]["model"] = "/nowhere/model.safetensors"
    storage.write_json("run.json", run)
    page = page_of(cache)
    assert page.sources == []
    assert "No pictures here: no model '/nowhere/model.safetensors'" in page.text


def test_the_page_may_go_anywhere(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert report(cache) == str(cache / "report.html")
    assert report(cache, out="page.html") == str(tmp_path / "page.html")
    assert report(cache, out=tmp_path / "pages" / "one.html") == str(tmp_path / "pages/one.html")
    assert report(cache, out="memory://pages/one.html") == "memory://pages/one.html"
    assert Storage("memory://pages").read("one.html").startswith(b"<!doctype html>")
    with pytest.raises(ConfigurationError, match=r"names a folder.*pages/report\.html"):
        report(cache, out="pages/")


def test_a_page_in_a_run_is_no_stranger(cache: Path, dataset: Path, tiny_model: str) -> None:
    report(cache)
    assert verify(str(cache)).findings == ()
    invert(dataset, cache, model=tiny_model, unit_size=5, overwrite=True, device="cpu")
    assert not (cache / "report.html").exists()


def test_a_run_at_a_url(dataset: Path, tiny_model: str) -> None:
    invert(dataset, "memory://reported/cache", model=tiny_model, device="cpu")
    assert report("memory://reported/cache") == "memory://reported/cache/report.html"
    assert len(Page(Storage("memory://reported/cache").read("report.html")).sources) == 2 * (9 + 2 + 2)


def test_what_is_no_run_is_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no run\.json"):
        report(tmp_path)
    storage = Storage(cache)
    storage.write_json("run.json", {**storage.read_json("run.json"), "kind": "export"})
    with pytest.raises(ConfigurationError, match="is a run of 'export': give a folder"):
        report(cache)
    storage.write_json("run.json", {"kind": "train_encoder"})
    with pytest.raises(ConfigurationError, match="is a run of 'train_encoder', which draws its curves"):
        report(cache)


def test_what_moved_may_be_named(cache: Path, stylized: Path, dataset: Path, tmp_path: Path, tiny_model: str) -> None:
    there = page_of(cache), page_of(stylized)
    dataset.rename(tmp_path / "moved")
    storage = Storage(cache)
    run = storage.read_json("run.json")
    run["sources"]["model"] = "camvid"
    storage.write_json("run.json", run)
    assert "the model camvid is not the one of this run any more: name that with --model" in page_of(cache).text
    moved = page_of(cache, model=tiny_model, dataset=tmp_path / "moved"), page_of(stylized, dataset=tmp_path / "moved")
    assert [page.sources for page in moved] == [page.sources for page in there]


def test_places_that_a_page_does_not_read_are_refused(cache: Path, stylized: Path) -> None:
    with pytest.raises(ConfigurationError, match="the report of a cache reads no styles dataset"):
        report(cache, styles_dataset="x")
    with pytest.raises(ConfigurationError, match="the report of a mix reads no model"):
        report(stylized, model="camvid")
