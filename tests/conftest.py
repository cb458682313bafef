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


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of an untrained bundle of 24x32 pictures."""
    from stylize.models.bundle import Bundle
    from stylize.models.encoder import EncoderConfig
    from stylize.models.generator import GeneratorConfig

    generator = GeneratorConfig(const_size=(3, 4), channels=(8, 8, 8, 8), z_dim=8, w_dim=8)
    encoder = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    path.write_bytes(Bundle.create(generator, encoder, seed=1).to_bytes())
    return str(path)
