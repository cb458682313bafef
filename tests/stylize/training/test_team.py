from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from stylize.errors import ConfigurationError, FatalError
from stylize.models.bundle import Bundle
from stylize.models.discriminator import MultiScaleDiscriminator
from stylize.models.generator import Generator
from stylize.training import trainer as module
from stylize.training.config import PAPER, EncoderTraining
from stylize.training.generator_config import GeneratorTraining
from stylize.training.generator_trainer import GeneratorTrainer
from stylize.training.pictures import TrainingPictures
from stylize.training.team import ALONE, Team
from stylize.training.trainer import EncoderTrainer
from tests.stylize.training.teams import in_step, teams


def close(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.allclose(mine[name], theirs[name], atol=1e-4) for name in mine if mine[name].is_floating_point())


def reconstruction(bundle: Bundle, images_BCHW: Tensor) -> Tensor:
    codes = bundle.invert(images_BCHW)
    return bundle.render(codes.ws_BLD, codes.noise)


def generator_trainer(pictures: TrainingPictures, training: GeneratorTraining, team: Team) -> GeneratorTrainer:
    torch.manual_seed(0)
    trainer = GeneratorTrainer(Generator(training.generator), pictures, training, team)
    trainer.augment.p = 0.5 if training.ada_target else 0.0
    return trainer


@pytest.mark.parametrize("size", [2, 4])
def test_a_team_takes_the_steps_of_one_in_generator_training(
    pictures: TrainingPictures, generator_training: GeneratorTraining, size: int
) -> None:
    training = generator_training.with_(
        batch=4 * size, path_length=2.0, ada_target=0.3, ada_images=100, betas=(0.5, 0.99), style_mixing=0.5
    )
    alone = generator_trainer(pictures, training, ALONE)
    members = [generator_trainer(pictures, training, team) for team in teams(size)]
    for _ in range(5):
        expected = alone.train_step()
        for figures in in_step([member.train_step for member in members]):
            assert figures == pytest.approx(expected, abs=1e-4), "figures are those of the whole batch"
    for member in members:
        assert close(member.average, alone.average)
        assert close(member.discriminator, alone.discriminator)
        assert member.augment.state_dict() == pytest.approx(alone.augment.state_dict())
        assert member.path_mean.item() == pytest.approx(alone.path_mean.item(), abs=1e-5)
    assert alone.augment.p != 0.5, "the probability has moved"


@pytest.mark.parametrize("preset", ["light", "paper"])
def test_a_team_takes_the_steps_of_one_in_encoder_training(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MultiScaleDiscriminator", partial(MultiScaleDiscriminator, width=4))
    light = training.with_(swap=0.75, lr=1e-3)
    paper = PAPER.with_(encoder=training.encoder, images=160, batch=4, perceptual=0, optimizer="adam")
    configured = light if preset == "light" else paper
    trainers = [
        EncoderTrainer(copy.deepcopy(bundle), pictures, configured, None, tune_generator=True, team=team)
        for team in (ALONE, *teams(2))
    ]
    for _ in range(4):
        expected, *others = (trainers[0].train_step(), *in_step([t.train_step for t in trainers[1:]]))
        for figures in others:
            assert figures == pytest.approx(expected, abs=1e-4)
    # Not each weight: Adam takes whole steps also along gradients that are nothing but rounding.
    shown = pictures.whole(range(4))
    expected_BCHW, *others_BCHW = (reconstruction(trainer.average, shown) for trainer in trainers)
    assert all(torch.allclose(other, expected_BCHW, atol=1e-3) for other in others_BCHW)


def test_workers_that_get_no_pictures_to_swap_step_along(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining
) -> None:
    configured = training.with_(swap=0.25)
    trainers = [
        EncoderTrainer(copy.deepcopy(bundle), pictures, configured, None, tune_generator=True, team=team)
        for team in (ALONE, *teams(2))
    ]
    expected, *others = (trainers[0].train_step(), *in_step([t.train_step for t in trainers[1:]]))
    assert all(figures == pytest.approx(expected, abs=1e-4) for figures in others)


def test_batches_that_do_not_divide_are_refused(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining, generator_training: GeneratorTraining
) -> None:
    first, *_ = teams(2)
    with pytest.raises(
        ConfigurationError, match=r"the batch size, 4, does not divide among 2 .* choose a multiple of 8"
    ):
        generator_trainer(pictures, generator_training, first)
    with pytest.raises(ConfigurationError, match=r"real pictures in a batch, 3, .* choose a multiple of 2"):
        EncoderTrainer(bundle, pictures, training.with_(batch=3), None, tune_generator=True, team=first)
    with pytest.raises(ConfigurationError, match="generated pictures in a batch, 1, "):
        EncoderTrainer(bundle, pictures, training.with_(batch=3, generated=0.4), None, tune_generator=True, team=first)


def test_alone_everything_stays_as_it_is() -> None:
    values = torch.ones(3)
    assert ALONE.mean(values) is values
    assert ALONE.mean_figures({"a": 0.1}) == {"a": 0.1}
    assert list(range(5))[ALONE.share] == [0, 1, 2, 3, 4]
    assert ALONE.leads
    assert ALONE.together(lambda: 7) == 7


def test_what_fails_for_the_one_that_leads_fails_for_all() -> None:
    def fail() -> int:
        raise FatalError("the disk is full")

    def member(team: Team) -> str:
        with pytest.raises(FatalError, match="the disk is full"):
            team.together(fail)
        return "told"

    assert in_step([partial(member, team) for team in teams(2)]) == ["told", "told"]
