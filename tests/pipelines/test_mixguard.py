"""The guard of a mix on tiny pictures: what is refused, what takes its place, what is flagged, and that it is told."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.invert import invert
from pipelines.mix import describe, mix, resume
from pipelines.mixguard import SHOWN_PER_UNIT, Copy, Draw, Exemplar, without_most_pictures
from pipelines.provenance import read_rows
from pipelines.report import report
from pipelines.summary import Summary
from pipelines.worklist import WorkList
from stylize.cache import CacheReader, read_shard, shard_path, write_shard
from stylize.errors import ConfigurationError
from stylize.guard import content_score
from stylize.images import decode_rgb, encode
from stylize.models.bundle import load_bundle
from stylize.render import recolour
from stylize.storage import Storage
from tests.pages import Page
from tests.pipelines.helpers import picture, tree

STYLES = [f"style{number}" for number in range(4)]
BAD = "style0"


def write_styles(root: Path) -> Path:
    """Four pictures without labels, of which the first is all black."""
    root.mkdir()
    for number, name in enumerate(STYLES):
        rgb = picture(number + 50)
        (root / f"{name}.png").write_bytes(encode(np.zeros_like(rgb) if name == BAD else rgb, "png"))
    return root


def spoil(cache: Path, *names: str) -> None:
    """Drive the codes of some exemplars so far out that every picture saturates."""
    storage, info = Storage(cache), CacheReader(Storage(cache)).info
    rows = read_shard(storage.read(shard_path(0)))
    wild = np.random.default_rng(3).normal(0, 60, (info.num_ws, info.w_dim)).astype("<f4").tobytes()
    rows = [replace(row, w_plus=wild if row.id in names else bytes(memoryview(row.w_plus))) for row in rows]
    storage.write(shard_path(0), write_shard(rows, info))


@pytest.fixture
def cache(dataset: Path, tmp_path: Path, tiny_model: str) -> Path:
    """The cache of ten contents, four to a shard."""
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4, device="cpu")
    return tmp_path / "cache"


@pytest.fixture
def styles(tmp_path: Path, tiny_model: str) -> Path:
    """The cache of the exemplars, one of them spoiled."""
    invert(write_styles(tmp_path / "styles-data"), tmp_path / "styles", model=tiny_model, device="cpu")
    spoil(tmp_path / "styles", BAD)
    return tmp_path / "styles"


@pytest.fixture
def run(cache: Path, styles: Path, tmp_path: Path) -> Any:
    """Mix the cache with the exemplars into `tmp_path / name`."""

    def start(name: str = "out", **options: Any) -> Summary:
        how = {"batch_size": 3, "device": "cpu"} if options.get("method") is None else {}
        return mix(cache, tmp_path / name, styles=styles, **{**how, **options})

    return start


def provenance(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(out.glob("provenance/*.parquet")) for row in read_rows(path.read_bytes())]


def plan(out: Path) -> list[dict[str, Any]]:
    work = WorkList((out / "plan.parquet").read_bytes())
    return [row for unit in range(len(work)) for row in work.rows(unit)]


def test_what_a_bad_exemplar_made_is_refused_and_the_reserve_takes_its_place(run: Any, tmp_path: Path) -> None:
    summary = run(per_image=2)
    run("unguarded", per_image=2, min_content_score=0)
    drawn = plan(tmp_path / "out")
    rows, without = provenance(tmp_path / "out"), provenance(tmp_path / "unguarded")
    assert {row["exemplar"] for row in without} == set(STYLES)
    assert all(row["content_score"] is None and row["redrawn"] == [] and not row["flagged"] for row in without)
    redrawn = [row for row in rows if row["redrawn"]]
    assert len(redrawn) >= 2
    for planned, row, other in zip(drawn, rows, without, strict=True):
        assert other["exemplar"] == planned["exemplar"]
        source, made = (
            decode_rgb((tmp_path / root / row[name]).read_bytes())
            for root, name in (("data", "content_source"), ("out", "image"))
        )
        assert row["content_score"] == pytest.approx(content_score(source, made), abs=1e-4)
        assert row["content_score"] >= 0.5
        assert (row["exemplar"] == planned["exemplar"]) == (planned["exemplar"] != BAD)
        if planned["exemplar"] == BAD:
            assert [refused["exemplar"] for refused in row["redrawn"]] == [BAD]
            assert row["redrawn"][0]["score"] < 0.5
            assert row["redrawn"][0]["exemplar_source"] == f"{BAD}.png"
            assert row["exemplar"] == planned["reserve"][0]["exemplar"]
            assert row["exemplar_source"] == f"{row['exemplar']}.png"
        else:
            assert (row["sha256"], row["redrawn"]) == (other["sha256"], [])
    assert summary.figures["redrawn"] == summary.figures["refused"] == len(redrawn)
    assert f"{len(redrawn)} pictures drawn again with another exemplar, all found one" in describe(summary)[1]
    assert describe(run("unguarded", per_image=2, min_content_score=0.0))[1:] == []  # the same run as with 0


def test_a_redrawn_picture_is_what_the_library_makes_of_its_pair(
    run: Any, cache: Path, styles: Path, dataset: Path, tmp_path: Path, tiny_model: str
) -> None:
    run(strength=0.9)
    bundle, contents, exemplars = (
        load_bundle(tiny_model, device="cpu"),
        *(CacheReader(Storage(path)) for path in (cache, styles)),
    )
    row = next(row for row in provenance(tmp_path / "out") if row["redrawn"])
    content, exemplar = contents.row(row["content"]), exemplars.row(row["exemplar"])
    assert row["exemplar_sha256"] == exemplar.source_sha256
    own, other = (torch.from_numpy(found.codes(contents.info).copy())[None] for found in (content, exemplar))
    noise = [torch.from_numpy(n)[None] for n in content.noise(contents.info)]
    base, styled = (bundle.render(codes, noise)[0].clamp(-1, 1) for codes in (own, torch.lerp(own, other, 0.9)))
    expected = recolour(decode_rgb((dataset / row["content_source"]).read_bytes()), base, styled).astype(int)
    assert abs(decode_rgb((tmp_path / "out" / row["image"]).read_bytes()) - expected).max() <= 1


def test_bytes_do_not_depend_on_threads_units_in_flight_or_retries(run: Any, dataset: Path, tmp_path: Path) -> None:
    run("plain", per_image=3, workers=1, io_threads=1)
    run("wide", per_image=3, workers=3, io_threads=5)
    shutil.copytree(dataset, tmp_path / "kept")
    for number in (1, 5, 6):
        (dataset / f"train/0001TP_{number:03d}.png").unlink()
    assert run("mended", per_image=3, max_failures=9).failed == 3
    shutil.copytree(tmp_path / "kept", dataset, dirs_exist_ok=True)
    run("mended", per_image=3, retry_failed=True)
    expected = tree(tmp_path / "plain")
    assert any(row["redrawn"] for row in provenance(tmp_path / "plain"))
    assert tree(tmp_path / "wide") == expected
    assert tree(tmp_path / "mended") == expected


def test_a_copy_that_no_exemplar_suits_keeps_the_best_and_is_flagged(run: Any, styles: Path, tmp_path: Path) -> None:
    spoil(styles, *STYLES)
    summary = run()
    rows = provenance(tmp_path / "out")
    assert len(rows) == 10
    for planned, row in zip(plan(tmp_path / "out"), rows, strict=True):
        tried = {planned["exemplar"], *(spare["exemplar"] for spare in planned["reserve"])}
        assert row["flagged"]
        assert len(row["redrawn"]) == 2
        assert {row["exemplar"], *(refused["exemplar"] for refused in row["redrawn"])} == tried
        assert row["content_score"] >= max(refused["score"] for refused in row["redrawn"])
        assert (tmp_path / "out" / row["image"]).exists()
    assert (summary.figures["refused"], summary.figures["flagged"]) == (30, 10)
    assert "10 of them found none and are flagged" in describe(summary)[1]
    page = Page(Path(report(tmp_path / "out")).read_bytes())
    assert "10 pictures passed with none of them" in page.text


def test_the_synthesis_itself_is_scored_against_the_content_in_its_own_style(run: Any, tmp_path: Path) -> None:
    run(size="model")
    rows = provenance(tmp_path / "out")
    assert {row["redrawn"][0]["exemplar"] for row in rows if row["redrawn"]} == {BAD}
    assert all(row["content_score"] >= 0.5 for row in rows)


def test_baselines_are_guarded_alike(run: Any, tmp_path: Path) -> None:
    run(method="histogram")
    rows = provenance(tmp_path / "out")
    refused = [row for row in rows if row["redrawn"]]
    assert refused
    for planned, row in zip(plan(tmp_path / "out"), rows, strict=True):
        assert (row["redrawn"] != []) == (planned["exemplar"] == BAD)  # black has nothing to match but black
        assert row["exemplar"] != BAD
        assert not row["flagged"]


def test_the_report_shows_what_was_refused(run: Any, tmp_path: Path) -> None:
    run(per_image=2)
    page = Page(Path(report(tmp_path / "out")).read_bytes())
    assert page.is_self_contained()
    for expected in (
        "Content kept",
        "scored below 50 %",
        "Refused",
        "style of style0.png",
        "The lowest scores that passed",
    ):
        assert expected in page.text
    run("unguarded", min_content_score=0)
    unguarded = Page(Path(report(tmp_path / "unguarded")).read_bytes()).text
    assert "This run had no guard" in unguarded
    assert "Refused" not in unguarded


def test_the_threshold_is_part_of_the_run(run: Any, tmp_path: Path) -> None:
    run()
    with pytest.raises(ConfigurationError, match=r"min_content_score is 0\.5 there and 0\.6 here"):
        run(min_content_score=0.6)
    storage = Storage(tmp_path / "out")
    storage.remove("commits/00001.json")
    assert resume(storage.read_json("run.json"), storage.url, device="cpu").skipped == 2
    for wrong in (-0.1, 1.5):
        with pytest.raises(ConfigurationError, match="least content score is between 0"):
            run("other", min_content_score=wrong)


def row_of(*reserve: str) -> dict[str, Any]:
    spare = [{"exemplar": name, "exemplar_unit": 0} for name in reserve]
    return {"exemplar": "a", "exemplar_unit": 0, "exemplar_source": "a.png", "exemplar_sha256": "1", "reserve": spare}


def draw(name: str, score: float | None) -> Draw:
    exemplar = Exemplar(id=name, unit=0, source=f"{name}.png", sha256="")
    return Draw(exemplar=exemplar, picture_HWC=np.zeros((4, 4, 3), np.uint8), shift=1.0, score=score)


@pytest.mark.parametrize(
    ("scores", "taken", "refused"),
    [
        ((0.7,), "a", []),
        ((0.2, 0.6), "b", ["a"]),
        ((0.2, 0.1, 0.9), "c", ["b", "a"]),
        ((0.2, 0.4, 0.3), "b", ["a", "c"]),
        ((0.3, 0.3, 0.3), "a", ["b", "c"]),
    ],
)
def test_the_first_draw_that_passes_is_taken_else_the_best(
    cache: Path, scores: tuple[float, ...], taken: str, refused: list[str]
) -> None:
    copy = Copy(row_of("b", "c"), CacheReader(Storage(cache)), 0.5)
    for name, score in zip("abc", scores, strict=False):
        assert not copy.settled
        copy.offer(draw(name, score))
    assert copy.settled
    assert copy.written_as["exemplar"] == taken
    verdict = copy.verdict()
    assert [entry["exemplar"] for entry in verdict["redrawn"]] == refused
    assert verdict["flagged"] == (max(scores) < 0.5)


def test_only_the_first_refused_pictures_of_a_unit_are_kept() -> None:
    entry = {"exemplar": "a", "exemplar_source": "a.png", "score": 0.1, "picture": b"jpeg"}
    rows = [{"redrawn": [entry, entry]}, {"redrawn": []}, {"redrawn": [entry] * SHOWN_PER_UNIT}]
    kept = without_most_pictures(rows)
    pictures = [refused["picture"] for row in kept for refused in row["redrawn"]]
    assert pictures == [b"jpeg"] * SHOWN_PER_UNIT + [None, None]
    assert without_most_pictures(kept) == kept
