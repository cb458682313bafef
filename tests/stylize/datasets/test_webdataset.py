from __future__ import annotations

from pathlib import Path

import pytest

from stylize.datasets.base import open_dataset
from stylize.datasets.labels import label_kind
from stylize.errors import ConfigurationError
from stylize.storage import Storage
from tests.stylize.datasets.shards import write_tar


def test_samples_share_their_name_up_to_the_first_dot(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "data" / "train-000000.tar",
        {
            "b.jpg": b"picture b", "b.label.png": b"label b", "b.json": b"{}", "b.provenance.json": b"{}",
            "a.jpg": b"picture a", "a.label.png": b"label a",
        },
    )  # fmt: skip
    write_tar(tmp_path / "data" / "val-000000.tar", {"./c/d.png": b"picture d", "c/d.seg.png": b"label d"})
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "webdataset"
    assert dataset.note == "layout webdataset (recognised by its files): pictures with labels in 2 shards"
    assert dataset.splits == {"train": 2, "val": 1}
    first, second, third = dataset.samples
    assert first.id == "images/train/data/train-000000/a"
    assert (third.id, third.key) == ("images/val/data/val-000000/c/d", "d")
    assert dataset.storage.read(second.image) == b"picture b"
    assert {label_kind(second, path): dataset.storage.read(path) for path in second.labels} == {
        "label": b"label b",
        "labels.json": b"{}",
    }
    assert {label_kind(third, path): dataset.storage.read(path) for path in third.labels} == {"seg": b"label d"}
    assert dataset.orphans == ()


@pytest.mark.parametrize(
    ("names", "picture"),
    [
        (["a.png"], "a.png"),
        (["a.jpg", "a.png"], "a.jpg"),
        (["a.PNG", "a.seg.png"], "a.PNG"),
        (["a.image.png", "a.label.png"], "a.image.png"),
        (["a.mask.png", "a.rgb.jpg"], "a.rgb.jpg"),
        (["a.img.png", "a.png"], "a.png"),
    ],
)
def test_which_file_is_the_picture(tmp_path: Path, names: list[str], picture: str) -> None:
    write_tar(tmp_path / "x.tar", {name: name.encode() for name in names})
    (sample,) = open_dataset(tmp_path).samples
    assert open_dataset(tmp_path).storage.read(sample.image) == picture.encode()
    assert len(sample.labels) == len(names) - 1


def test_labels_without_a_picture_are_orphans(tmp_path: Path) -> None:
    write_tar(tmp_path / "x.tar", {"a.jpg": b"a", "b.label.png": b"b"})
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 1
    (orphan,) = dataset.orphans
    assert orphan.endswith("!labels/x/b.label.png")


def test_long_names_of_any_tar_dialect_are_read(tmp_path: Path) -> None:
    name = "deep/" * 60 + "ä" * 80
    write_tar(tmp_path / "x.tar", {f"{name}.jpg": b"picture"})
    dataset = open_dataset(tmp_path)
    assert dataset.storage.read(dataset.samples[0].image) == b"picture"
    assert dataset.samples[0].id == f"images/x/{name}"


def test_only_headers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tar(tmp_path / "x.tar", {f"{k}.jpg": bytes(1 << 20) for k in range(8)})
    read: list[int] = []
    original = Storage.read_range

    def spy(storage: Storage, path: str, start: int | None, end: int | None) -> bytes:
        data = original(storage, path, start, end)
        read.append(len(data))
        return data

    monkeypatch.setattr(Storage, "read_range", spy)
    dataset = open_dataset(tmp_path)
    assert sum(read) < 1 << 20
    read.clear()
    dataset.storage.read(dataset.samples[3].image)
    assert max(read) == 1 << 20


def test_shards_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "good" / "x.tar", {"a.jpg": bytes(5000)}).read_bytes()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(ConfigurationError, match=r"bad/x\.tar is no readable tar file .*: fetch it again"):
        open_dataset(tmp_path / "bad")
    (tmp_path / "bad" / "x.tar").write_bytes(whole[:3000])
    with pytest.raises(ConfigurationError, match=r"bad/x\.tar is no readable tar file"):
        open_dataset(tmp_path / "bad")
    write_tar(tmp_path / "packed" / "x.tar.gz", {"a.jpg": b"a"}, mode="w:gz")
    with pytest.raises(ConfigurationError, match=r"x\.tar\.gz is compressed, .* unpack it to \.tar"):
        open_dataset(tmp_path / "packed")
    write_tar(tmp_path / "evil" / "x.tar", {"a\\b.jpg": b"a"})
    with pytest.raises(ConfigurationError, match=r"x\.tar: path .* must be relative.*: pack it anew"):
        open_dataset(tmp_path / "evil")


def test_shards_beside_pictures_are_not_a_dataset(tmp_path: Path) -> None:
    write_tar(tmp_path / "backup.tar", {"a.jpg": b"a"})
    (tmp_path / "b.jpg").write_bytes(b"b")
    assert open_dataset(tmp_path).layout == "folder"
    assert [s.id for s in open_dataset(tmp_path, layout="webdataset").samples] == ["images/backup/a"]
    with pytest.raises(ConfigurationError, match=r"no pictures of layout parquet .* it wants data/train-00000"):
        open_dataset(tmp_path, layout="parquet")
