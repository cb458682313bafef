"""Random light and weather for training pictures, so that the w+ codes span more than the source domain."""

from __future__ import annotations

import math

import torch
from torch import Tensor

UNTOUCHED = 0.35  # share of the pictures that keep their own light


class _Dice:
    """Draws one number, or one colour, for each of `count` pictures, and keeps those of a `share`."""

    def __init__(self, rng: torch.Generator, count: int, share: slice) -> None:
        self._rng, self._count, self._share = rng, count, share

    def uniform(self, low: float, high: float) -> Tensor:
        values = low + (high - low) * torch.rand(self._count, generator=self._rng)
        return values[self._share].view(-1, 1, 1, 1)

    def colours(self, spread: float) -> Tensor:
        values = 1 + spread * (2 * torch.rand(self._count, 3, generator=self._rng) - 1)
        return values[self._share].view(-1, 3, 1, 1)


def relight(
    images_BCHW: Tensor,
    rng: torch.Generator,
    share: slice = slice(None),
    count: int = 0,
    *,
    untouched: float = UNTOUCHED,
) -> Tensor:
    """Change gamma, exposure, saturation, tint and haze of most pictures `[B, 3, H, W]` in [-1, 1].

    Haze thickens towards a random horizon, as it does over a road, and the tint may differ between top and bottom,
    as at sunrise. One draw per picture. `share` says which of a batch of `count` these are; by default they are all.
    `untouched` is the share that keeps its own light.
    """
    height = images_BCHW.shape[2]
    dice = _Dice(rng, count or len(images_BCHW), share)
    x = images_BCHW * 0.5 + 0.5
    gamma = torch.exp(dice.uniform(-0.8, 0.9))
    exposure = torch.exp(dice.uniform(-1.8, 0.25))
    saturation = dice.uniform(0.2, 1.4)
    lit = x.clamp(1e-4, 1) ** gamma * exposure
    grey = lit.mean(dim=1, keepdim=True)
    lit = grey + (lit - grey) * saturation
    rows = torch.linspace(0, 1, height).view(1, 1, -1, 1)
    top, bottom = dice.colours(0.35), dice.colours(0.35)
    split = torch.sigmoid((rows - dice.uniform(0.3, 0.7)) * dice.uniform(2, 16))
    lit = lit * (top * (1 - split) + bottom * split)
    lit = _add_haze(lit, rows, dice)
    touched = dice.uniform(0, 1) >= untouched
    return torch.where(touched, lit.clamp(0, 1) * 2 - 1, images_BCHW)


def _add_haze(lit_BCHW: Tensor, rows: Tensor, dice: _Dice) -> Tensor:
    """Blend half of the pictures towards a haze colour, most where a flat road would be farthest."""
    horizon = dice.uniform(0.3, 0.6)
    below = 1 / (1 + dice.uniform(2, 10) * (rows - horizon).clamp(min=0))
    above = 1 - dice.uniform(0, 0.5) * (horizon - rows).clamp(min=0)
    depth = torch.where(rows > horizon, below, above)
    amount = torch.where(dice.uniform(0, 1) < 0.5, dice.uniform(0.15, 0.97), torch.zeros(()))
    haze = dice.uniform(math.log(0.12), math.log(0.95)).exp() * dice.colours(0.12)
    return lit_BCHW + (haze - lit_BCHW) * (amount * depth)
