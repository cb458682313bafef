from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from stylize.datasets.base import open_dataset
from stylize.datasets.doctor import diagnose
from stylize.datasets.labels import label_kind
from stylize.errors import ConfigurationError
from stylize.storage import Storage
from tests.stylize.datasets.shards import cell, write_parquet


def png(value: int, size: tuple[int, int] = (40, 40), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, (value,) * len(mode) if mode == "RGB" else value).save(buffer, "PNG")
    return buffer.getvalue()


def test_rows_are_samples_named_by_number_and_path(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "data" / "train-00000-of-00001.parquet",
        [
            {"image": cell(b"one", "x/one.jpg"), "label": cell(b"label one", "one.png"), "city": 4},
            {"image": cell(b"two"), "label": None, "city": 5},
        ],
    )
    write_parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", [{"label": cell(b"l"), "image": cell(b"i")}])
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "parquet"
    assert dataset.splits == {"train": 2, "validation": 1}
    one, two, third = dataset.samples
    folder = "images/train/data/train-00000-of-00001"
    assert (one.id, one.key) == (f"{folder}/000000_one", "000000_one")
    assert (two.id, two.labels) == (f"{folder}/000001", ())
    assert [dataset.storage.read(sample.image) for sample in dataset.samples] == [b"one", b"two", b"i"]
    assert dataset.storage.read(one.labels[0]) == b"label one"
    assert label_kind(third, third.labels[0]) == "label"


@pytest.mark.parametrize(
    ("names", "picture"),
    [(("label", "image"), "image"), (("depth", "rgb"), "rgb"), (("photo", "mask"), "photo")],
)
def test_which_column_is_the_picture(tmp_path: Path, names: tuple[str, str], picture: str) -> None:
    write_parquet(tmp_path / "x.parquet", [{name: cell(name.encode()) for name in names}])
    (sample,) = open_dataset(tmp_path).samples
    assert Storage(tmp_path).read(sample.image) == picture.encode()
    assert len(sample.labels) == 1


def test_columns_of_bare_bytes_are_pictures_where_there_are_no_others(tmp_path: Path) -> None:
    write_parquet(tmp_path / "x.parquet", [{"image": b"picture", "mask": b"mask", "name": "a"}])
    (sample,) = open_dataset(tmp_path).samples
    assert Storage(tmp_path).read(sample.image) == b"picture"
    assert Storage(tmp_path).read(sample.labels[0]) == b"mask"


def test_doctor_examines_shards(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "x.parquet",
        [
            {"image": cell(png(1)), "label": cell(png(3, mode="L"))},
            {"image": cell(png(2)), "label": cell(png(3, (20, 40), mode="L"))},
            {"image": cell(b"broken"), "label": cell(png(3, mode="L"))},
        ],
    )
    found = diagnose(open_dataset(tmp_path))
    assert found.sizes == {"40x40": 2}
    assert {problem.kind: problem.count for problem in found.problems} == {"unreadable-image": 1, "size-mismatch": 1}
    assert [kind.name for kind in found.label_kinds] == ["label"]


def test_files_without_pictures_are_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", [{"text": "a", "number": 1}])
    with pytest.raises(ConfigurationError, match=r"x\.parquet has no column of pictures.*: it has text, number"):
        open_dataset(tmp_path)
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(ConfigurationError, match=r"x\.parquet is no readable Parquet file"):
        open_dataset(tmp_path)


def test_a_runs_own_tables_are_no_pictures(tmp_path: Path) -> None:
    write_parquet(tmp_path / "plan.parquet", [{"id": "a"}])
    write_parquet(tmp_path / "provenance" / "00000.parquet", [{"id": "a"}])
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="no files in"):
        open_dataset(tmp_path)
    write_parquet(tmp_path / "data" / "train-00000-of-00001.parquet", [{"image": cell(b"one")}])
    assert len(open_dataset(tmp_path)) == 1
