"""The examination of a whole dataset."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from stylize.datasets.base import open_dataset
from stylize.datasets.doctor import Diagnosis, Problem, diagnose
from stylize.errors import FatalError
from stylize.images import encode
from stylize.storage import Storage


def picture(seed: int, height: int = 40, width: int = 60) -> bytes:
    return encode(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8), "png")


def label(*values: int, height: int = 40, width: int = 60) -> bytes:
    return encode(np.resize(np.array(values, np.uint8), (height, width)), "png")


def examine(root: Path, files: dict[str, bytes], **options: object) -> Diagnosis:
    for path, data in files.items():
        Storage(root).write(path, data)
    return diagnose(open_dataset(root), **options)  # type: ignore[arg-type]


def problem(diagnosis: Diagnosis, kind: str) -> Problem:
    (found,) = [problem for problem in diagnosis.problems if problem.kind == kind]
    assert found.remedy
    return found


def healthy_files(count: int = 6) -> dict[str, bytes]:
    files = {f"train/{k}.png": picture(k) for k in range(count)}
    return files | {f"trainannot/{k}.png": label(0, 0, 1, 2) for k in range(count)}


def test_a_healthy_dataset(tmp_path: Path) -> None:
    names = json.dumps({"classes": ["sky", "road", "car"], "ignore_index": 11}).encode()
    diagnosis = examine(tmp_path, healthy_files() | {"classes.json": names})
    assert diagnosis.healthy
    assert diagnosis.problems == ()
    assert (diagnosis.images, diagnosis.checked, diagnosis.splits) == (6, 6, {"train": 6})
    assert diagnosis.sizes == {"60x40": 6}
    assert diagnosis.formats == {"PNG RGB": 6}
    (kind,) = diagnosis.label_kinds
    assert (kind.name, kind.files, kind.verdict) == ("annot", 6, "ids")
    assert kind.shares == {0: 0.5, 1: 0.25, 2: 0.25}
    assert diagnosis.class_names == {0: "sky", 1: "road", 2: "car", 11: "ignore"}


def test_everything_that_can_be_wrong(tmp_path: Path) -> None:
    files = healthy_files()
    files |= {
        "train/cut.png": picture(50)[:500],
        "trainannot/cut.png": label(0),
        "train/empty.png": b"",
        "trainannot/empty.png": label(0),
        "train/small.png": picture(51, 1, 1),
        "trainannot/small.png": label(0),
        "train/twin.png": picture(0),
        "trainannot/twin.png": label(0),
        "train/turned.png": picture(52),
        "trainannot/turned.png": label(0, height=60, width=40),
        "train/badlabel.png": picture(53),
        "trainannot/badlabel.png": b"nonsense",
        "train/lossy.png": picture(54),
        "trainannot/lossy.jpg": encode(np.zeros((40, 60, 3), np.uint8), "jpeg"),
        "train/bare.png": picture(55),
        "trainannot/orphan.png": label(0),
        "dusk/a.png": picture(56),
    }
    diagnosis = examine(tmp_path, files)
    assert not diagnosis.healthy
    assert problem(diagnosis, "unreadable-image").examples[0].startswith("train/cut.png: cannot decode")
    assert problem(diagnosis, "unreadable-image").examples[1] == "train/empty.png: the file is empty (0 bytes)"
    assert problem(diagnosis, "unreadable-label").examples[0].startswith("trainannot/badlabel.png: not a PNG")
    assert problem(diagnosis, "size-mismatch").examples == ("trainannot/small.png: 60x40, the image is 1x1",)
    assert problem(diagnosis, "turned-label").examples == ("trainannot/turned.png: 40x60, the image is 60x40",)
    assert problem(diagnosis, "lossy-label").examples == ("trainannot/lossy.jpg",)
    assert problem(diagnosis, "tiny-image").examples == ("train/small.png: 1x1",)
    assert problem(diagnosis, "duplicate").examples == ("train/twin.png = train/0.png",)
    assert problem(diagnosis, "no-label").examples == ("train/bare.png",)
    assert problem(diagnosis, "orphan-label").examples == ("trainannot/orphan.png",)
    assert problem(diagnosis, "unlabelled-split").severity == "note"
    severities = [found.severity for found in diagnosis.problems]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


def test_exemplars_without_labels_are_healthy(tmp_path: Path) -> None:
    diagnosis = examine(tmp_path, {"a.png": picture(0), "b.png": picture(1)})
    assert diagnosis.healthy
    assert problem(diagnosis, "unlabelled-split").examples == ("the whole dataset",)


def cityscapes(kinds: dict[str, bytes], count: int = 3) -> dict[str, bytes]:
    files = {}
    for k in range(count):
        files[f"leftImg8bit/train/x/x_{k}_leftImg8bit.png"] = picture(k)
        files |= {f"gtFine/train/x/x_{k}_gtFine_{kind}": data for kind, data in kinds.items()}
    return files


def test_cityscapes_kinds_and_their_verdicts(tmp_path: Path) -> None:
    kinds = {
        "labelIds.png": label(0, 7, 26),
        "labelTrainIds.png": label(0, 13, 255),
        "color.png": picture(9),
        "polygons.json": b"{}",
    }
    diagnosis = examine(tmp_path, cityscapes(kinds))
    assert diagnosis.healthy
    assert {kind.name: kind.verdict for kind in diagnosis.label_kinds} == {
        "gtFine_labelIds": "label-ids",
        "gtFine_labelTrainIds": "train-ids",
        "gtFine_color": "colour",
        "gtFine_polygons.json": "data",
    }


def test_label_ids_under_the_name_of_train_ids_are_an_error(tmp_path: Path) -> None:
    diagnosis = examine(tmp_path, cityscapes({"labelTrainIds.png": label(0, 7, 26)}))
    found = problem(diagnosis, "wrong-ids")
    assert found.severity == "error"
    assert "named as train-ids" in found.message


def test_colours_alone_are_no_labels_for_a_trainer(tmp_path: Path) -> None:
    assert problem(examine(tmp_path, cityscapes({"color.png": picture(9)})), "no-ids").severity == "warning"


def test_frames_with_fewer_label_files(tmp_path: Path) -> None:
    files = cityscapes({"labelIds.png": label(0, 7), "color.png": picture(9)}, 4)
    del files["gtFine/train/x/x_2_gtFine_color.png"]
    found = problem(examine(tmp_path, files), "incomplete-labels")
    assert found.examples == ("leftImg8bit/train/x/x_2_leftImg8bit.png",)


def test_ids_that_classes_json_does_not_name(tmp_path: Path) -> None:
    names = json.dumps({"classes": ["sky", "road"]}).encode()
    found = problem(examine(tmp_path, healthy_files() | {"classes.json": names}), "unknown-id")
    assert found.examples == ("annot: id 2",)
    assert examine(tmp_path / "broken", healthy_files() | {"classes.json": b"{"}).class_names == {}


def test_limit_takes_samples_from_everywhere(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    diagnosis = examine(
        tmp_path, healthy_files(10) | {"dusk/a.png": picture(99)}, limit=3, progress=lambda *step: steps.append(step)
    )
    assert (diagnosis.images, diagnosis.checked) == (11, 3)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert diagnosis.label_kinds[0].files == 2  # the first, one third in, two thirds in: dusk sorts first


def test_the_result_is_plain_data_and_independent_of_threads(tmp_path: Path) -> None:
    one = examine(tmp_path, healthy_files(), threads=1)
    many = diagnose(open_dataset(tmp_path), threads=7)
    assert one == many
    plain = json.loads(json.dumps(one.to_json()))
    assert plain["healthy"] is True
    assert plain["label_kinds"][0]["shares"] == {"0": 0.5, "1": 0.25, "2": 0.25}


def test_a_failing_storage_stops_the_examination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, data in healthy_files(40).items():
        Storage(tmp_path).write(path, data)
    dataset = open_dataset(tmp_path)
    reads = []

    def fail(self: Storage, path: str) -> bytes:
        reads.append(path)
        raise FatalError("permission denied")

    monkeypatch.setattr(Storage, "read", fail)
    with pytest.raises(FatalError, match="permission denied"):
        diagnose(dataset, threads=2)
    assert len(reads) < 20, "the other files must not be read first"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("doctor")]


def test_the_real_frames(shared_data: Path) -> None:
    diagnosis = diagnose(open_dataset(shared_data / "camvid"), limit=24)
    assert diagnosis.healthy
    assert diagnosis.sizes == {"480x360": 24}
    assert set(diagnosis.label_kinds[0].shares) <= set(diagnosis.class_names)
    assert sum(diagnosis.label_kinds[0].shares.values()) == pytest.approx(1)
