"""Keep a finely fitted colour map to what the whole picture does: its contrasts do not turn around for a few pixels.

A regression on the few pixels of a cell may invert a contrast, most of all in fog, where hardly any is left: a white
shirt gets dark edges, a blue sign turns pink. The maps are therefore taken apart into what they do to greys, a tone
curve per channel, and what they do to colour, a matrix on the deviation from luma. The tone curves must rise wherever
a much coarser fit rises (it may fall: a bright sky does get darker than the street by night); of the matrix, the mean
gain counts in full and the rest by half. Both are put together in a form whose interpolation between luma bins keeps
the curves rising.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor

LEAST_SHARE = 0.3  # of the coarse fit's slope that every curve keeps
MATRIX_TRUST = 0.5  # share of the colour matrix beyond its mean gain
GAIN_LIMITS = (0.0, 1.5)  # of the mean colour gain


def restrain(grid: Tensor, coarse: Tensor, luma_weights: tuple[float, float, float]) -> Tensor:
    """Return the grid `[4, 3, bins, rows, columns]` of colour changes with bounded tones and colours.

    Args:
        grid: the first axis holds the features red, green, blue and one, the second the output channels; colours are
            in [-1, 1].
        coarse: a fit with far more pixels per cell, of the same shape.
        luma_weights: of red, green and blue.

    A grid of one bin is returned as it is: a single affine map has no tone curve.
    """
    bins = grid.shape[2]
    if bins == 1:
        return grid
    levels = torch.linspace(-1, 1, bins, dtype=grid.dtype, device=grid.device).view(1, bins, 1, 1)
    tones, model = _tones(grid, levels), _tones(coarse, levels)
    slopes_C = (model[:, -1] - model[:, 0]).mean(dim=(1, 2)) / 2
    colours = _colours(grid[:3], slopes_C)
    # Acting on the deviation from luma only: greys are the tone curves' business.
    weights = torch.tensor(luma_weights, dtype=grid.dtype, device=grid.device).view(3, 1, 1, 1, 1)
    colours = colours - weights * colours.sum(0, keepdim=True)
    return torch.cat([colours, (_rising(tones, model) - levels)[None]])


def _tones(grid: Tensor, levels: Tensor) -> Tensor:
    """Return what the maps make of grey at the level of each bin: `[3, bins, rows, columns]`."""
    return levels * (1 + grid[:3].sum(0)) + grid[3]


def _rising(tones: Tensor, model: Tensor) -> Tensor:
    """Project tone curves onto those that rise at least by a share of the model's slope, or fall at most like it.

    The projection is the mean of the running maximum from below and the running minimum from above.
    """
    steps = model.diff(dim=1)
    least = torch.cat([torch.zeros_like(steps[:, :1]), steps.minimum(LEAST_SHARE * steps).cumsum(dim=1)], dim=1)
    excess = tones - least
    bins = excess.unbind(1)
    from_below = list(accumulate(bins, torch.maximum))
    from_above = list(accumulate(bins[::-1], torch.minimum))[::-1]
    return (torch.stack(from_below, 1) + torch.stack(from_above, 1)) / 2 + least


def _colours(gains: Tensor, slopes_C: Tensor) -> Tensor:
    """Return bounded colour changes `[3, 3, bins, rows, columns]`.

    The mean colour gain is half the trace of the matrix on the plane of no luma; it is dealt out to the channels like
    the slopes of their tones.
    """
    identity = torch.eye(3, dtype=gains.dtype, device=gains.device).view(3, 3, 1, 1, 1)
    matrix = gains + identity
    gain = ((identity * matrix).sum(dim=(0, 1)) - matrix.sum(dim=(0, 1)) / 3) / 2
    share_C = slopes_C.clamp(min=1e-3) / slopes_C.clamp(min=1e-3).mean()
    own = identity * share_C.view(1, 3, 1, 1, 1) * gain.clamp(*GAIN_LIMITS)
    return own + MATRIX_TRUST * (matrix - own) - identity
