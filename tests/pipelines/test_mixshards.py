"""Outputs in shards: opened by the packages they are made for, and kept to the guarantees of a tree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import commits, provenance
from pipelines.commits import FileRecord
from pipelines.evaluate_stylization import evaluate_stylization
from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.mixshards import packing_of
from pipelines.report import report
from pipelines.status import status
from pipelines.verify import verify
from stylize.cache import Entry
from stylize.datasets.base import open_dataset
from stylize.errors import ConfigurationError
from stylize.images import decode_rgb
from stylize.storage import Storage
from tests.pipelines.helpers import picture, tree, write_dataset

FORMATS = ("webdataset", "parquet")
ENDINGS = {"webdataset": "tar", "parquet": "parquet"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """Ten pictures of train and two of val, four to a unit; one has a dot in its name."""
    root = tmp_path_factory.mktemp("cache")
    write_dataset(root / "data", [f"0001TP_{number:03d}" for number in range(9)] + ["0001.TP"])
    write_dataset(root / "data", ["0002TP_000", "0002TP_001"], split="val")
    (root / "data" / "classes.json").write_text('{"classes": ["a", "b"]}')
    invert(root / "data", root / "cache", model=tiny_model, unit_size=4, device="cpu")
    return root / "cache"


def mixed(cache: Path, out: Path, format: str, **more: Any) -> Path:
    options: dict[str, Any] = {"per_image": 2, "seed": 3, "device": "cpu", "format": format}
    mix(cache, out, **{**options, **more})
    return out


def pictures(out: Path) -> dict[str, bytes]:
    """The bytes of each copy and of its labels, by what it is made of."""
    storage, found = Storage(out), {}
    for path in storage.list("provenance"):
        for row in provenance.read_rows(storage.read(path)):
            name = f"{row['content']} {row['k']}"
            found[name] = b"|".join(storage.read(path) for path in (row["image"], *row["labels"]))
    return found


@pytest.mark.parametrize("format", FORMATS)
def test_shards_hold_what_a_tree_holds(tmp_path: Path, cache: Path, format: str) -> None:
    out = mixed(cache, tmp_path / "out", format)
    ending = ENDINGS[format]
    files = sorted(path.name for path in (out / "data").iterdir())
    assert files == [f"{name}-of-00003.{ending}" for name in ("train-00000", "train-00001", "train-00002", "val-00002")]
    assert not (out / "train").exists()
    assert (out / "classes.json").is_file()
    assert pictures(out) == pictures(mixed(cache, tmp_path / "tree", "tree"))


@pytest.mark.parametrize("format", FORMATS)
def test_everything_that_reads_a_run_reads_shards(tmp_path: Path, cache: Path, format: str) -> None:
    out = mixed(cache, tmp_path / "out", format)
    assert verify(str(out)).ok
    assert status(str(out)).finished
    assert evaluate_stylization(str(out)).pictures == 24
    report(str(out))
    assert decode_rgb((out / "sheet.png").read_bytes()).std() > 20
    dataset = open_dataset(out)
    assert dataset.layout == format
    assert dataset.splits == {"train": 20, "val": 4}
    assert all(len(sample.labels) == 1 for sample in dataset.samples)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("method", ["stylization", "reinhard"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, cache: Path, format: str, method: str) -> None:
    options = {"method": method, "device": "cpu" if method == "stylization" else None}
    first = mixed(cache, tmp_path / "a", format, workers=1, **options)
    second = mixed(cache, tmp_path / "b", format, workers=2, **options)
    assert tree(first, without=("commits/", "report")) == tree(second, without=("commits/", "report"))


@pytest.mark.parametrize("format", FORMATS)
def test_an_interrupted_run_goes_on(tmp_path: Path, cache: Path, format: str) -> None:
    whole = tree(mixed(cache, tmp_path / "whole", format))
    out = mixed(cache, tmp_path / "out", format)
    for path in ("commits/00001.json", "manifest.json", "sheet.png"):
        (out / path).unlink()
    summary = mix(cache, out, per_image=2, seed=3, device="cpu", format=format)
    assert summary.skipped == 2
    assert tree(out) == whole


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_shard_is_found_and_mended(tmp_path: Path, cache: Path, format: str) -> None:
    out = mixed(cache, tmp_path / "out", format)
    whole = tree(out)
    shard = out / "data" / f"train-00001-of-00003.{ENDINGS[format]}"
    shard.write_bytes(bytes(40) + shard.read_bytes()[40:])
    (out / "data" / f"val-00002-of-00003.{ENDINGS[format]}").unlink()
    found = {finding.path: finding.problem for finding in verify(str(out)).findings}
    assert sorted(found.values()) == ["corrupt", "missing"]
    assert verify(str(out), repair=True).ok
    assert tree(out) == whole


@pytest.mark.parametrize("format", FORMATS)
def test_only_what_failed_is_made_again(tmp_path: Path, tiny_model: str, format: str) -> None:
    data = write_dataset(tmp_path / "data", [f"0001TP_{number:03d}" for number in range(4)])
    invert(data, tmp_path / "cache", model=tiny_model, device="cpu")
    whole = tree(mixed(tmp_path / "cache", tmp_path / "whole", format))
    label = data / "trainannot" / "0001TP_001.png"
    kept, _ = label.rename(data / "kept.png"), label.write_bytes(b"no label")
    out = mixed(tmp_path / "cache", tmp_path / "out", format, max_failures=1)
    assert len(pictures(out)) == 6
    kept.rename(label)
    (data / "train" / "0001TP_000.png").unlink()  # what was good before is kept, and not read again
    mixed(tmp_path / "cache", out, format, retry_failed=True)
    assert {k: v for k, v in tree(out).items() if k.startswith("data/")} == {
        k: v for k, v in whole.items() if k.startswith("data/")
    }


@pytest.mark.parametrize("format", FORMATS)
def test_overwrite_takes_shards_away_that_no_record_names(tmp_path: Path, cache: Path, format: str) -> None:
    out = mixed(cache, tmp_path / "out", format)
    (out / "commits" / "00000.json").unlink()
    (out / "data" / "notes.txt").write_text("mine")
    mixed(cache, out, "tree", overwrite=True)
    assert [path.name for path in (out / "data").iterdir()] == ["notes.txt"]


def test_another_format_is_another_run(tmp_path: Path, cache: Path) -> None:
    out = mixed(cache, tmp_path / "out", "parquet")
    with pytest.raises(
        ConfigurationError, match=r'holds another run \(packing is "parquet" there and "webdataset" here'
    ):
        mixed(cache, out, "webdataset")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset leaves files open
def test_webdataset_opens_the_tar_shards(tmp_path: Path, cache: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    out = mixed(cache, tmp_path / "out", "webdataset")
    shards = sorted(str(path) for path in (out / "data").glob("train-*.tar"))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))
    assert len(samples) == 20
    by_key = {sample["__key__"]: sample for sample in samples}
    assert "train/0001TP_003__1" in by_key
    assert "train/0001%2ETP" in by_key
    sample = by_key["train/0001TP_003__1"]
    assert sample["png"].shape == (30, 40, 3)
    assert np.array_equal(
        sample["label.png"], decode_rgb((cache.parent / "data/trainannot/0001TP_003.png").read_bytes())
    )
    assert sample["provenance.json"]["content"] == "train/0001TP_003"
    assert sample["provenance.json"]["id"] == "train/0001TP_003__1"


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_opens_the_output_by_its_folder(
    tmp_path: Path, cache: Path, streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    out = mixed(cache, tmp_path / "out", "parquet")
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "hf"), streaming=streaming)
    assert set(loaded) == {"train", "val"}
    rows = list(loaded["train"])
    assert len(rows) == 20
    (row,) = (row for row in rows if row["id"] == "train/0001TP_003__1")
    assert row["image"].size == row["label"].size == (40, 30)
    assert (row["content"], row["k"], row["method"]) == ("train/0001TP_003", 1, "stylization")
    assert row["exemplar"] != row["content"]
    assert isinstance(loaded["train"].features["label"], datasets.Image)


def test_several_kinds_of_labels_have_columns_of_their_own(tmp_path: Path, tiny_model: str) -> None:
    datasets = pytest.importorskip("datasets")
    city = tmp_path / "data"
    for number in range(3):
        name = f"aachen_00000{number}_000019"
        Storage(city).write(f"leftImg8bit/train/aachen/{name}_leftImg8bit.png", encoded(number))
        Storage(city).write(f"gtFine/train/aachen/{name}_gtFine_labelIds.png", encoded(number))
        Storage(city).write(f"gtFine/train/aachen/{name}_gtFine_color.png", encoded(number + 9))
        if number:
            Storage(city).write(f"gtFine/train/aachen/{name}_gtFine_polygons.json", b'{"objects": []}')
    invert(city, tmp_path / "cache", model=tiny_model, device="cpu")
    out = mixed(tmp_path / "cache", tmp_path / "out", "parquet", per_image=1)
    rows = list(datasets.load_dataset("parquet", data_dir=str(out / "data"), cache_dir=str(tmp_path / "hf"))["train"])
    assert {"image", "label_gtFine_color", "label_gtFine_labelIds", "file_gtFine_polygons_json"} <= set(rows[0])
    polygons = [row["file_gtFine_polygons_json"] for row in rows]
    assert polygons[0] is None or polygons[0]["bytes"] is None
    assert json.loads(polygons[1]["bytes"]) == {"objects": []}
    found = open_dataset(out)
    assert [len(sample.labels) for sample in found.samples] == [2, 3, 3]


def entry(*labels: str, id: str = "images/a") -> Entry:
    return Entry(id=id, image="images/a.png", labels=labels, split="", key="a", unit=0)


def test_label_columns_are_told_apart() -> None:
    def columns(*entries: Entry, resized: bool = False) -> Mapping[str, str]:
        return packing_of("parquet", 1, entries, resized=resized).columns

    assert columns(entry("labels/a.png")) == {"labels": "label"}
    assert columns(entry()) == {}
    several = entry("labels/a_x-y.png", "labels/a_x_y.png"), entry("labels/a.json"), entry("labels/a_x+y.png")
    assert columns(*several) == {
        "labels.json": "file_labels_json", "x+y": "label_x_y", "x-y": "label_x_y_", "x_y": "label_x_y__",
    }  # fmt: skip
    assert set(columns(*several, resized=True)) == {"x+y", "x-y", "x_y"}


def test_two_files_never_share_a_place() -> None:
    with pytest.raises(ConfigurationError, match=r"labels/ins/a_id.png and labels/sem/a_id.png are both .* kind id"):
        packing_of("parquet", 1, [entry("labels/sem/a_id.png", "labels/ins/a_id.png")], resized=False)
    clash = entry(id="images/a.png")
    assert packing_of("parquet", 1, [clash], resized=False).columns == {}
    with pytest.raises(ConfigurationError, match=r"differs from images/a.png in its ending alone"):
        packing_of("webdataset", 1, [clash], resized=False)


def encoded(seed: int) -> bytes:
    from stylize.images import encode

    return encode(picture(seed), "png")


def test_commits_name_the_shard(tmp_path: Path, cache: Path) -> None:
    out = Storage(mixed(cache, tmp_path / "out", "webdataset"))
    record = commits.read(out, 2)
    assert [FileRecord(*file).path for file in record.files] == [
        "data/train-00002-of-00003.tar", "data/val-00002-of-00003.tar", "provenance/00002.parquet",
    ]  # fmt: skip
    assert record.rows == 8
