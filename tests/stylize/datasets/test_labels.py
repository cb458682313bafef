"""What label files are, by name and by value."""

from __future__ import annotations

import pytest

from stylize.datasets.labels import EXPLANATIONS, Verdict, class_names, judge, label_kind, promised
from stylize.datasets.tree import Sample

FRAME = "leftImg8bit/val/ulm/ulm_1_leftImg8bit.png"


@pytest.mark.parametrize(
    ("image", "label", "split", "kind"),
    [
        (FRAME, "gtFine/val/ulm/ulm_1_gtFine_labelIds.png", "val", "gtFine_labelIds"),
        (FRAME, "gtFine/val/ulm/ulm_1_gtFine_polygons.json", "val", "gtFine_polygons.json"),
        ("train/a.png", "trainannot/a.png", "train", "annot"),
        ("images/10k/train/a.jpg", "labels/sem_seg/masks/train/a.png", "train", "labels/sem_seg/masks"),
        ("seg/images/train/a.jpg", "seg/labels/train/a_train_id.png", "train", "train_id"),
        ("images/a.jpg", "masks/a.png", "", "masks"),
        ("images/a.jpg", "images/a.json", "", "labels.json"),
        ("train/images/a.jpg", "train/labels/a.txt", "train", "labels.txt"),
    ],
)
def test_kinds(image: str, label: str, split: str, kind: str) -> None:
    key = "ulm_1" if image == FRAME else "a"
    sample = Sample(id=image, image=image, labels=(label,), split=split, key=key)
    assert label_kind(sample, label) == kind


@pytest.mark.parametrize(
    ("values", "layout", "kind", "verdict"),
    [
        (range(34), "cityscapes", "x", "label-ids"),
        ([7, 8, 33], "acdc", "x", "label-ids"),
        ([*range(19), 255], "bdd100k", "x", "train-ids"),
        ([0, 1, 2, 255], "cityscapes", "x", "train-ids"),
        ([0, 1, 2], "cityscapes", "gtFine_labelTrainIds", "train-ids"),
        ([0, 1, 7, 8], "cityscapes", "gtFine_labelIds", "label-ids"),
        ([0, 1, 2], "cityscapes", "masks", "ids"),
        ([0, 20, 255], "cityscapes", "gtFine_labelTrainIds", "ids"),
        (range(40), "cityscapes", "x", "ids"),
        (range(12), "camvid", "annot", "ids"),
        ([0, 5, 255], "folder", "labels", "ids"),
        ([0, 255], "folder", "masks", "binary"),
        ([0], "folder", "masks", "ids"),
        ([0, 26001], "cityscapes", "gtFine_instanceIds", "instances"),
        (range(300), "folder", "x", "instances"),
        ([], "folder", "x", "ids"),
    ],
)
def test_verdicts(values: list[int], layout: str, kind: str, verdict: Verdict) -> None:
    assert judge(list(values), colour=False, layout=layout, kind=kind) == verdict
    assert verdict in EXPLANATIONS


def test_colours_are_colours() -> None:
    assert judge([], colour=True, layout="cityscapes", kind="gtFine_labelIds") == "colour"


def test_names_promise() -> None:
    kinds = {
        "gtFine_labelTrainIds": "train-ids",
        "train_id": "train-ids",
        "gtFine_labelIds": "label-ids",
        "annot": None,
    }
    assert {kind: promised(kind) for kind in kinds} == kinds
    assert promised("gtFine_color") == "colour"
    assert promised("gtFine_instanceIds") == "instances"


def test_class_names() -> None:
    assert class_names({"classes": ["sky", "road"], "ignore_index": 11}) == {0: "sky", 1: "road", 11: "ignore"}
    assert class_names({"classes": ["sky"]}) == {0: "sky"}
    for other in (None, [], {}, {"classes": 3}, {"classes": ["a"], "ignore_index": "b"}):
        assert set(class_names(other)) <= {0}
