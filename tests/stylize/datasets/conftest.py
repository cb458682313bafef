"""Tiny datasets, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stylize.storage import Storage

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write empty files of these names below a fresh folder, and return it."""

    def write(*names: str, root: str = "dataset") -> Path:
        storage = Storage(tmp_path / root)
        for name in names:
            storage.write(name, b"")
        return tmp_path / root

    return write
