"""Open one sample, image and labels, and note what is there and what is wrong."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.datasets.labels import label_kind
from stylize.datasets.tree import Sample, is_image
from stylize.errors import BadInput
from stylize.images import decode_label, decode_rgb, describe
from stylize.storage import Storage

Size = tuple[int, int]
"""(width, height)"""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelFinding:
    """One opened label; `counts` maps each value to its number of pixels and is empty for colours and other data."""

    path: str
    kind: str
    size: Size | None = None
    colour: bool = False
    lossy: bool = False
    counts: dict[int, int]
    trouble: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One opened sample; `size` is None and `trouble` says why when the image cannot be read."""

    sample: Sample
    size: Size | None
    format: str
    sha256: bytes
    trouble: str
    labels: tuple[LabelFinding, ...]


def inspect(storage: Storage, sample: Sample) -> Finding:
    """Read and decode a sample wholly; bad files are findings, storage that fails for good raises."""
    size, format, sha256, trouble = None, "", b"", ""
    try:
        data = storage.read(sample.image)
        sha256 = hashlib.sha256(data).digest()
        format = describe(data)
        height, width = decode_rgb(data).shape[:2]
        size = (width, height)
    except BadInput as error:
        trouble = error.reason
    labels = tuple(_inspect_label(storage, path, label_kind(sample, path)) for path in sample.labels)
    return Finding(sample=sample, size=size, format=format, sha256=sha256, trouble=trouble, labels=labels)


def _inspect_label(storage: Storage, path: str, kind: str) -> LabelFinding:
    try:
        data = storage.read(path)
        if not is_image(path):
            _check_data(path, data)
            return LabelFinding(path=path, kind=kind, counts={})
        values = decode_label(data)
        return LabelFinding(
            path=path,
            kind=kind,
            size=(values.shape[1], values.shape[0]),
            colour=values.ndim == 3,
            lossy=describe(data).startswith("JPEG"),
            counts={} if values.ndim == 3 else _count(values),
        )
    except BadInput as error:
        return LabelFinding(path=path, kind=kind, counts={}, trouble=error.reason)


def _check_data(path: str, data: bytes) -> None:
    if not data:
        raise BadInput("the file is empty (0 bytes)")
    if path.lower().endswith(".json"):
        try:
            json.loads(data)
        except ValueError as error:
            raise BadInput(f"not JSON: {error}") from error


def _count(values: NDArray[np.generic]) -> dict[int, int]:
    if values.dtype == np.uint8:
        counts = np.bincount(values.ravel(), minlength=256)
        present = np.flatnonzero(counts)
        return dict(zip(present.tolist(), counts[present].tolist(), strict=True))
    present, counts = np.unique(values, return_counts=True)
    return dict(zip(present.tolist(), counts.tolist(), strict=True))
