from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stylize
from cli.main import run
from pipelines.evaluate_segmentation import SegmentationScore, evaluate_segmentation
from pipelines.events import Event, Note, RunStarted, UnitDone
from stylize.errors import ConfigurationError
from stylize.labelsets import CAMVID11, CITYSCAPES19, CITYSCAPES34

CLASSES = {"classes": ["road", "sky", "car"], "ignore_index": 3}
TRUTH = np.array([[0, 0, 0, 0], [1, 1, 2, 3]], np.uint8)
GUESS = np.array([[0, 0, 0, 1], [1, 1, 0, 0]], np.uint8)  # one road as sky, the car as road


def save(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids).save(path)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Three labelled pictures in `data`, and predictions of all in `out`: the first right, the others as in GUESS."""
    for name, guess in (("a", TRUTH.clip(0, 2)), ("b", GUESS), ("c", GUESS)):
        save(tmp_path / f"data/train/{name}.png", np.zeros((2, 4, 3), np.uint8))
        save(tmp_path / f"data/trainannot/{name}.png", TRUTH)
        save(tmp_path / f"out/{name}.png", guess)
    (tmp_path / "data/classes.json").write_text(json.dumps(CLASSES))
    return tmp_path


def score(world: Path, **options: Any) -> SegmentationScore:
    return evaluate_segmentation(world / "out", world / "data", **options)


def test_scores_are_those_worked_out_by_hand(world: Path) -> None:
    found = score(world)
    assert (found.pictures, found.failed, found.exit_code) == (3, 0, 0)
    road, sky, car = found.by_class
    assert road.iou == pytest.approx(10 / (12 + 2))  # of 12 road pixels 10 found; two cars taken for road
    assert sky.iou == pytest.approx(6 / 8)
    assert car.iou == pytest.approx(1 / 3)
    assert (car.recall, car.precision, road.share) == (pytest.approx(1 / 3), 1.0, pytest.approx(12 / 21))
    assert found.accuracy == pytest.approx(17 / 21)
    assert found.mean_iou == pytest.approx((10 / 14 + 6 / 8 + 1 / 3) / 3)


def test_result_and_table_are_written(world: Path) -> None:
    found = score(world, json=world / "score.json", csv=world / "rows.csv", limit=2)
    written = json.loads((world / "score.json").read_text())
    assert written["mean_iou"] == pytest.approx(found.mean_iou, rel=1e-5)
    assert np.array_equal(written["confusion"], found.matrix.counts)
    rows = list(csv.DictReader((world / "rows.csv").read_text().splitlines()))
    assert [(row["id"], float(row["accuracy"])) for row in rows] == [("train/a", 1), ("train/b", pytest.approx(5 / 7))]
    assert [rows[0]["road"], rows[1]["car"]] == ["1.0", "0.0"]


def test_missing_and_broken_predictions_are_named_and_do_not_count(world: Path) -> None:
    (world / "out/b.png").unlink()
    (world / "out/c.png").write_bytes(b"no picture")
    events: list[Event] = []
    found = score(world, on_event=events.append)
    assert (found.pictures, found.failed, found.exit_code, found.accuracy) == (1, 2, 3, 1.0)
    assert [failure.id for failure in found.failures] == ["train/b", "train/c"]
    assert found.failures[0].reason.startswith("missing prediction: none in")
    assert found.failures[1].reason.startswith("unreadable label: c.png: not a PNG")
    assert score(world, max_failures=2).exit_code == 0
    assert isinstance(events[0], RunStarted)
    assert sum(isinstance(event, UnitDone) for event in events) == 3


def test_a_missing_label_file_is_a_failure(world: Path) -> None:
    (world / "data/trainannot/b.png").write_bytes(b"")
    assert "trainannot/b.png: the file is empty" in score(world).failures[0].reason


def test_pictures_without_labels_are_said_and_left_out(world: Path) -> None:
    save(world / "data/dusk/z.png", np.zeros((2, 4, 3), np.uint8))
    events: list[Event] = []
    assert score(world, on_event=events.append).pictures == 3
    assert [e.text for e in events if isinstance(e, Note)] == ["1 of 4 pictures have no label; left out"]


def test_another_size_is_refused_or_resized(world: Path) -> None:
    save(world / "out/b.png", TRUTH.clip(0, 2).repeat(2, 0).repeat(2, 1))
    with pytest.raises(ConfigurationError, match=r"out/b\.png: is 8x4, its label 4x2: .* or pass --resize"):
        score(world)
    assert score(world, resize=True, limit=2).accuracy == 1.0


def test_unknown_ids_are_refused_or_of_no_class(world: Path) -> None:
    save(world / "out/b.png", GUESS + 40)
    with pytest.raises(ConfigurationError, match=r"out/b\.png: ids 40, 41 not in "):
        score(world)
    assert score(world, ignore_unknown=True, limit=2).accuracy == 0.5  # all of b is wrong


def test_an_ignored_class_takes_no_part(world: Path) -> None:
    found = score(world, ignore=[2])
    assert np.isnan(found.by_class[2].iou)
    assert found.by_class[0].iou == pytest.approx(10 / 12)  # cars taken for road are not asked for
    assert found.mean_iou == pytest.approx((10 / 12 + 6 / 8) / 2)


def test_own_mapping_and_classes(world: Path) -> None:
    (world / "data/classes.json").unlink()
    with pytest.raises(ConfigurationError, match=r"what do the ids in .* mean"):
        score(world)
    two = world / "two.json"
    two.write_text('{"classes": ["still", "moving"]}')
    mapping = {"0": "still", "1": "still", "2": "moving", "3": None}
    found = score(world, classes=str(two), label_mapping=mapping, prediction_mapping=mapping)
    assert [one.recall for one in found.by_class] == [1.0, pytest.approx(1 / 3)]


def test_cityscapes_label_ids_are_scored_as_19_classes_or_as_camvid(tmp_path: Path) -> None:
    names = ["road", "car", "rider", "caravan"]
    truth = np.array([[CITYSCAPES34.classes.index(name) for name in names]], np.uint8)
    save(tmp_path / "city/leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png", np.zeros((1, 4, 3), np.uint8))
    save(tmp_path / "city/gtFine/val/ulm/ulm_000000_000019_gtFine_labelIds.png", truth)
    train = np.array([[CITYSCAPES19.classes.index(name) for name in ("road", "car", "person", "car")]], np.uint8)
    save(tmp_path / "city19/ulm_000000_000019.png", train)
    camvid = np.array([[CAMVID11.classes.index(name) for name in ("road", "car", "bicyclist", "car")]], np.uint8)
    save(tmp_path / "camvid/ulm_000000_000019.png", camvid)
    found = evaluate_segmentation(tmp_path / "city19", tmp_path / "city")
    assert (found.label_set, found.accuracy) == ("cityscapes19", pytest.approx(2 / 3))
    assert evaluate_segmentation(tmp_path / "camvid", tmp_path / "city", classes="camvid11").accuracy == 1.0
    both = evaluate_segmentation(
        tmp_path / "city19", tmp_path / "city", classes="camvid11", prediction_mapping="cityscapes19"
    )
    assert both.accuracy == pytest.approx(2 / 3)


def test_nothing_measured_is_an_error(world: Path) -> None:
    (world / "out/a.png").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"none of 1 pictures could be measured: train/a: unreadable"):
        score(world, limit=1)


@pytest.mark.parametrize(("name", "value"), [("limit", 0), ("max_failures", -1)])
def test_numbers_that_are_too_small_are_refused(world: Path, name: str, value: int) -> None:
    with pytest.raises(ConfigurationError, match="must be at least"):
        score(world, **{name: value})


def test_buckets_serve_as_well(world: Path) -> None:
    from stylize.storage import Storage

    for folder in ("data", "out"):
        local, remote = Storage(world / folder), Storage(f"memory://evaluation/{folder}")
        for path in local.list():
            remote.copy_from(local, path, path)
    found = stylize.evaluate_segmentation(
        "memory://evaluation/out", "memory://evaluation/data", csv="memory://evaluation/rows.csv"
    )
    assert found.accuracy == pytest.approx(17 / 21)
    assert Storage("memory://evaluation").read_text("rows.csv").count("\n") == 4


def test_command_prints_a_table_and_exits_with_3(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / "out/c.png").unlink()
    code = run(["evaluate", "segmentation", str(world / "out"), str(world / "data"), "--ignore", "1"])
    shown = capsys.readouterr()
    assert code == 3
    assert "2 pictures scored on" in shown.out
    assert "sky        -       -          -     0.0" in shown.out
    assert "1 of 3 failed (1 missing prediction); mend them, or allow them with --max-failures" in shown.out
    assert "failed: train/c: missing prediction" in shown.err
