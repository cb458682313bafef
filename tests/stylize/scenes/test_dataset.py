"""Rendered folders, and the small set in the package."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylize.datasets.base import open_dataset
from stylize.scenes import CLASSES, CONDITIONS, Condition, Scene, labels, render, write_dataset, write_sheet
from stylize.storage import Storage

BUNDLED = Path(__file__).resolve().parents[3] / "stylize" / "assets" / "scenes"


def test_camvid_layout(tmp_path: Path) -> None:
    paths = write_dataset(tmp_path, count=2, height=24, width=32, conditions=("day", "fog"), split="val", seed=5)
    assert paths == [f"val/scene0000{n}_{c}.png" for n in (5, 6) for c in ("day", "fog")]
    assert json.loads((tmp_path / "classes.json").read_text())["classes"] == list(CLASSES)
    with Image.open(tmp_path / "valannot" / "scene00006_fog.png") as truth, Image.open(tmp_path / paths[3]) as picture:
        assert np.array_equal(truth, labels(Scene.sample(6), 24, 32))
        assert np.array_equal(picture, render(Scene.sample(6), Condition.sample("fog", 6), 24, 32))
        assert truth.mode == "L"


def test_the_dataset_reader_finds_it(tmp_path: Path) -> None:
    write_dataset(tmp_path, count=2, height=24, width=32, conditions=("day", "night"))
    dataset = open_dataset(str(tmp_path))
    assert dataset.layout == "camvid"
    assert [sample.id for sample in dataset.samples][:2] == ["train/scene00000_day", "train/scene00000_night"]
    assert all(sample.labels for sample in dataset.samples)


def test_plain_pictures(tmp_path: Path) -> None:
    write_dataset(Storage(tmp_path), count=1, height=24, width=32, conditions=("dusk",), with_labels=False)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["scene00000_dusk.png"]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        write_dataset(tmp_path / name, count=1, height=24, width=32, conditions=("snow",))
        contents.append({p.name: p.read_bytes() for p in (tmp_path / name).rglob("*.png")})
    assert contents[0] == contents[1]


def test_bundled_set_is_small_and_whole() -> None:
    files = [p for p in BUNDLED.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 1_500_000
    names = {p.name for p in (BUNDLED / "train").iterdir()}
    assert len(names) == 3 * len(CONDITIONS)
    assert names == {p.name for p in (BUNDLED / "trainannot").iterdir()}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_bundled_pictures_are_what_the_code_renders(condition: str) -> None:
    """Other processors may round a transcendental function differently: one grey level, and a few texels."""
    scene = Scene.sample(7)
    stored = (BUNDLED / "train" / f"scene00007_{condition}.png").read_bytes()
    with Image.open(io.BytesIO(stored)) as picture:
        difference = np.abs(
            np.asarray(picture, int) - render(scene, Condition.sample(condition, 7), 192, 256).astype(int)
        )
    assert np.mean(difference > 1) < 1e-3
    with Image.open(BUNDLED / "trainannot" / f"scene00007_{condition}.png") as truth:
        assert np.mean(np.asarray(truth) != labels(scene, 192, 256)) < 1e-3


def test_contact_sheet(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", seeds=(0, 1), conditions=("day", "night", "fog"), height=12, width=16)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (48, 24)
