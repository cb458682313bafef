"""`stylize train-encoder`: its options become the settings of the training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from cli import train_encoder
from cli.main import group
from pipelines import training
from stylize.training.config import LIGHT
from stylize.training.encoder import TrainingSummary
from stylize.training.masking import REPLACEMENTS


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments of the function behind the command, which trains nothing here."""
    arguments: dict[str, Any] = {}

    def remember(dataset: str, out: str, **more: Any) -> TrainingSummary:
        arguments.update(more)
        return TrainingSummary(bundle="run/bundle.safetensors", images=8, heldout_psnr=None, unreadable=())

    monkeypatch.setattr(training, "train_encoder", remember)
    return arguments


def run(*options: str) -> str:
    result = CliRunner().invoke(group, ["train-encoder", "data", "run", *options])
    assert result.exit_code == (2 if "Error" in result.output else 0), result.output
    return result.output


def test_no_option_means_the_preset(called: dict[str, Any]) -> None:
    run("--new-generator", "96x128")
    assert called["training"] == LIGHT
    assert called["new_generator"].noise_downscale == 4


def test_the_mask_is_set(called: dict[str, Any]) -> None:
    run("--new-generator", "96x128", "--mask-ratio", "0", "--mask-patch", "2", "--mask-replacement", "zeros")
    assert called["training"] == LIGHT.with_(mask_ratio=0.0, mask_patch=2, mask_replacement="zeros")


@pytest.mark.parametrize("scale", [2, 8])
def test_encoder_and_new_generator_get_the_same_scale(called: dict[str, Any], scale: int) -> None:
    run("--new-generator", "96x128", "--noise-downscale", str(scale))
    assert called["training"].encoder.noise_downscale == called["new_generator"].noise_downscale == scale


def test_an_encoder_that_is_there_keeps_its_scale(called: dict[str, Any]) -> None:
    assert "--noise-downscale is for a new encoder" in run("--init", "camvid", "--noise-downscale", "8")
    assert not called


def test_words_are_those_of_the_library() -> None:
    assert train_encoder.REPLACEMENTS == REPLACEMENTS
    made = [replace(LIGHT.encoder, noise_downscale=int(scale)) for scale in train_encoder.NOISE_SCALES]
    assert [config.noise_downscale for config in made] == [2, 4, 8]
