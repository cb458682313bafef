"""Every way in which a picture or its label can be unusable gets its own reason; what is usable is read as it is."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.flow import Stopwatch
from pipelines.intake import LABEL_HEADER, Picture, load_picture
from stylize.cache import CacheInfo
from stylize.errors import BadInput
from stylize.images import encode, to_model
from stylize.storage import Storage
from tests.pipelines.helpers import picture

INFO = CacheInfo(
    height=24, width=32, num_ws=8, w_dim=8, noise_shapes=((8, 6, 8), (8, 6, 8)), noise="int8", model_sha256=""
)


def read(root: Path, image: bytes | None, label: bytes | None = None, *, labelled: bool = False) -> Picture:
    storage = Storage(root)
    if image is not None:
        storage.write("a.png", image)
    if label is not None:
        storage.write("a_label.png", label)
    row: dict[str, Any] = {"id": "a", "image": "a.png", "labels": ["a_label.png"] if label is not None else []}
    return load_picture(storage, {**row, "split": "train", "key": "a"}, INFO, labelled=labelled, watch=Stopwatch())


def png(height: int, width: int) -> bytes:
    return encode(np.zeros((height, width, 3), np.uint8), "png")


def test_a_good_picture_comes_with_its_hash_size_and_model_frame(tmp_path: Path) -> None:
    data = encode(picture(1), "png")
    found = read(tmp_path, data, png(30, 40), labelled=True)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert (found.height, found.width) == (30, 40)
    assert np.array_equal(found.image_CHW, to_model(picture(1), 24, 32))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", r"unreadable picture: .*empty"),
        (b"no picture at all", r"unreadable picture: not a PNG"),
        (encode(picture(1), "png")[:-300], r"unreadable picture: cannot decode"),
        (encode(picture(1), "jpeg")[:500], r"unreadable picture: cannot decode"),
        (png(1, 1), r"picture size: 1x1, .* 8 pixels"),
        (png(7, 200), r"picture size: 200x7"),
        (png(10, 20_000), r"picture shape: 20000x10 .* cut it"),
        (png(400, 10), r"picture shape: 10x400"),
        (None, r"missing file: .*a\.png"),
    ],
    ids=["empty", "text", "cut png", "cut jpeg", "1x1", "flat", "20000 wide", "tall", "gone"],
)
def test_an_unusable_picture_is_told_by_its_reason(tmp_path: Path, image: bytes | None, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read(tmp_path, image)


def test_a_wide_picture_of_a_usable_shape_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, png(1000, 5300)).width == 5300


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (png(30, 41), r"label size: a_label\.png is 41x30, the picture is 40x30"),
        (b"", r"unreadable label: .*empty"),
        (b"text", r"unreadable label: not a PNG"),
        (None, r"missing label: .*'train'"),
    ],
    ids=["size", "empty", "text", "none"],
)
def test_a_label_that_does_not_fit_is_told_by_its_reason(tmp_path: Path, label: bytes | None, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read(tmp_path, encode(picture(1), "png"), label, labelled=True)


def test_without_labels_in_the_split_a_picture_needs_none(tmp_path: Path) -> None:
    assert read(tmp_path, encode(picture(1), "png"), None, labelled=False).width == 40


def test_only_the_header_of_a_label_is_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3)).astype(np.uint8)
    data = encode(noise, "png")
    assert len(data) > 2 * LABEL_HEADER
    read(tmp_path, encode(noise, "jpeg"), data[: LABEL_HEADER + 10], labelled=True)


def test_a_label_whose_header_is_long_is_read_whole(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("L", (40, 30)).save(buffer, "JPEG", exif=b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0" + bytes(60_000))
    data = buffer.getvalue()
    padded = data[:2] + (b"\xff\xfe\xff\xff" + bytes(65_533)) * 2 + data[2:]
    assert read(tmp_path, encode(picture(1), "png"), padded, labelled=True).height == 30


def test_polygons_beside_a_label_are_not_opened(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write("a.png", encode(picture(1), "png"))
    row = {"id": "a", "image": "a.png", "labels": ["a_polygons.json"], "split": "", "key": "a"}
    assert load_picture(storage, row, INFO, labelled=True, watch=Stopwatch()).width == 40
