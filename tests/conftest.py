"""What every test shares: one thread per process, no colours, and the real frames beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two test processes with full thread pools run slower than two with one thread; set before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NO_COLOR"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real frames beside the repository (`../shared/data`); the test is skipped without it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real frames of ../shared/data are not here")
    return folder
