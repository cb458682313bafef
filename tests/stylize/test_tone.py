"""The bounds on fitted colour maps: contrasts keep their sign unless the whole picture turns them around."""

from __future__ import annotations

import torch

from stylize.colormap import LUMA
from stylize.tone import restrain

BINS = 5
LEVELS = torch.linspace(-1, 1, BINS, dtype=torch.float64).view(1, BINS, 1, 1)


def grid_for(tones_B: list[float]) -> torch.Tensor:
    """A grid of one place whose greys follow the curve."""
    grid = torch.zeros(4, 3, BINS, 1, 1, dtype=torch.float64)
    grid[3] = torch.tensor(tones_B, dtype=torch.float64).view(1, BINS, 1, 1) - LEVELS
    return grid


def tones(grid: torch.Tensor) -> torch.Tensor:
    return (LEVELS * (1 + grid[:3].sum(0)) + grid[3])[:, :, 0, 0]


def test_a_rising_curve_is_kept_exactly():
    curve = [-0.9, -0.4, 0.0, 0.3, 0.8]
    kept = tones(restrain(grid_for(curve), grid_for(curve), LUMA))
    torch.testing.assert_close(kept, torch.tensor([curve] * 3, dtype=torch.float64))


def test_a_contrast_that_only_one_cell_turns_around_rises_again():
    coarse = [0.4, 0.5, 0.6, 0.7, 0.8]
    steps = tones(restrain(grid_for([0.4, 0.7, 0.3, 0.7, 0.8]), grid_for(coarse), LUMA)).diff(dim=1)
    assert (steps >= 0.3 * 0.1 - 1e-9).all()


def test_a_sky_that_gets_darker_than_the_street_in_the_whole_picture_may_do_so():
    falling = [-0.9, -0.6, -0.4, -0.7, -0.95]
    kept = tones(restrain(grid_for(falling), grid_for(falling), LUMA))
    torch.testing.assert_close(kept, torch.tensor([falling] * 3, dtype=torch.float64))


def test_a_gain_per_channel_passes_unchanged_and_an_inverted_colour_does_not():
    rising = [-0.9, -0.4, 0.0, 0.3, 0.8]
    gains = torch.tensor([1.2, 1.0, 0.7], dtype=torch.float64)
    grid = grid_for([0.0] * BINS) * 0
    for channel in range(3):
        grid[channel, channel] = gains[channel] - 1
    picture = torch.tensor([0.5, -0.1, 0.2], dtype=torch.float64)
    luma = (picture * torch.tensor(LUMA, dtype=torch.float64)).sum()

    def applied(maps: torch.Tensor) -> torch.Tensor:
        first = int((luma + 1) / 2 * (BINS - 1))
        share = (luma + 1) / 2 * (BINS - 1) - first
        cell = maps[:, :, first, 0, 0] * (1 - share) + maps[:, :, first + 1, 0, 0] * share
        return picture + picture @ cell[:3] + cell[3]

    torch.testing.assert_close(applied(restrain(grid, grid, LUMA)), picture * gains)
    inverted = grid_for(rising)
    inverted[:3] = -1.8 * torch.eye(3, dtype=torch.float64).view(3, 3, 1, 1, 1)  # colours turn into their opposites
    inverted[3] += 1.8 * LEVELS  # greys do not
    before, after = applied(inverted), applied(restrain(inverted, grid_for(rising), LUMA))
    assert (before[0] - before[1]) < 0
    assert (after[0] - after[1]) >= (before[0] - before[1]) / 2 - 1e-9  # half of it, but for rounding
