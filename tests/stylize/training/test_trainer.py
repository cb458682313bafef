from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from stylize.models.bundle import Bundle
from stylize.models.discriminator import MultiScaleDiscriminator
from stylize.models.generator import GeneratorConfig
from stylize.training import trainer as module
from stylize.training.config import PAPER, EncoderTraining
from stylize.training.optim import cosine
from stylize.training.pictures import TrainingPictures, step_rng
from stylize.training.trainer import EncoderTrainer, draw_classes


@pytest.fixture(autouse=True)
def narrow_discriminator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MultiScaleDiscriminator", partial(MultiScaleDiscriminator, width=4))


def make(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining, *, tune: bool = False
) -> EncoderTrainer:
    return EncoderTrainer(bundle, pictures, training, None, tune_generator=tune)


def paper(training: EncoderTraining, **changes: object) -> EncoderTraining:
    """The paper's losses on a tiny encoder, with pixels and no LPIPS trunk."""
    encoder = replace(training.encoder, block="bottleneck", widths=(16, 16, 16, 16), normalize_noise=False)
    return PAPER.with_(encoder=encoder, images=160, batch=4, perceptual=0, **changes)


def weights(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(before: dict[str, Tensor], module: torch.nn.Module) -> set[str]:
    return {name for name, tensor in module.state_dict().items() if not torch.equal(before[name], tensor)}


@pytest.mark.parametrize("tune", [False, True])
def test_synthesis_is_trained_only_on_request(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining, tune: bool
) -> None:
    before = weights(bundle)
    trainer = make(bundle, pictures, training, tune=tune)
    for _ in range(3):
        trainer.train_step()
    moved = changed(before, bundle)
    assert any(name.startswith("encoder.noise") for name in moved)
    assert any(name.startswith("encoder.style") for name in moved)
    assert any(name.startswith("generator.synthesis") for name in moved) == tune
    assert not any(name.startswith("generator.mapping") for name in moved)
    averaged = changed(before, trainer.average)
    assert any(name.startswith("generator") for name in averaged) == tune


def test_training_reconstructs_better_and_better(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining
) -> None:
    trainer = make(bundle, pictures, training.with_(relight=False, swap=0, crop=1.0, lr=3e-3), tune=True)
    values = [trainer.train_step()["l1"] for _ in range(40)]
    assert sum(values[-10:]) < 0.7 * sum(values[:10])


def test_a_step_of_the_paper(bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining) -> None:
    configured = paper(training)
    trainer = make(Bundle.create(bundle.generator.config, configured.encoder), pictures, configured)
    figures = [trainer.train_step() for _ in range(17)]
    always = {"mse", "noise", "latent", "adversarial", "feature_matching", "discriminator", "total"}
    assert [set(f) - always for f in figures] == [{"r1"}] + [set()] * 15 + [{"r1"}], "R1 comes every 16 steps"
    assert all(always <= set(f) for f in figures)
    assert all(torch.tensor(list(f.values())).isfinite().all() for f in figures)
    assert trainer.lr == pytest.approx(cosine(64 / 160, 1e-4, 1e-5))


def test_the_encoder_step_leaves_no_gradient_in_the_discriminator(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining
) -> None:
    trainer = make(bundle, pictures, training.with_(adversarial=0.1, r1=0))
    assert trainer.discriminator is not None
    before = {n: p.clone() for n, p in trainer.discriminator.named_parameters()}
    trainer.training = training.with_(adversarial=0.1, r1=0, lr=0.0, lr_end=0.0)
    trainer.train_step()
    assert all(torch.equal(p, before[n]) for n, p in trainer.discriminator.named_parameters())


def test_half_of_a_batch_is_generated_with_known_codes(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining
) -> None:
    trainer = make(bundle, pictures, training.with_(generated=0.5, mask_ratio=0))
    output = trainer._forward(step_rng(0, 0, "step"))
    assert output.generated == 2
    assert output.known_BLD is not None
    made = bundle.generator.synthesis(output.known_BLD).clamp(-1, 1)
    assert torch.allclose(output.target_BCHW[2:], made, atol=1e-5)
    assert torch.equal(output.keep_B1HW, torch.ones(4, 1, 4, 4))


def test_a_class_conditional_generator_is_asked_with_classes(
    generator_config: GeneratorConfig, pictures: TrainingPictures, training: EncoderTraining
) -> None:
    bundle = Bundle.create(replace(generator_config, c_dim=3), training.encoder)
    figures = make(bundle, pictures, training.with_(generated=0.5, latent=0.1)).train_step()
    assert figures["latent"] > 0


def test_classes_are_one_hot() -> None:
    drawn = draw_classes(50, 3, step_rng(0, 0, "test"))
    assert drawn is not None
    assert drawn.sum(dim=1).tolist() == [1] * 50
    assert drawn.sum(dim=0).min() > 5
    assert draw_classes(50, 0, step_rng(0, 0, "test")) is None


def test_swap_targets_share_the_light_with_the_style_view(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    def light(images_BCHW: Tensor, rng: torch.Generator, share: slice, count: int) -> Tensor:
        return torch.rand(len(images_BCHW), 1, 1, 1, generator=rng).expand_as(images_BCHW)

    monkeypatch.setattr(module, "relight", light)
    content, target, style, swapped = make(bundle, pictures, training)._views(4, step_rng(0, 0, "step"))
    assert swapped == 2
    assert style.shape[0] == 2
    assert torch.equal(target[:2], style), "one light"
    assert not torch.equal(target[:2], content[:2]), "another than the content's"
    assert torch.equal(target[2:], content[2:])


def test_swapped_pictures_take_their_codes_from_the_style_view(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining
) -> None:
    trainer = make(bundle, pictures, training.with_(mask_ratio=0))
    content, target, style, _ = trainer._views(4, step_rng(0, 0, "step"))
    output = trainer._forward(step_rng(0, 0, "step"))
    of_content, of_style = bundle.encoder(content), bundle.encoder(style)
    ws_BLD = torch.cat([of_style.ws_BLD, of_content.ws_BLD[2:]])
    assert torch.allclose(output.output_BCHW, bundle.generator.synthesis(ws_BLD, of_content.noise), atol=1e-5)
    assert torch.equal(output.target_BCHW, target)


def test_without_relighting_and_swaps_the_target_is_the_picture(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining
) -> None:
    content, target, style, swapped = make(bundle, pictures, training.with_(relight=False, swap=0))._views(
        4, step_rng(0, 0, "step")
    )
    assert torch.equal(content, target)
    assert (len(style), swapped) == (0, 0)


@pytest.mark.parametrize("preset", ["light", "paper"])
def test_a_loaded_state_repeats_the_trajectory(
    bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining, preset: str
) -> None:
    configured = training if preset == "light" else paper(training)

    def fresh() -> EncoderTrainer:
        return make(Bundle.create(bundle.generator.config, configured.encoder), pictures, configured, tune=True)

    trainer = fresh()
    for _ in range(8):
        trainer.train_step()
    state = copy.deepcopy(trainer.state_dict())
    resumed = fresh()
    resumed.load_state_dict(state)
    torch.manual_seed(99)  # steps must not look at the global generator
    assert [resumed.train_step() for _ in range(8)] == [trainer.train_step() for _ in range(8)]
    assert changed(weights(trainer.average), resumed.average) == set()


def test_the_seed_decides(bundle: Bundle, pictures: TrainingPictures, training: EncoderTraining) -> None:
    def first(seed: int) -> dict[str, float]:
        fresh = Bundle.create(bundle.generator.config, training.encoder)
        return make(fresh, pictures, training.with_(seed=seed)).train_step()

    assert first(1) == first(1)
    assert first(1) != first(2)
