"""Plain folders, with and without labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylize.datasets.base import open_dataset


def labels_of(root: Path) -> dict[str, tuple[str, ...]]:
    return {sample.image: sample.labels for sample in open_dataset(root).samples}


def test_pictures_in_any_tree(make) -> None:
    dataset = open_dataset(make("a.jpg", "b/c.PNG", "b/d/e.webp", "b/notes.txt", "list.csv", ".cache/x.png"))
    assert dataset.layout == "folder"
    assert [(sample.id, sample.key, sample.labels, sample.split) for sample in dataset.samples] == [
        ("a", "a", (), ""),
        ("b/c", "c", (), ""),
        ("b/d/e", "e", (), ""),
    ]
    assert dataset.extras == ("list.csv",)
    assert "no other layout fits" in dataset.note


@pytest.mark.parametrize("images", ["images", "Images", "imgs"])
def test_parallel_trees_with_any_number_of_label_folders(make, images: str) -> None:
    root = make(
        f"{images}/a.jpg", "labels/a.png", "masks/a_mask.png", "labels_color/a.png", "boxes/a.json", f"{images}/b.jpg"
    )
    assert labels_of(root) == {
        f"{images}/a.jpg": ("boxes/a.json", "labels/a.png", "labels_color/a.png", "masks/a_mask.png"),
        f"{images}/b.jpg": (),
    }


def test_splits_below_and_above_images(make) -> None:
    below = make("images/train/a.jpg", "labels/train/a.png", "images/val/a.jpg", "labels/val/a.png", root="below")
    assert labels_of(below) == {
        "images/train/a.jpg": ("labels/train/a.png",),
        "images/val/a.jpg": ("labels/val/a.png",),
    }
    above = make("train/images/a.jpg", "train/labels/a.png", "val/images/a.jpg", "val/labels/a.png", root="above")
    assert labels_of(above) == {
        "train/images/a.jpg": ("train/labels/a.png",),
        "val/images/a.jpg": ("val/labels/a.png",),
    }
    for root in (below, above):
        assert open_dataset(root).splits == {"train": 1, "val": 1}
        assert len(open_dataset(root, split="val")) == 1


def test_deep_label_folders(make) -> None:
    root = make("images/x/a.jpg", "labels/colour/x/a.png", "labels/ids/x/a.png")
    assert labels_of(root) == {"images/x/a.jpg": ("labels/colour/x/a.png", "labels/ids/x/a.png")}


def test_labels_without_pictures_are_orphans(make) -> None:
    dataset = open_dataset(make("images/x/a.jpg", "labels/x/a.png", "labels/x/b.png", "labels/y/a.png", "labels/c.txt"))
    assert [sample.labels for sample in dataset.samples] == [("labels/x/a.png",)]
    assert dataset.orphans == ("labels/x/b.png", "labels/y/a.png")


def test_names_that_begin_alike(make) -> None:
    root = make("images/f_1.jpg", "images/f_10.jpg", "labels/f_1.png", "labels/f_10.png", "labels/f_1_L.png")
    assert labels_of(root) == {
        "images/f_1.jpg": ("labels/f_1.png", "labels/f_1_L.png"),
        "images/f_10.jpg": ("labels/f_10.png",),
    }


def test_pictures_elsewhere_count_too_and_loose_ones_are_named(make) -> None:
    dataset = open_dataset(make("fog/images/a.jpg", "sun/b.jpg", "fog/overview.png"))
    assert [sample.id for sample in dataset.samples] == ["fog/images/a", "sun/b"]
    assert "1 pictures beside images/ left out" in dataset.note


def test_the_real_exemplars(shared_data: Path) -> None:
    assert len(open_dataset(shared_data / "exemplars")) == 88
    assert len(open_dataset(shared_data / "exemplars" / "fog")) == 48
    assert len(open_dataset(shared_data / "camvid" / "dusk")) == 62
