"""Fixtures for the tests of the stages: a tiny model and a tiny dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylize.models.bundle import Bundle
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import GeneratorConfig
from tests.pipelines.helpers import write_dataset

GENERATOR = GeneratorConfig(const_size=(3, 4), channels=(8, 8, 8, 8), z_dim=8, w_dim=8)
ENCODER = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of an untrained bundle of 24x32 pictures."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    path.write_bytes(Bundle.create(GENERATOR, ENCODER, seed=1).to_bytes())
    return str(path)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Ten labelled pictures."""
    return write_dataset(tmp_path / "data", [f"0001TP_{number:03d}" for number in range(10)])
