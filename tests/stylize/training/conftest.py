"""Tiny nets and pictures that train in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from stylize.images import encode
from stylize.models.bundle import Bundle
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import GeneratorConfig
from stylize.training.config import EncoderTraining
from stylize.training.generator_config import GeneratorTraining
from stylize.training.pictures import TrainingPictures

GENERATOR = GeneratorConfig(const_size=(2, 2), channels=(8, 8, 8, 8), z_dim=8, w_dim=8)
ENCODER = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)


@pytest.fixture
def generator_config() -> GeneratorConfig:
    """A generator of 16x16 pictures, noise maps [8, 4, 4]."""
    return GENERATOR


@pytest.fixture
def bundle() -> Bundle:
    """An untrained bundle for 16x16 pictures."""
    return Bundle.create(GENERATOR, ENCODER, seed=3)


@pytest.fixture
def training() -> EncoderTraining:
    """The light configuration with a tiny encoder and without perceptual loss: 160 images in steps of 4."""
    return EncoderTraining(encoder=ENCODER, images=160, batch=4, perceptual=0)


@pytest.fixture
def generator_training() -> GeneratorTraining:
    """160 images in steps of 4."""
    return GeneratorTraining(generator=GENERATOR, images=160, batch=4, ema_images=50)


@pytest.fixture
def pictures() -> TrainingPictures:
    """Nine smooth random pictures for 16x16 nets."""
    rng = torch.Generator().manual_seed(1)
    coarse = torch.rand(9, 3, 5, 5, generator=rng) * 255
    fine = torch.nn.functional.interpolate(coarse, size=(20, 20), mode="bilinear", align_corners=False)
    return TrainingPictures(fine.to(torch.uint8), 16, 16)


@pytest.fixture
def write_pictures() -> Callable[..., Path]:
    """A function that writes `count` smooth pictures into a folder."""

    def write(folder: Path, count: int = 8, size: tuple[int, int] = (24, 32)) -> Path:
        folder.mkdir(parents=True)
        for index in range(count):
            y, x = np.mgrid[0 : size[0], 0 : size[1]]
            rgb = np.stack([x * 5 + index * 20, y * 7 + index * 9, (x + y) * 3], axis=2) % 256
            (folder / f"frame{index:03d}.png").write_bytes(encode(rgb.astype(np.uint8), "png"))
        return folder

    return write
