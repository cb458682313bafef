"""A patch discriminator at three scales for the adversarial and feature-matching losses (arXiv 1711.11585, 3.2)."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Strided 4x4 convolutions with spectral and instance norm; one logit per patch."""

    def __init__(self, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        widths = [3] + [min(width << i, 512) for i in range(layers + 1)]
        stages: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            stride = 2 if index < layers else 1
            parts: list[nn.Module] = [spectral_norm(nn.Conv2d(inputs, outputs, 4, stride, 2))]
            if index:
                parts.append(nn.InstanceNorm2d(outputs))
            stages.append(nn.Sequential(*parts, nn.LeakyReLU(0.2)))
        self.stages = nn.ModuleList(stages)
        self.logits = spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 2))

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Return the activations of every stage, then the logits."""
        outputs = []
        for stage in self.stages:
            x_BCHW = stage(x_BCHW)
            outputs.append(x_BCHW)
        return [*outputs, self.logits(x_BCHW)]


class MultiScaleDiscriminator(nn.Module):
    """The same discriminator on the picture, its half and its quarter, with weights of their own."""

    def __init__(self, scales: int = 3, width: int = 64) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(width) for _ in range(scales))

    def forward(self, images_BCHW: Tensor) -> list[list[Tensor]]:
        """Return, per scale, activations and logits of pictures `[B, 3, H, W]` in [-1, 1]."""
        outputs = []
        for index, discriminator in enumerate(self.scales):
            if index:
                images_BCHW = F.avg_pool2d(images_BCHW, 3, 2, 1, count_include_pad=False)
            outputs.append(discriminator(images_BCHW))
        return outputs


def hinge_discriminator(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Return the discriminator's hinge loss, averaged over scales."""
    terms = [F.relu(1 - r[-1]).mean() + F.relu(1 + f[-1]).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def hinge_generator(fake: list[list[Tensor]]) -> Tensor:
    """Return the generator's hinge loss, averaged over scales."""
    return torch.stack([-f[-1].mean() for f in fake]).mean()


def feature_matching(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Return the mean absolute distance of all activations but the logits."""
    pairs = [(r, f) for rs, fs in zip(real, fake, strict=True) for r, f in zip(rs[:-1], fs[:-1], strict=True)]
    return torch.stack([F.l1_loss(f, r.detach()) for r, f in pairs]).mean()


def r1_penalty(discriminator: MultiScaleDiscriminator, real_BCHW: Tensor) -> Tensor:
    """Return half the squared gradient of the logits at real pictures (arXiv 1801.04406)."""
    real_BCHW = real_BCHW.detach().requires_grad_(True)
    logits = torch.stack([out[-1].mean(dim=(1, 2, 3)) for out in discriminator(real_BCHW)]).sum()
    (gradient,) = torch.autograd.grad(logits, real_BCHW, create_graph=True)
    return 0.5 * gradient.square().sum(dim=(1, 2, 3)).mean()
