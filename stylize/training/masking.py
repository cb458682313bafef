"""Masking of the noise maps while the encoder trains (arXiv 2307.00648, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

REPLACEMENTS = ("normal", "zeros")


def patch_mask(shape: Sequence[int], ratio: float, patch: int, rng: torch.Generator) -> Tensor:
    """Draw a mask `[B, 1, H, W]` of whole patches, 1 where the map is kept, 0 in `ratio` of the patches.

    One mask per picture, shared over channels. H and W need not be multiples of `patch`.
    """
    batch, _, height, width = shape
    rows, columns = -(-height // patch), -(-width // patch)
    order = torch.rand(batch, rows * columns, generator=rng).argsort(dim=1).argsort(dim=1)
    keep = (order >= round(ratio * rows * columns)).float().view(batch, 1, rows, columns)
    return F.interpolate(keep, scale_factor=patch, mode="nearest")[:, :, :height, :width]


def mask_noise(
    noise: tuple[Tensor, Tensor],
    *,
    ratio: float,
    patch: int = 4,
    replacement: str = "normal",
    rng: torch.Generator,
    share: slice = slice(None),
    count: int = 0,
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Replace patches of both noise maps, with an independent mask for each map.

    Args:
        noise: two maps `[B, C, H, W]`.
        ratio: share of the patches to replace, in [0, 1).
        patch: side of a patch, in map pixels.
        replacement: `normal` for N(0, 1), `zeros` for nothing.
        rng: where the randomness comes from, on the CPU.
        share, count: which pictures of a batch of `count` these are; by default they are all of it.

    Returns:
        The two maps, and `[B, 1, H, W]`: 1 where both maps are kept.
    """
    if ratio == 0:
        ones = torch.ones(noise[0].shape[0], 1, *noise[0].shape[2:], device=noise[0].device)
        return noise, ones
    masked, kept = [], []
    for noise_BCHW in noise:
        shape = (count or len(noise_BCHW), *noise_BCHW.shape[1:])
        keep = patch_mask(shape, ratio, patch, rng)[share].to(noise_BCHW.device)
        fill = torch.randn(shape, generator=rng)[share] if replacement == "normal" else torch.zeros(())
        masked.append(torch.where(keep > 0, noise_BCHW, fill.to(noise_BCHW.device)))
        kept.append(keep)
    return (masked[0], masked[1]), kept[0] * kept[1]
