"""Opening: detection, its refusals and their remedies, splits, buckets, scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylize.datasets.base import LAYOUTS, open_dataset
from stylize.errors import ConfigurationError
from stylize.storage import Storage
from tests.s3server import running_server


def test_layouts_by_name() -> None:
    assert list(LAYOUTS) == ["cityscapes", "acdc", "bdd100k", "camvid", "folder", "parquet", "webdataset"]


@pytest.mark.parametrize("url", ["memory://datasets/camvid", None])
def test_any_storage(url: str | None, tmp_path: Path) -> None:
    storage = Storage(url or tmp_path)
    for name in ("train/a.png", "trainannot/a.png"):
        storage.write(name, b"")
    for source in (storage.url, storage):
        assert [sample.labels for sample in open_dataset(source).samples] == [("trainannot/a.png",)]


def test_a_bucket_is_listed_once() -> None:
    with running_server() as server:
        storage = server.storage()
        for name in ("train/a.png", "trainannot/a.png", "dusk/b.png"):
            storage.write(name, b"")
        server.requests.clear()
        assert len(open_dataset(storage.url, storage_options=server.options)) == 2
        assert len(server.requests) == 1


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is missing or empty; correct the path"):
        open_dataset(tmp_path / "missing")
    (tmp_path / ".DS_Store").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="no files in"):
        open_dataset(tmp_path)


def test_no_pictures_names_what_is_there(make) -> None:
    with pytest.raises(ConfigurationError, match=r"no pictures .*2 files, such as a\.txt, b/c\.csv"):
        open_dataset(make("a.txt", "b/c.csv"))


def test_a_wrong_layout_names_what_it_wants(make) -> None:
    root = make("a.png")
    for layout in ("cityscapes", "acdc", "bdd100k"):
        with pytest.raises(ConfigurationError, match=f"no pictures of layout {layout} .* it wants .*--layout"):
            open_dataset(root, layout=layout)
    with pytest.raises(ConfigurationError, match="unknown layout 'kitti': --layout is auto, cityscapes"):
        open_dataset(root, layout="kitti")


def test_two_fitting_layouts_are_ambiguous(make) -> None:
    root = make("leftImg8bit/train/a/a_leftImg8bit.png", "rgb_anon/fog/train/G/G_rgb_anon.png")
    with pytest.raises(ConfigurationError, match="looks like cityscapes and acdc: choose with --layout"):
        open_dataset(root)
    assert open_dataset(root, layout="acdc").note.startswith("layout acdc (asked for)")


def test_a_dataset_one_folder_down_is_pointed_at(make) -> None:
    root = make("CamVid/train/a.png", "CamVid/trainannot/a.png", "docs/x.png")
    with pytest.raises(
        ConfigurationError, match=r"holds a camvid dataset in CamVid/: open .*/CamVid, or pass --layout folder"
    ):
        open_dataset(root)
    assert len(open_dataset(root, layout="folder")) == 3


def test_splits(make) -> None:
    root = make("train/a.png", "trainannot/a.png", "val/b.png", "valannot/b.png", "valannot/c.png", "dusk/c.png")
    assert [sample.id for sample in open_dataset(root, split="val").samples] == ["val/b"]
    assert open_dataset(root, split="train, dusk").splits == {"dusk": 1, "train": 1}
    assert open_dataset(root, split="train").orphans == ()
    assert open_dataset(root, split="val").orphans == ("valannot/c.png",)
    with pytest.raises(ConfigurationError, match=r"no split 'tran' in .*: --split can be dusk, train, val"):
        open_dataset(root, split="tran")
    with pytest.raises(ConfigurationError, match="no splits at all"):
        open_dataset(root / "dusk", split="train")


def test_ids_that_cannot_be_told_apart_are_refused(make) -> None:
    with pytest.raises(ConfigurationError, match="share an id"):
        open_dataset(make("a.png", "a.jpg", "a.png.jpg"))


def test_listing_order_and_junk_change_nothing(make) -> None:
    names = [f"train/{k}.png" for k in range(5)] + [f"trainannot/{k}.png" for k in range(5)]
    assert (
        open_dataset(make(*names, root="a")).samples
        == open_dataset(make(*names[::-1], "train/.x.png", root="b")).samples
    )
