"""Opening one sample."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from stylize.datasets.base import open_dataset
from stylize.datasets.inspection import Finding, inspect
from stylize.errors import FatalError
from stylize.images import encode
from stylize.storage import Storage

PICTURE = encode(np.zeros((4, 6, 3), np.uint8), "png")
LABEL = encode(np.array([[0, 1, 1], [255, 1, 1]], np.uint8), "png")


def first(files: dict[str, bytes], name: str) -> Finding:
    storage = Storage(f"memory://inspection/{name}")
    for path, data in files.items():
        storage.write(path, data)
    return inspect(storage, open_dataset(storage).samples[0])


def test_what_is_noted() -> None:
    finding = first({"images/a.png": PICTURE, "labels/a.png": LABEL, "boxes/a.json": b"{}"}, "noted")
    assert finding.size == (6, 4)
    assert finding.format == "PNG RGB"
    assert finding.sha256 == hashlib.sha256(PICTURE).digest()
    assert finding.trouble == ""
    boxes, label = finding.labels
    assert boxes.kind == "boxes.json"
    assert boxes.trouble == ""
    assert label.size == (3, 2)
    assert label.counts == {0: 1, 1: 4, 255: 1}
    assert not label.colour


def test_bad_files_are_findings() -> None:
    files = {
        "images/a.png": PICTURE[:40],
        "labels/a.png": b"",
        "boxes/a.json": b"{",
        "notes/a.txt": b"",
        "masks/a.png": PICTURE,
    }
    finding = first(files, "bad")
    assert finding.size is None
    assert "cannot decode" in finding.trouble
    troubles = {label.kind: label.trouble for label in finding.labels}
    assert "not JSON" in troubles["boxes.json"]
    assert "empty" in troubles["labels"]
    assert "empty" in troubles["notes.txt"]
    assert troubles["masks"] == ""
    assert [label.colour for label in finding.labels if label.kind == "masks"] == [True]


def test_storage_that_fails_for_good_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(self: Storage, path: str) -> bytes:
        raise FatalError("permission denied")

    monkeypatch.setattr(Storage, "read", deny)
    with pytest.raises(FatalError):
        first({"a.png": PICTURE}, "denied")


def test_16_bit_values_are_counted() -> None:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(np.array([[0, 26001], [26001, 33000]], np.uint16)).save(buffer, "PNG")
    (label,) = first({"images/a.png": PICTURE, "labels/a.png": buffer.getvalue()}, "deep").labels
    assert label.counts == {0: 1, 26001: 2, 33000: 1}
