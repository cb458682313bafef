"""Random light and weather for training pictures, so that the w+ codes span more than the source domain."""

from __future__ import annotations

import math

import torch
from torch import Tensor

UNTOUCHED = 0.35  # share of the pictures that keep their own light


def _uniform(count: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    return (low + (high - low) * torch.rand(count, generator=rng)).view(-1, 1, 1, 1)


def _colours(count: int, spread: float, rng: torch.Generator) -> Tensor:
    return (1 + spread * (2 * torch.rand(count, 3, generator=rng) - 1)).view(-1, 3, 1, 1)


def relight(images_BCHW: Tensor, rng: torch.Generator) -> Tensor:
    """Change gamma, exposure, saturation, tint and haze of most pictures `[B, 3, H, W]` in [-1, 1].

    Haze thickens towards a random horizon, as it does over a road, and the tint may differ between top and bottom,
    as at sunrise. One draw per picture.
    """
    count, _, height, _ = images_BCHW.shape
    x = images_BCHW * 0.5 + 0.5
    gamma = torch.exp(_uniform(count, -0.8, 0.9, rng))
    exposure = torch.exp(_uniform(count, -1.8, 0.25, rng))
    saturation = _uniform(count, 0.2, 1.4, rng)
    lit = x.clamp(1e-4, 1) ** gamma * exposure
    grey = lit.mean(dim=1, keepdim=True)
    lit = grey + (lit - grey) * saturation
    rows = torch.linspace(0, 1, height).view(1, 1, -1, 1)
    top, bottom = _colours(count, 0.35, rng), _colours(count, 0.35, rng)
    split = torch.sigmoid((rows - _uniform(count, 0.3, 0.7, rng)) * _uniform(count, 2, 16, rng))
    lit = lit * (top * (1 - split) + bottom * split)
    lit = _add_haze(lit, rows, rng)
    touched = torch.rand(count, generator=rng).view(-1, 1, 1, 1) >= UNTOUCHED
    return torch.where(touched, lit.clamp(0, 1) * 2 - 1, images_BCHW)


def _add_haze(lit_BCHW: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
    """Blend half of the pictures towards a haze colour, most where a flat road would be farthest."""
    count = lit_BCHW.shape[0]
    horizon = _uniform(count, 0.3, 0.6, rng)
    below = 1 / (1 + _uniform(count, 2, 10, rng) * (rows - horizon).clamp(min=0))
    above = 1 - _uniform(count, 0, 0.5, rng) * (horizon - rows).clamp(min=0)
    depth = torch.where(rows > horizon, below, above)
    amount = torch.where(
        torch.rand(count, generator=rng).view(-1, 1, 1, 1) < 0.5,
        _uniform(count, 0.15, 0.97, rng),
        torch.zeros(()),
    )
    haze = _uniform(count, math.log(0.12), math.log(0.95), rng).exp() * _colours(count, 0.12, rng)
    return lit_BCHW + (haze - lit_BCHW) * (amount * depth)
