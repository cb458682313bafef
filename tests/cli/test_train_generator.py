"""`stylize train-generator`: its options become the settings of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import options
from cli.main import group
from pipelines import training
from stylize.training.generator import GeneratorSummary
from stylize.training.generator_config import LIGHT, PAPER
from stylize.training.precision import PRECISIONS


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments of the function behind the command, which trains nothing here."""
    arguments: dict[str, Any] = {}

    def remember(dataset: str, out: str, **more: Any) -> GeneratorSummary:
        arguments.update(more)
        return GeneratorSummary(
            generator="run/generator.safetensors", images=8, unreadable=(), distance=12.345, features="Lite0"
        )

    monkeypatch.setattr(training, "train_generator", remember)
    return arguments


def run(*given: str) -> str:
    result = CliRunner().invoke(group, ["train-generator", "data", "run", *given])
    assert result.exit_code == (2 if "Error" in result.output else 0), result.output
    return result.output


def test_no_option_means_the_preset(called: dict[str, Any]) -> None:
    told = run()
    assert called["training"] == LIGHT
    assert (called["engine"], called["workers"]) == ("auto", None)
    assert "trained on 8 images, Frechet distance 12.3 (Lite0)" in told
    assert "next: stylize train-encoder DATASET OUT --generator run/generator.safetensors" in told


def test_every_setting_can_be_given(called: dict[str, Any]) -> None:
    run(
        *("--preset", "paper", "--size", "96x128", "--images", "9", "--batch-size", "8", "--lr", "0.001"),
        *("--r1", "2", "--path-length", "0", "--style-mixing", "0.5", "--ema-images", "77", "--seed", "3"),
        *("--ada-target", "0", "--ada-images", "5", "--precision", "bf16", "--frechet-pictures", "0"),
        *("--workers", "2", "--gpus-per-worker", "0.5", "--picture-cache", "kept"),
    )
    made = called["training"]
    assert made.generator.image_size == (96, 128)
    changes = {"images": 9, "batch": 8, "lr": 0.001, "r1": 2.0, "path_length": 0.0, "style_mixing": 0.5, "seed": 3}
    changes |= {"ema_images": 77, "ada_target": 0.0, "ada_images": 5, "precision": "bf16", "frechet_pictures": 0}
    assert made == PAPER.with_(generator=made.generator, **changes)
    assert (called["workers"], called["gpus_per_worker"], called["picture_cache"]) == (2, 0.5, Path("kept"))


def test_a_generator_that_is_there_keeps_its_size(called: dict[str, Any]) -> None:
    assert "--size does not go with --init" in run("--init", "gen.safetensors", "--size", "96x128")
    assert not called


def test_words_are_those_of_the_library() -> None:
    assert options.TRAINING_PRECISIONS == PRECISIONS
