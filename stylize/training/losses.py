"""The losses of one training step of the encoder (arXiv 2307.00648, section 3.2 and reference configuration)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.models.discriminator import MultiScaleDiscriminator, feature_matching, hinge_generator
from stylize.models.encoder import Codes
from stylize.training.config import EncoderTraining


@dataclass(frozen=True, kw_only=True)
class StepOutput:
    """What the losses look at: pictures `[B, 3, H, W]`, the codes behind them, `keep` `[B, 1, h, w]`.

    The last `generated` pictures come from the generator; `known` are their true codes `[generated, L, D]`. `kept` is
    how much more is kept here than in the average process of a team, whose losses are averaged in the end.
    """

    target_BCHW: Tensor
    output_BCHW: Tensor
    keep_B1HW: Tensor
    codes: Codes
    generated: int
    known_BLD: Tensor | None
    kept: float = 1.0


def masked_mean(values_BCHW: Tensor, keep_B1HW: Tensor) -> Tensor:
    """Average over the pixels whose noise was kept."""
    keep = F.interpolate(keep_B1HW, size=values_BCHW.shape[2:], mode="nearest")
    return (values_BCHW * keep).sum() / (keep.sum() * values_BCHW.shape[1]).clamp(min=1)


def latent_weight(training: EncoderTraining, images: int) -> float:
    """Return the weight of the code loss after so many images: constant, then fading to zero."""
    start, end = training.latent_fade
    return training.latent * min(max((end - images) / max(end - start, 1), 0.0), 1.0)


def encoder_losses(
    training: EncoderTraining,
    step: StepOutput,
    *,
    images: int,
    perceptual: Callable[[Tensor, Tensor], Tensor] | None,
    discriminator: MultiScaleDiscriminator | None,
) -> dict[str, Tensor]:
    """Return every loss that the configuration weighs, unweighted, by name."""
    difference = step.output_BCHW - step.target_BCHW
    losses: dict[str, Tensor] = {}
    if training.l1:
        losses["l1"] = masked_mean(difference.abs(), step.keep_B1HW) * step.kept
    if training.mse:
        losses["mse"] = masked_mean(difference.square(), step.keep_B1HW) * step.kept
    if perceptual is not None:
        losses["perceptual"] = perceptual(step.output_BCHW, step.target_BCHW).mean()
    if training.noise:
        losses["noise"] = torch.stack([n.abs().mean() for n in step.codes.noise]).mean()
    if step.known_BLD is not None and latent_weight(training, images):
        losses["latent"] = F.mse_loss(step.codes.ws_BLD[-step.generated :], step.known_BLD)
    if discriminator is not None:
        real = len(step.target_BCHW) - step.generated
        fake = discriminator(step.output_BCHW[:real])
        losses["adversarial"] = hinge_generator(fake)
        if training.feature_matching:
            with torch.no_grad():
                truth = discriminator(step.target_BCHW[:real])
            losses["feature_matching"] = feature_matching(truth, fake)
    return losses


def total_loss(training: EncoderTraining, losses: dict[str, Tensor], images: int) -> Tensor:
    """Return the weighted sum."""
    weights = {name: getattr(training, name) for name in losses} | {"latent": latent_weight(training, images)}
    return torch.stack([weights[name] * value for name, value in losses.items()]).sum()
