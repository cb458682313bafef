"""Every stage after a generator works with any kind of it: the decoder of this package, and a toy made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.evaluate_reconstruction import evaluate_reconstruction
from pipelines.evaluate_stylization import evaluate_stylization
from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.report import report
from pipelines.training import train_encoder
from pipelines.verify import verify
from stylize.errors import ConfigurationError
from stylize.models import kinds
from stylize.models.encoder import EncoderConfig
from stylize.models.kinds import GeneratorKind, new_config, register_generator
from stylize.training.config import EncoderTraining

ENCODER = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)
SHAPE = (3, 6, 8)


@dataclass(frozen=True)
class ToyConfig:
    """Nothing but a size."""

    size: tuple[int, int] = (24, 32)


class Toy(nn.Module):
    """Two noise maps, enlarged and added, times a gain and plus an offset that the only code gives."""

    num_ws, w_dim, noise_shapes = 1, 6, (SHAPE, SHAPE)

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.colours = nn.Conv2d(3, 3, 1)

    def synthesis(self, ws_BLD: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        first, second = noise or [ws_BLD.new_zeros(len(ws_BLD), *SHAPE)] * 2
        pictures = F.interpolate(self.colours(first + second), scale_factor=4, mode="bilinear")
        gain, offset = ws_BLD[:, 0, :, None, None].chunk(2, dim=1)
        return pictures * gain.exp() + offset


@pytest.fixture(autouse=True)
def toy_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_KINDS", dict(kinds._KINDS))
    register_generator("toy", GeneratorKind(config=ToyConfig, make=Toy, for_size=lambda size, *_: ToyConfig(size=size)))


@pytest.mark.parametrize("kind", ["decoder", "toy"])
def test_every_stage_works_with_any_generator(kind: str, tmp_path: Path, dataset: Path) -> None:
    training = EncoderTraining(encoder=ENCODER, images=8, batch=4, perceptual=0)
    trained = train_encoder(
        str(dataset),
        str(tmp_path / "run"),
        training=training,
        new_generator=new_config(kind, (24, 32)),
        tune_generator=True,
        device="cpu",
    )
    inverted = invert(dataset, tmp_path / "cache", model=trained.bundle, device="cpu")
    assert (inverted.rows, inverted.failed) == (10, 0)
    mixed = mix(tmp_path / "cache", tmp_path / "out", device="cpu", layers="0")
    assert mixed.rows == 10
    small = mix(tmp_path / "cache", tmp_path / "small", device="cpu", size="model", limit=2)
    assert small.rows == 2
    assert verify(str(tmp_path / "out")).ok
    for run in ("cache", "out"):
        report(str(tmp_path / run))
        assert (tmp_path / run / "report.html").stat().st_size > 1000
    assert evaluate_reconstruction(str(tmp_path / "cache")).pictures == 10
    assert evaluate_stylization(str(tmp_path / "out")).pictures == 10


def test_a_generator_without_latents_makes_no_training_pictures(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(ConfigurationError, match="no latent to draw pictures from"):
        train_encoder(
            str(dataset),
            str(tmp_path / "run"),
            training=EncoderTraining(encoder=ENCODER, images=8, batch=4, perceptual=0, generated=0.5),
            new_generator=new_config("decoder", (24, 32)),
            tune_generator=True,
            device="cpu",
        )
