"""Files of a dataset that a mix was told of."""

from __future__ import annotations

from stylize.errors import BadInput, NotFound
from stylize.storage import Storage


def present(dataset: Storage, path: str) -> bytes:
    """Read a file of a dataset; that it is gone is bad input."""
    try:
        return dataset.read(path)
    except NotFound as error:
        raise BadInput(f"missing file: {error.reason}") from error
