"""The PNG writer: exact pixels that other decoders read, and sizes no worse than Pillow's fast setting."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from stylize import png
from stylize.png import write_png


def pillow(data: bytes) -> np.ndarray:
    """Decode with another implementation; `verify` checks every checksum."""
    Image.open(io.BytesIO(data)).verify()
    return np.array(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (7, 1, 3), (33, 47, 3), (33, 47), (1, 1), (5, 5, 1)])
def test_pixels_come_back(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(
        pillow(write_png(noise)), noise.squeeze() if shape[-1:] == (1,) and len(shape) == 3 else noise
    )


def test_views_that_are_not_contiguous_come_back() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 16, 20), dtype=np.uint8).transpose(1, 2, 0)[::-1, ::2]
    assert np.array_equal(pillow(write_png(noise)), noise)


def test_large_data_is_cut_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "LARGEST_CHUNK", 100)
    noise = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    data = write_png(noise)
    assert data.count(b"IDAT") == 10
    assert np.array_equal(pillow(data), noise)


def test_the_size_is_that_of_pillows_fast_setting() -> None:
    y, x = np.mgrid[0:240, 0:320]
    smooth = 120 + 60 * np.sin(x / 40)[..., None] + 40 * np.cos(y / 30)[..., None] * np.ones(3)
    photo = (smooth + np.random.default_rng(0).normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG", compress_level=1)
    assert len(write_png(photo)) < 1.2 * len(buffer.getvalue())
    assert len(write_png(np.zeros((240, 320, 3), np.uint8))) < 5_000


@pytest.mark.parametrize("image", [np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8), np.zeros(3, np.uint8)])
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a PNG needs"):
        write_png(image)


@pytest.mark.parametrize("kind", ["noise", "smooth", "flat", "stripes"])
def test_zlib_ng_writes_the_bytes_that_zlib_writes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = pytest.importorskip("zlib_ng.zlib_ng", reason="the extra `fast` is not installed")
    y, x = np.indices((211, 307))
    planes = {
        "noise": np.random.default_rng(0).integers(0, 256, y.shape),
        "smooth": 120 + 60 * np.sin(x / 40) + y / 9,
        "flat": y // 50,
        "stripes": x * y % 7,
    }
    image = np.repeat(planes[kind].astype(np.uint8)[..., None], 3, axis=2)
    written = []
    for library in (zlib, fast):
        monkeypatch.setattr(png, "DEFLATE", library)
        written.append(write_png(image))
    assert written[0] == written[1]
