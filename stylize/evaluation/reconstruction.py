"""How close pictures come back from their codes and noise maps: rendered again in batches and measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stylize.codec import Floats
from stylize.evaluation.features import Backbone, Inception, pooled
from stylize.evaluation.frechet import Gaussian, frechet_distance
from stylize.evaluation.tables import Distribution
from stylize.metrics import psnr, ssim
from stylize.models.bundle import Bundle
from stylize.models.perceptual import LpipsDistance, feature_distances
from stylize.render import render_clipped

STEPS = {"mse": 1e-5, "psnr": 0.01, "ssim": 1e-4, "lpips_vgg": 1e-4, "efficientnet_distance": 1e-4}


@dataclass(frozen=True, kw_only=True)
class Cached:
    """A picture at the size of the model, [3, H, W] in [-1, 1], with its codes and noise maps."""

    picture_CHW: Floats
    codes_LD: Floats
    noise: tuple[Floats, Floats]


class ReconstructionJudge:
    """Renders batches and measures them; keeps the distributions by measure and the Gaussians of both sets."""

    def __init__(
        self, bundle: Bundle, *, backbone: Backbone | None, lpips: LpipsDistance | None, inception: Inception | None
    ) -> None:
        self._bundle, self._backbone, self._lpips, self._inception = bundle, backbone, lpips, inception
        names = ["mse", "psnr", "ssim"]
        if lpips is not None:
            names.append("lpips_vgg")
        elif backbone is not None:
            names.append("efficientnet_distance")
        self.measures = {name: Distribution(STEPS[name]) for name in names}
        self._sets: dict[str, tuple[Gaussian, Gaussian]] = {}

    def __call__(self, batch: Sequence[Cached]) -> Mapping[str, Sequence[float]]:
        """Return the values of each measure, one per picture."""
        pictures = _stack([one.picture_CHW for one in batch]).to(self._bundle.device)
        noise = [_stack([one.noise[index] for one in batch]) for index in range(2)]
        again = render_clipped(self._bundle, _stack([one.codes_LD for one in batch]), noise)
        values = {
            "mse": (again.double() - pictures.double()).square().flatten(1).mean(1),
            "psnr": psnr(again, pictures),
            "ssim": ssim(again, pictures),
            **self._perceived(again, pictures),
        }
        found = {name: [float(value) for value in values_B] for name, values_B in values.items()}
        for name, numbers in found.items():
            for number in numbers:
                self.measures[name].add(number)
        return found

    def frechet(self) -> dict[str, float]:
        """Return the Frechet distances by the name of their features."""
        return {name: frechet_distance(*sets) for name, sets in self._sets.items()}

    @torch.inference_mode()
    def _perceived(self, again: Tensor, pictures: Tensor) -> Mapping[str, Tensor]:
        if self._inception is not None:
            self._collect(Inception.name, self._inception(pictures), self._inception(again))
        if self._backbone is not None:
            maps, others = self._backbone.maps(again), self._backbone.maps(pictures)
            self._collect(Backbone.name, pooled(others), pooled(maps))
        if self._lpips is not None:
            return {"lpips_vgg": self._lpips(again, pictures)}
        return {} if self._backbone is None else {"efficientnet_distance": feature_distances(maps, others)}

    def _collect(self, name: str, pictures_BD: Floats, again_BD: Floats) -> None:
        one, other = self._sets.setdefault(name, (Gaussian(), Gaussian()))
        one.add(pictures_BD)
        other.add(again_BD)


def _stack(arrays: Iterable[Floats]) -> Tensor:
    return torch.from_numpy(np.stack(list(arrays)))
