from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from stylize.errors import BadInput
from stylize.export import encode_picture, label_path, output_path, picture_format, picture_path, resize_label
from stylize.images import decode_label, decode_rgb


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if mode == "P":
        image = image.convert("L")
        image.putpalette([value for index in range(256) for value in (index, 0, 255 - index)])
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("image", "key", "k", "expected"),
    [
        ("train/a.png", "a", 0, "train/a.png"),
        ("train/a.png", "a", 2, "train/a__2.png"),
        ("x/aachen_0_leftImg8bit.png", "aachen_0", 1, "x/aachen_0__1_leftImg8bit.png"),
        ("a.JPG", "a", 0, "a.JPG"),
        ("a.jpeg", "a", 1, "a__1.jpeg"),
        ("a.b.tiff", "a.b", 0, "a.b.png"),
        ("a.webp", "a", 3, "a__3.png"),
    ],
)
def test_picture_path(image, key, k, expected):
    assert picture_path(image, key, k) == expected


def test_format_follows_the_name():
    rgb = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    assert (picture_format("a.JPEG"), picture_format("b.jpg"), picture_format("c.PNG")) == ("jpeg", "jpeg", "png")
    assert np.array_equal(decode_rgb(encode_picture(rgb, "a.png")), rgb)
    assert encode_picture(rgb, "a.jpg")[:2] == b"\xff\xd8"
    assert encode_picture(rgb, "a.png") == encode_picture(rgb, "b.png")


def test_label_path():
    assert label_path("gt/a_labelIds.png", "a", 1, resized=False) == "gt/a__1_labelIds.png"
    assert label_path("gt/a_polygons.json", "a", 0, resized=False) == "gt/a_polygons.json"
    assert label_path("gt/a_polygons.json", "a", 0, resized=True) is None
    assert label_path("gt/a.bmp", "a", 2, resized=True) == "gt/a__2.png"
    assert output_path("gt/a.png", "a", 0) == "gt/a.png"


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000,
        np.arange(36, dtype=np.uint8).reshape(3, 4, 3),
    ],
    ids=["ids", "16 bit", "colour"],
)
def test_resized_labels_keep_their_ids(ids):
    large = np.kron(ids, np.ones((5, 5) + (1,) * (ids.ndim - 2), ids.dtype))
    resized = decode_label(resize_label(png(large), 3, 4))
    assert resized.dtype == ids.dtype
    assert np.array_equal(resized, ids)


def test_resized_palette_labels_keep_their_ids():
    ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(decode_label(resize_label(png(ids, "P"), 3, 4)), ids)


def test_a_label_that_is_no_picture_is_bad_input():
    with pytest.raises(BadInput):
        resize_label(b"not a picture", 3, 4)
