"""Datasets inside shards go through every stage as if they lay in folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.evaluate_reconstruction import evaluate_reconstruction
from pipelines.evaluate_stylization import evaluate_stylization
from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.report import report
from pipelines.verify import verify
from stylize.datasets.base import open_dataset
from tests.stylize.datasets.shards import cell, write_parquet, write_tar

Pack = Callable[[Path, Path], None]


def as_tar(dataset: Path, packed: Path) -> None:
    names = [path.stem for path in sorted((dataset / "train").iterdir())]
    for number, some in enumerate((names[:6], names[6:])):
        files = {}
        for name in some:
            files[f"{name}.png"] = (dataset / "train" / f"{name}.png").read_bytes()
            files[f"{name}.label.png"] = (dataset / "trainannot" / f"{name}.png").read_bytes()
        write_tar(packed / f"train-{number:06d}.tar", files)


def as_parquet(dataset: Path, packed: Path) -> None:
    rows = [
        {
            "image": cell(path.read_bytes(), path.name),
            "label": cell((dataset / "trainannot" / path.name).read_bytes(), path.name),
        }
        for path in sorted((dataset / "train").iterdir())
    ]
    write_parquet(packed / "train-00000-of-00001.parquet", rows)


@pytest.mark.parametrize("pack", [as_tar, as_parquet])
def test_every_stage_reads_shards(pack: Pack, tmp_path: Path, dataset: Path, tiny_model: str) -> None:
    pack(dataset, tmp_path / "packed")
    inverted = invert(tmp_path / "packed", tmp_path / "cache", model=tiny_model, device="cpu", unit_size=4)
    assert (inverted.rows, inverted.failed) == (10, 0)
    mixed = mix(tmp_path / "cache", tmp_path / "out", device="cpu", per_image=2, grain=0.5)
    assert (mixed.rows, mixed.failed) == (20, 0)
    assert verify(str(tmp_path / "out")).ok
    assert evaluate_reconstruction(str(tmp_path / "cache")).pictures == 10
    assert evaluate_stylization(str(tmp_path / "out")).pictures == 20
    report(str(tmp_path / "out"))
    written = open_dataset(tmp_path / "out")
    assert written.layout == "folder"
    assert len(written) == 20
    labels = {written.storage.read(path) for sample in written.samples for path in sample.labels}
    assert labels == {path.read_bytes() for path in (dataset / "trainannot").iterdir()}
    assert all(len(sample.labels) == 1 and sample.split == "train" for sample in written.samples)


def test_shards_give_the_pictures_that_folders_give(tmp_path: Path, dataset: Path, tiny_model: str) -> None:
    as_tar(dataset, tmp_path / "packed")
    for source in ("data", "packed"):
        invert(tmp_path / source, tmp_path / f"{source}-cache", model=tiny_model, device="cpu")
        mix(tmp_path / f"{source}-cache", tmp_path / f"{source}-out", device="cpu", size="model", strength=0.0)
    plain = sorted(path.read_bytes() for path in (tmp_path / "data-out" / "train").iterdir())
    assert sorted(path.read_bytes() for path in (tmp_path / "packed-out" / "images").rglob("*.png")) == plain


def test_a_sample_that_is_broken_in_its_shard_is_one_record(tmp_path: Path, dataset: Path, tiny_model: str) -> None:
    (dataset / "train" / "0001TP_003.png").write_bytes(b"no picture")
    as_parquet(dataset, tmp_path / "packed")
    inverted = invert(tmp_path / "packed", tmp_path / "cache", model=tiny_model, device="cpu")
    assert (inverted.rows, inverted.failed) == (9, 1)
