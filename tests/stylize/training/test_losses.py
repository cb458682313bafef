from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylize.models.discriminator import MultiScaleDiscriminator
from stylize.models.encoder import Codes
from stylize.training.config import PAPER, EncoderTraining
from stylize.training.losses import StepOutput, encoder_losses, latent_weight, masked_mean, total_loss


def output(generated: int = 0, batch: int = 4) -> StepOutput:
    rng = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    keep = torch.ones(batch, 1, 4, 4)
    keep[:, :, :2] = 0
    return StepOutput(
        target_BCHW=draw(batch, 3, 16, 16),
        output_BCHW=draw(batch, 3, 16, 16),
        keep_B1HW=keep,
        codes=Codes(draw(batch, 8, 8), (draw(batch, 8, 4, 4), draw(batch, 8, 4, 4))),
        generated=generated,
        known_BLD=draw(generated, 8, 8) if generated else None,
    )


def losses(training: EncoderTraining, step: StepOutput, images: int = 0) -> dict[str, Tensor]:
    return encoder_losses(training, step, images=images, perceptual=None, discriminator=None)


def test_masked_mean_is_the_mean_over_kept_pixels() -> None:
    values = torch.arange(2 * 3 * 8 * 8.0).view(2, 3, 8, 8)
    keep = torch.zeros(2, 1, 2, 2)
    keep[0, 0, 1, 0] = keep[1, 0, 0, 1] = 1
    expected = torch.cat([values[0, :, 4:, :4], values[1, :, :4, 4:]]).mean()
    assert masked_mean(values, keep).item() == pytest.approx(expected.item())


def test_masked_mean_of_nothing_is_zero() -> None:
    assert masked_mean(torch.ones(1, 3, 8, 8), torch.zeros(1, 1, 2, 2)) == 0


def test_pixel_losses_ignore_masked_pixels() -> None:
    training, step = EncoderTraining(), output()
    before = losses(training, step)
    step.output_BCHW[:, :, :8] += 100
    assert losses(training, step) == before
    step.output_BCHW[:, :, 8:] += 1
    assert losses(training, step)["l1"] > before["l1"]


def test_formulas() -> None:
    step = output(generated=2)
    found = losses(PAPER.with_(l1=1.0), step)
    difference = (step.output_BCHW - step.target_BCHW)[:, :, 8:]
    assert step.known_BLD is not None
    expected = {
        "l1": difference.abs().mean(),
        "mse": difference.square().mean(),
        "noise": (step.codes.noise[0].abs().mean() + step.codes.noise[1].abs().mean()) / 2,
        "latent": (step.codes.ws_BLD[2:] - step.known_BLD).square().mean(),
    }
    assert {k: v.item() for k, v in found.items()} == pytest.approx({k: v.item() for k, v in expected.items()})


def test_total_is_the_weighted_sum() -> None:
    found = losses(PAPER, output(generated=2), images=350_000)
    total = total_loss(PAPER, found, 350_000)
    assert set(found) == {"mse", "noise", "latent"}
    assert total.item() == pytest.approx((found["mse"] + 0.1 * found["noise"] + 0.05 * found["latent"]).item())


@pytest.mark.parametrize(
    ("images", "weight"), [(0, 0.1), (200_000, 0.1), (350_000, 0.05), (500_000, 0.0), (900_000, 0.0)]
)
def test_code_loss_fades_out(images: int, weight: float) -> None:
    assert latent_weight(PAPER, images) == pytest.approx(weight)
    assert ("latent" in losses(PAPER, output(generated=1), images)) == (weight > 0)


def test_a_weight_of_zero_leaves_the_loss_out() -> None:
    assert set(losses(EncoderTraining(l1=0), output())) == {"mse"}


def test_the_perceptual_loss_sees_masked_pixels_too() -> None:
    step = output()

    def distance(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
        return (a_BCHW - b_BCHW).abs().mean(dim=(1, 2, 3))

    found = encoder_losses(EncoderTraining(), step, images=0, perceptual=distance, discriminator=None)
    assert found["perceptual"].item() == pytest.approx((step.output_BCHW - step.target_BCHW).abs().mean().item())


def test_adversarial_losses_look_at_real_pictures_only() -> None:
    torch.manual_seed(0)
    discriminator = MultiScaleDiscriminator(width=4).eval()
    step = output(generated=2)

    def adversarial() -> tuple[float, float]:
        found = encoder_losses(PAPER, step, images=0, perceptual=None, discriminator=discriminator)
        return found["adversarial"].item(), found["feature_matching"].item()

    before = adversarial()
    step.output_BCHW[2:] += 5
    step.target_BCHW[2:] += 5
    assert adversarial() == before
    step.output_BCHW[:2] += 5
    assert adversarial() != before
