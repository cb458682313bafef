"""BDD100K under its present and its older names."""

from __future__ import annotations

from stylize.datasets.base import open_dataset

NAME = "0004a4c0-d4dff0ad"


def test_10k_names(make) -> None:
    root = make(
        f"images/10k/train/{NAME}.jpg", "images/10k/test/ff.jpg",
        f"labels/sem_seg/masks/train/{NAME}.png", f"labels/sem_seg/colormaps/train/{NAME}.png",
        f"labels/pan_seg/bitmasks/train/{NAME}.png", f"labels/drivable/masks/train/{NAME}.png",
        "labels/sem_seg/masks/val/gone.png", "labels/sem_seg/polygons/sem_seg_train.json",
    )  # fmt: skip
    dataset = open_dataset(root)
    assert dataset.layout == "bdd100k"
    assert dataset.splits == {"test": 1, "train": 1}
    assert dataset.samples[1].labels == (
        f"labels/pan_seg/bitmasks/train/{NAME}.png",
        f"labels/sem_seg/colormaps/train/{NAME}.png",
        f"labels/sem_seg/masks/train/{NAME}.png",
    )
    assert dataset.samples[1].key == NAME
    assert "labels/sem_seg/masks/val/gone.png" in dataset.orphans


def test_100k_pictures_have_the_other_labels(make) -> None:
    root = make(
        f"images/10k/val/{NAME}.jpg", f"images/100k/val/{NAME}.jpg",
        f"labels/sem_seg/masks/val/{NAME}.png", f"labels/drivable/masks/val/{NAME}.png",
    )  # fmt: skip
    large, small = open_dataset(root).samples
    assert large.labels == (f"labels/drivable/masks/val/{NAME}.png",)
    assert small.labels == (f"labels/sem_seg/masks/val/{NAME}.png",)


def test_older_names(make) -> None:
    root = make(
        f"seg/images/train/{NAME}.jpg", f"seg/labels/train/{NAME}_train_id.png",
        f"seg/color_labels/train/{NAME}_train_color.png", "seg/images/test/t.jpg", "seg/labels/val/x_train_id.png",
    )  # fmt: skip
    dataset = open_dataset(root)
    assert dataset.layout == "bdd100k"
    test, train = dataset.samples
    assert test.labels == ()
    assert train.labels == (f"seg/color_labels/train/{NAME}_train_color.png", f"seg/labels/train/{NAME}_train_id.png")
    assert dataset.orphans == ("seg/labels/val/x_train_id.png",)
