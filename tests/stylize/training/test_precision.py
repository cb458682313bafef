from __future__ import annotations

import pytest
import torch

from stylize.errors import ConfigurationError
from stylize.models.generator import Generator
from stylize.training import precision as module
from stylize.training.generator_config import GeneratorTraining
from stylize.training.generator_trainer import GeneratorTrainer
from stylize.training.pictures import TrainingPictures
from stylize.training.precision import PRECISIONS, Precision, check_precision


def test_full_precision_is_off() -> None:
    precision = Precision("fp32", torch.device("cpu"))
    with precision.autocast():
        assert not torch.is_autocast_enabled("cpu")
    assert not precision.scaler().is_enabled()


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_half_precision_is_for_gpus(name: str, generator_training: GeneratorTraining) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is for GPUs"):
        check_precision(name, torch.device("cpu"))
    check_precision(name, torch.device("cuda"))


def test_words_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="'fp8' is not one of fp32, bf16, fp16"):
        check_precision("fp8", torch.device("cuda"))
    with pytest.raises(ConfigurationError, match="'fp8' is not one of"):
        GeneratorTraining(precision="fp8")


@pytest.mark.parametrize("name", PRECISIONS)
def test_every_precision_takes_finite_steps_with_all_penalties(
    name: str, pictures: TrainingPictures, generator_training: GeneratorTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "check_precision", lambda name, device: None)  # CPUs can, slowly
    seen: set[torch.dtype] = set()
    torch.manual_seed(0)
    training = generator_training.with_(precision=name, path_length=2.0, r1_every=2, ada_target=0.6)
    trainer = GeneratorTrainer(Generator(training.generator), pictures, training)
    trainer.augment.p = 0.5
    trainer.discriminator.conv.register_forward_hook(lambda module, args, out: seen.add(out.dtype))
    before = [p.clone() for p in trainer.generator.parameters()]
    figures = [trainer.train_step() for _ in range(4)]
    half = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]
    assert seen == {torch.float32, half}, "penalties take 32 bits"
    assert all(torch.tensor(list(f.values())).isfinite().all() for f in figures)
    assert not all(torch.equal(a, b) for a, b in zip(before, trainer.generator.parameters(), strict=True))
    assert {p.dtype for p in trainer.average.parameters()} == {torch.float32}
    resumed = GeneratorTrainer(Generator(training.generator), pictures, training)
    resumed.load_state_dict(trainer.state_dict())
    assert resumed.scaler.state_dict() == trainer.scaler.state_dict()
