"""ACDC: conditions, splits, sequences, and reference frames."""

from __future__ import annotations

from stylize.datasets.base import open_dataset

KINDS = ("invIds", "labelColor", "labelIds", "labelTrainIds")


def test_frames_labels_and_reference_frames(make) -> None:
    root = make(
        "rgb_anon/fog/train/GOPR0475/GOPR0475_frame_000041_rgb_anon.png",
        *(f"gt/fog/train/GOPR0475/GOPR0475_frame_000041_gt_{kind}.png" for kind in KINDS),
        "rgb_anon/fog/train_ref/GOPR0475/GOPR0475_frame_000041_rgb_ref_anon.png",
        "gt/fog/train_ref/GOPR0475/GOPR0475_frame_000041_gt_ref_labelIds.png",
        "rgb_anon/night/val/GP010376/GP010376_frame_000054_rgb_anon.png",
        "gt/night/val/GP010376/GP010376_frame_000054_gt_labelIds.png",
        "gt/night/val/GP010376/GP010376_frame_000999_gt_labelIds.png",
        "rgb_anon/rain/test/GP010400/GP010400_frame_000001_rgb_anon.png",
        "gt_panoptic/fog/gt_panoptic_fog_train.json",
    )
    dataset = open_dataset(root)
    assert dataset.layout == "acdc"
    assert dataset.splits == {"test": 1, "train": 1, "train_ref": 1, "val": 1}
    train, reference, night, rain = dataset.samples
    assert train.key == "GOPR0475_frame_000041"
    assert train.labels == tuple(f"gt/fog/train/GOPR0475/GOPR0475_frame_000041_gt_{kind}.png" for kind in KINDS)
    assert reference.key == "GOPR0475_frame_000041"
    assert reference.labels == ("gt/fog/train_ref/GOPR0475/GOPR0475_frame_000041_gt_ref_labelIds.png",)
    assert night.labels == ("gt/night/val/GP010376/GP010376_frame_000054_gt_labelIds.png",)
    assert rain.labels == ()
    assert dataset.orphans == ("gt/night/val/GP010376/GP010376_frame_000999_gt_labelIds.png",)
