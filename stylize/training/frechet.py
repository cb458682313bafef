"""How far a generator's pictures are from those it learns from: a Frechet distance between the features of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stylize.errors import FatalError
from stylize.evaluation.features import Backbone, Inception, load_backbone, pooled
from stylize.evaluation.frechet import Gaussian, frechet_distance
from stylize.models.generator import Generator
from stylize.training.pictures import TrainingPictures, step_rng

BATCH = 16


class Features(Protocol):
    """A named network that makes features `[B, D]` of pictures `[B, 3, H, W]` in [-1, 1]."""

    @property
    def name(self) -> str: ...

    def __call__(self, images_BCHW: Tensor, /) -> npt.NDArray[np.float32]: ...


class Lite0:
    """EfficientNet-Lite0, which comes with the extra `train`."""

    def __init__(self, device: torch.device) -> None:
        self._backbone: Backbone = load_backbone(device)
        self.name = self._backbone.name

    def __call__(self, images_BCHW: Tensor) -> npt.NDArray[np.float32]:
        """Return the features `[B, 112]` of pictures."""
        return pooled(self._backbone.maps(images_BCHW))


class FrechetMeter:
    """Measures generators against the training pictures, flipped at random as in training.

    The same pictures and the same latents every time, so that a curve shows the generator and not the draw. `figure`
    is `fid` with the Inception network that FID is defined with, `frechet` with any other.
    """

    def __init__(self, pictures: TrainingPictures, features: Features, *, count: int, seed: int) -> None:
        self._pictures, self.features, self.count, self._seed = pictures, features, count, seed
        self.figure = "fid" if isinstance(features, Inception) else "frechet"
        self._real: Gaussian | None = None

    def measure(self, generator: Generator) -> float:
        """Return the distance of `count` pictures drawn without truncation from `count` training pictures."""
        if self._real is None:
            self._real = self._of_real()
        rng, device = step_rng(self._seed, 0, "frechet latents"), generator.mapping.w_avg.device

        def draw(indices: Sequence[int]) -> Tensor:
            z_BD = torch.randn(len(indices), generator.z_dim, generator=rng).to(device)
            return generator(z_BD).clamp(-1, 1)  # type: ignore[no-any-return]

        return frechet_distance(self._real, self._gaussian(draw))

    def _of_real(self) -> Gaussian:
        rng, number = step_rng(self._seed, 0, "frechet pictures"), len(self._pictures)
        order = torch.randperm(number, generator=rng).tolist()
        return self._gaussian(lambda indices: self._pictures.crop([order[i % number] for i in indices], rng, 1.0))

    @torch.no_grad()
    def _gaussian(self, draw: Callable[[Sequence[int]], Tensor]) -> Gaussian:
        found = Gaussian()
        for start in range(0, self.count, BATCH):
            found.add(self.features(draw(range(start, min(start + BATCH, self.count)))))
        return found


def load_extractor(inception: Path | None, device: torch.device) -> Features:
    """Return the Inception network in a file, or EfficientNet-Lite0; raises `FatalError` where neither is there."""
    if inception is not None and not inception.is_file():
        raise FatalError(f"there is no file {inception}: correct --inception, or leave it out")
    return Lite0(device) if inception is None else Inception(inception, device)
