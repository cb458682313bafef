from __future__ import annotations

import copy

import pytest
import torch

from stylize.models.generator import Generator
from stylize.training.generator import sample_grid
from stylize.training.generator_config import GeneratorTraining
from stylize.training.generator_trainer import GeneratorTrainer
from stylize.training.pictures import TrainingPictures, step_rng


def make(pictures: TrainingPictures, training: GeneratorTraining) -> GeneratorTrainer:
    torch.manual_seed(0)
    return GeneratorTrainer(Generator(training.generator), pictures, training)


def test_penalties_come_lazily(pictures: TrainingPictures, generator_training: GeneratorTraining) -> None:
    trainer = make(pictures, generator_training.with_(path_length=2.0, path_every=4, r1_every=8))
    figures = [trainer.train_step() for _ in range(9)]
    assert ["r1" in f for f in figures] == [True, *[False] * 7, True]
    assert ["path_length" in f for f in figures] == [n % 4 == 0 for n in range(9)]
    assert all(torch.tensor(list(f.values())).isfinite().all() for f in figures)
    assert trainer.path_mean > 0


def test_the_path_penalty_is_off_by_default(pictures: TrainingPictures, generator_training: GeneratorTraining) -> None:
    assert set(make(pictures, generator_training).train_step()) == {"generator", "discriminator", "real_logit", "r1"}


def test_a_loaded_state_repeats_the_trajectory(
    pictures: TrainingPictures, generator_training: GeneratorTraining
) -> None:
    configured = generator_training.with_(path_length=2.0, ada_target=0.1, ada_images=40)
    trainer, resumed = make(pictures, configured), make(pictures, configured)
    trainer.augment.p = 0.4
    for _ in range(3):
        trainer.train_step()
    resumed.load_state_dict(copy.deepcopy(trainer.state_dict()))
    torch.manual_seed(99)  # steps must not look at the global generator
    assert [resumed.train_step() for _ in range(3)] == [trainer.train_step() for _ in range(3)]
    assert resumed.augment.p == trainer.augment.p != 0.4
    for name, tensor in trainer.average.state_dict().items():
        assert torch.equal(resumed.average.state_dict()[name], tensor), name


def test_the_average_of_w_is_followed(pictures: TrainingPictures, generator_training: GeneratorTraining) -> None:
    trainer = make(pictures, generator_training)
    for _ in range(3):
        trainer.train_step()
    w_avg = trainer.generator.mapping.w_avg
    assert w_avg.abs().sum() > 0
    assert torch.equal(trainer.average.mapping.w_avg, w_avg)


def test_the_average_keeps_its_constant_noise(
    pictures: TrainingPictures, generator_training: GeneratorTraining
) -> None:
    trainer = make(pictures, generator_training)
    noise = [b.clone() for n, b in trainer.average.named_buffers() if n.endswith("noise_const")]
    trainer.train_step()
    now = [b for n, b in trainer.average.named_buffers() if n.endswith("noise_const")]
    trained = [b for n, b in trainer.generator.named_buffers() if n.endswith("noise_const")]
    assert all(map(torch.equal, noise, now))
    assert not any(map(torch.equal, noise, trained)), "training draws new noise"


@pytest.mark.parametrize(("share", "mixed"), [(0.0, 0), (1.0, 64)])
def test_style_mixing_takes_two_latents(
    pictures: TrainingPictures, generator_training: GeneratorTraining, share: float, mixed: int
) -> None:
    trainer = make(pictures, generator_training.with_(style_mixing=share))
    ws_BLD = trainer._codes(64, step_rng(0, 0, "test"))
    assert ws_BLD.shape == (64, 8, 8)
    same = (ws_BLD == ws_BLD[:, :1]).all(dim=2)
    assert (~same.all(dim=1)).sum() == mixed
    switches = (ws_BLD[:, 1:] != ws_BLD[:, :-1]).any(dim=2).sum(dim=1)
    assert switches.tolist() == [1 if mixed else 0] * 64


def test_the_discriminator_learns_to_tell_pictures(
    pictures: TrainingPictures, generator_training: GeneratorTraining
) -> None:
    trainer = make(pictures, generator_training.with_(r1=0.0, lr=2e-2))
    trainer.optimizer.param_groups[0]["lr"] = 0.0
    losses = [trainer.train_step()["discriminator"] for _ in range(20)]
    assert losses[-1] < 0.7 * losses[0]


def test_checkpoints_from_before_augmentation_are_taken(
    pictures: TrainingPictures, generator_training: GeneratorTraining
) -> None:
    trainer, resumed = make(pictures, generator_training), make(pictures, generator_training)
    trainer.train_step()
    state = copy.deepcopy(trainer.state_dict())
    del state["augmentation"], state["scalers"]
    resumed.load_state_dict(state)
    assert resumed.train_step() == trainer.train_step()


def test_augmentation_at_probability_0_changes_nothing(
    pictures: TrainingPictures, generator_training: GeneratorTraining
) -> None:
    off = make(pictures, generator_training)
    on = make(pictures, generator_training.with_(ada_target=0.9, ada_images=10**9))
    for _ in range(2):
        with_it, without = on.train_step(), off.train_step()
        assert {name: with_it[name] for name in without} == without
        assert with_it.keys() - without.keys() == {"real_sign", "augmentation"}


def test_the_discriminator_sees_nothing_unchanged_and_nothing_else_is_changed(
    pictures: TrainingPictures, generator_training: GeneratorTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make(pictures, generator_training.with_(ada_target=0.6, path_length=2.0))
    trainer.augment.p = 0.5
    seen: list[torch.Tensor] = []
    trainer.discriminator.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
    monkeypatch.setattr(type(trainer.augment), "__call__", lambda self, images, *more: images * 0 + 7)
    before = sample_grid(trainer.average, 0)
    trainer.optimizer.param_groups[0]["lr"] = 0.0
    noise = [b.clone() for b in trainer.average.buffers()]
    trainer.train_step()
    assert len(seen) == 3, "made for the generator, made and real for the discriminator"
    assert all((images == 7).all() for images in seen)
    trainer.average.mapping.w_avg.copy_(noise[0])
    assert (sample_grid(trainer.average, 0) == before).all(), "samples are drawn as they are"
