"""Cityscapes: several label files per frame, packages in parallel, and copies that torchvision reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylize.datasets.base import copy_path, open_dataset
from stylize.images import encode
from stylize.storage import Storage

FRAME = "aachen_000000_000019"
KINDS = ("color.png", "instanceIds.png", "labelIds.png", "labelTrainIds.png", "polygons.json")


def frame(split: str, city: str, name: str, package: str = "gtFine") -> list[str]:
    labels = [f"{package}/{split}/{city}/{name}_{package}_{kind}" for kind in KINDS]
    return [f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png", *labels]


def test_every_label_file_belongs(make) -> None:
    root = make(*frame("train", "aachen", FRAME), *frame("val", "ulm", "ulm_000001_000019"), "README.md", "license.txt")
    dataset = open_dataset(root)
    assert dataset.layout == "cityscapes"
    assert dataset.splits == {"train": 1, "val": 1}
    first = dataset.samples[0]
    assert first.id == f"leftImg8bit/train/aachen/{FRAME}_leftImg8bit"
    assert first.key == FRAME
    assert first.labels == tuple(f"gtFine/train/aachen/{FRAME}_gtFine_{kind}" for kind in KINDS)
    assert dataset.extras == ("README.md", "license.txt")


def test_coarse_labels_and_other_packages_travel_the_right_camera_does_not(make) -> None:
    root = make(
        *frame("train", "aachen", FRAME),
        *frame("train", "aachen", FRAME, "gtCoarse"),
        f"disparity/train/aachen/{FRAME}_disparity.png",
        f"camera/train/aachen/{FRAME}_camera.json",
        f"rightImg8bit/train/aachen/{FRAME}_rightImg8bit.png",
    )
    (sample,) = open_dataset(root).samples
    assert len(sample.labels) == 12
    assert not any("right" in label for label in sample.labels)


def test_frames_whose_numbers_begin_alike_keep_their_labels(make) -> None:
    dataset = open_dataset(make(*frame("train", "aachen", "aachen_1_2"), *frame("train", "aachen", "aachen_1_20")))
    assert [len(sample.labels) for sample in dataset.samples] == [5, 5]


def test_orphans_are_pictures_of_labels_only(make) -> None:
    root = make(*frame("train", "aachen", FRAME), *frame("train", "aachen", "aachen_9_9")[1:])
    dataset = open_dataset(root)
    assert len(dataset) == 1
    assert dataset.orphans == tuple(f"gtFine/train/aachen/aachen_9_9_gtFine_{kind}" for kind in KINDS[:-1])
    assert open_dataset(root, split="train").orphans == dataset.orphans


def test_variants_count_where_the_plain_package_is_missing(make) -> None:
    foggy = [
        f"leftImg8bit_foggy/train/aachen/{FRAME}_leftImg8bit_foggy_beta_{beta}.png"
        for beta in ("0.005", "0.01", "0.02")
    ]
    labels = frame("train", "aachen", FRAME)[1:]
    dataset = open_dataset(make(*foggy, *labels, root="foggy"))
    assert [sample.image for sample in dataset.samples] == foggy
    assert all(sample.key == FRAME and len(sample.labels) == 5 for sample in dataset.samples)
    both = open_dataset(make(*foggy, *frame("train", "aachen", FRAME), root="both"))
    assert len(both) == 1
    assert "leftImg8bit_foggy left out" in both.note


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # torchvision's
def test_torchvision_reads_the_copies(tmp_path: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    import numpy as np

    storage = Storage(tmp_path)
    picture = encode(np.zeros((2, 4, 3), np.uint8), "png")
    label = encode(np.zeros((2, 4), np.uint8), "png")
    for path in frame("train", "aachen", FRAME):
        for k in (1, 2):
            data = b"{}" if path.endswith("json") else picture if path.startswith("left") else label
            storage.write(copy_path(path, FRAME, k), data)
    loaded = datasets.Cityscapes(
        str(tmp_path), split="train", mode="fine", target_type=["semantic", "instance", "color"]
    )
    assert len(loaded) == 2
    image, targets = loaded[1]
    assert image.size == (4, 2)
    assert [target.size for target in targets] == [(4, 2)] * 3
    assert {sample.key for sample in open_dataset(tmp_path).samples} == {f"{FRAME}__1", f"{FRAME}__2"}


def test_a_flat_folder_of_frames_is_a_folder(shared_data: Path) -> None:
    dataset = open_dataset(shared_data / "cityscapes_sample")
    assert dataset.layout == "folder"
    assert len(dataset) == 6
