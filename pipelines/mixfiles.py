"""The files of a dataset that a mix goes back to: pictures as they were inverted, and labels that fit the output."""

from __future__ import annotations

import hashlib
from typing import Protocol

from pipelines.provenance import Row
from stylize import images
from stylize.datasets.tree import is_image
from stylize.errors import BadInput, NotFound
from stylize.export import resize_label
from stylize.storage import Storage


class Original(Protocol):
    """What the cache has noted of a content picture's file."""

    @property
    def split(self) -> str:
        """Its split."""

    @property
    def key(self) -> str:
        """The beginning of its name that its labels share."""

    @property
    def image(self) -> str:
        """Its path, relative to the dataset."""

    @property
    def source_sha256(self) -> str:
        """Its hash when it was inverted."""

    @property
    def height(self) -> int:
        """Of the upright picture."""

    @property
    def width(self) -> int:
        """Likewise."""


def read_inverted(dataset: Storage, path: str, sha256: str, kind: str) -> bytes:
    """Read a picture's file; one that is gone or is another than was inverted is bad input, named by its `kind`."""
    data = _present(dataset, path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadInput(f"changed {kind}: {path} is not the file that was inverted; invert it again")
    return data


def read_source(dataset: Storage, original: Original) -> bytes:
    """Read the file of a content picture; another file than was inverted is bad input."""
    return read_inverted(dataset, original.image, original.source_sha256, "picture")


def read_labels(dataset: Storage, row: Row) -> dict[str, bytes]:
    """Read the labels of a content by path."""
    return {label["source"]: _present(dataset, label["source"]) for label in row["labels"]}


def fitting(path: str, data: bytes, original: Original, size: tuple[int, int] | None = None) -> bytes:
    """Return a label that fits the output; a label picture of another size than its picture is bad input.

    `size` is the (height, width) of an output that is not the source's.
    """
    if not is_image(path):
        return data
    try:
        width, height = images.probe(data)
        resized = resize_label(data, *size) if size else data
    except BadInput as error:
        raise BadInput(f"unreadable label: {path}: {error.reason}") from error
    if (width, height) != (original.width, original.height):
        found = f"{width}x{height}, the picture is {original.width}x{original.height}"
        raise BadInput(f"label size: {path} is {found}")
    return resized


def _present(dataset: Storage, path: str) -> bytes:
    try:
        return dataset.read(path)
    except NotFound as error:
        raise BadInput(f"missing file: {error.reason}") from error
