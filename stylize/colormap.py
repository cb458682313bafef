"""Carry the change between two small syntheses over to a full-resolution picture: a bilateral grid of affine maps.

For a pair of syntheses of one scene, `base` (the content's own style) and `styled` (the exemplar's), the change
`styled - base` is explained by affine colour maps, one per cell of a grid over (luma, y, x). The luma that places a
pixel in the grid is the *source picture's*, at model size while fitting and at full resolution while applying, so a map
changes where the source has an edge and nowhere else. Grids are fitted coarse to fine; each is pulled towards the one
before, by as much as its own evidence is thin. No change gives exactly the identity.

Sources: Chen et al., "Bilateral Guided Upsampling" (2016), for the grid; the coarse-to-fine prior is ours, see
`benchmarks/colormap.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stylize.images import Pixels

LUMA = (0.299, 0.587, 0.114)
FEATURES = 4  # red, green, blue, one


@dataclass(frozen=True, kw_only=True)
class Level:
    """One grid: `bins` of luma, `rows` over the height (columns keep the cells square).

    `prior` is how many pixels' worth of evidence the coarser level counts for, as a share of an average cell's pixels.
    """

    bins: int
    rows: int
    prior: float


@dataclass(frozen=True, kw_only=True)
class ColorMapConfig:
    """How the grid is fitted. `ridge` is a colour variance in [-1, 1] units: below it, gains come from the prior."""

    levels: tuple[Level, ...] = (
        Level(bins=1, rows=1, prior=0.1),
        Level(bins=4, rows=3, prior=0.1),
        Level(bins=8, rows=12, prior=0.1),
    )
    ridge: float = 4e-3
    spread: float = 0.7  # sigma of a cell's window, in cells
    tile_rows: int = 64


@dataclass(frozen=True)
class ColorMap:
    """A fitted map: `grid` [4 * 3, bins, rows, columns] is the change per feature and channel.

    The features are red, green, blue and one; the change is added to the picture, all in [-1, 1].
    """

    grid: Tensor
    tile_rows: int

    def apply(self, source_HWC: Pixels) -> Pixels:
        """Return the recoloured source, [H, W, 3] uint8, at any size; memory beyond the result is a few rows'."""
        height, width, _ = source_HWC.shape
        result = np.empty_like(source_HWC)
        columns_W = _centres(width, self.grid.shape[3]).float()
        rows_H = _centres(height, self.grid.shape[2]).float()
        for rows in _tiles(height, self.tile_rows):
            tile = torch.from_numpy(source_HWC[rows]).permute(2, 0, 1).to(torch.float32) / 127.5 - 1
            changed = tile + self._change(tile, rows_H[rows], columns_W)
            result[rows] = changed.add_(1).mul_(127.5).round_().clamp_(0, 255).byte().permute(1, 2, 0).numpy()
        return result

    def _change(self, tile_CHW: Tensor, rows_H: Tensor, columns_W: Tensor) -> Tensor:
        bins, rows, columns = self.grid.shape[1:]
        luma_HW = _luma(tile_CHW)
        where = torch.stack(
            torch.broadcast_tensors(
                _unit(columns_W, columns)[None, :], _unit(rows_H, rows)[:, None], luma_HW if bins > 1 else luma_HW * 0
            ),
            dim=-1,
        )
        maps = F.grid_sample(self.grid[None], where[None, None], padding_mode="border", align_corners=True)
        gains_FCHW = maps.view(FEATURES, 3, *luma_HW.shape)
        return torch.einsum("fchw,fhw->chw", gains_FCHW[:3], tile_CHW) + gains_FCHW[3]


def fit_colormap(
    base_CHW: Tensor, styled_CHW: Tensor, guide_CHW: Tensor, config: ColorMapConfig | None = None
) -> ColorMap:
    """Fit the map that turns `base` into `styled`; `guide` is the source picture at the same size. All in [-1, 1].

    Computed in float64, so that the number of threads cannot show in a pixel.
    """
    config = config or ColorMapConfig()
    base, guide = base_CHW.double(), guide_CHW.double()
    change = styled_CHW.double() - base
    features = torch.cat([base, torch.ones_like(base[:1])])
    grid = _gains(base, change, config.ridge)
    for level in config.levels:
        columns = max(1, round(level.rows * base.shape[2] / base.shape[1]))
        weights = _Windows(_luma(guide), level.bins, level.rows, columns, config.spread)
        grid = _fit_level(
            features, change, weights, _resize(grid, level.bins, level.rows, columns), level, config.ridge
        )
    return ColorMap(grid.flatten(0, 1).float().cpu(), config.tile_rows)


def _gains(base_CHW: Tensor, change_CHW: Tensor, ridge: float) -> Tensor:
    """Return one gain and offset per channel for the whole picture, as a grid of one cell.

    The full maps are pulled towards these and not towards the identity: most streets are grey, and colours that are too
    rare to fit a map to must darken like the rest.
    """
    base_CN, change_CN = base_CHW.flatten(1), change_CHW.flatten(1)
    mean_C, shift_C = base_CN.mean(1), change_CN.mean(1)
    centred_CN = base_CN - mean_C[:, None]
    gain_C = (centred_CN * change_CN).mean(1) / (centred_CN.square().mean(1) + ridge / 10)
    offset_C = shift_C - gain_C * mean_C
    return torch.cat([gain_C.diag(), offset_C[None]]).view(FEATURES, 3, 1, 1, 1)


class _Windows:
    """Sums over the cells' windows, Gaussian in y and x, linear in luma; weights of a cell are about 1 on average."""

    def __init__(self, luma_HW: Tensor, bins: int, rows: int, columns: int, spread: float) -> None:
        height, width = luma_HW.shape
        self.size = (bins, rows, columns)
        self._rows = _gaussian(height, rows, spread, luma_HW)
        self._columns = _gaussian(width, columns, spread, luma_HW)
        position = (luma_HW + 1) / 2 * (bins - 1)
        centres = torch.arange(bins, dtype=luma_HW.dtype, device=luma_HW.device)
        self._luma = (1 - (position[None] - centres[:, None, None]).abs()).clamp(min=0) * bins

    def __call__(self, values_KHW: Tensor) -> Tensor:
        """Return the weighted sums [K, bins, rows, columns]."""
        by_bin = [(self._rows @ (values_KHW * luma_HW)) @ self._columns.T for luma_HW in self._luma]
        return torch.stack(by_bin, dim=1)


def _fit_level(
    features: Tensor, change: Tensor, windows: _Windows, prior: Tensor, level: Level, ridge: float
) -> Tensor:
    """Solve one ridge regression per cell, of the change on the features, around the prior's maps."""
    cells = windows.size[0] * windows.size[1] * windows.size[2]
    FF = windows((features[:, None] * features[None]).flatten(0, 1)).view(FEATURES, FEATURES, cells).permute(2, 0, 1)
    FC = windows((features[:, None] * change[None]).flatten(0, 1)).view(FEATURES, 3, cells).permute(2, 0, 1)
    evidence = FF[:, 3, 3]
    # The prior enters as made-up pixels: `level.prior` of them with the cell's mean colour, plus, in proportion to all
    # pixels, a spread of `ridge` around it. Cells that saw nothing follow the prior altogether.
    mean = FF[:, 3] / evidence.clamp(min=1e-9)[:, None]
    mean[:, 3] = 1
    made_up = level.prior * mean[:, :, None] * mean[:, None, :]
    spread = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=FF.dtype, device=FF.device).diag() * ridge
    made_up = made_up + spread * (evidence + level.prior)[:, None, None]
    prior_cells = prior.reshape(FEATURES, 3, cells).permute(2, 0, 1)
    maps = torch.linalg.solve(FF + made_up, FC + made_up @ prior_cells)
    result: Tensor = maps.permute(1, 2, 0).reshape(FEATURES, 3, *windows.size)
    return result


def _resize(grid: Tensor, bins: int, rows: int, columns: int) -> Tensor:
    """Interpolate a grid to another size: cells are centred in space, and span black to white in luma."""
    features, channels, old_bins, old_rows, old_columns = grid.shape
    flat = grid.reshape(1, -1, old_rows, old_columns)
    flat = F.interpolate(flat, (rows, columns), mode="bilinear", align_corners=False)
    lines = flat.view(features * channels, old_bins, rows * columns).transpose(1, 2)
    lines = F.interpolate(lines, bins, mode="linear", align_corners=True)
    return lines.transpose(1, 2).reshape(features, channels, bins, rows, columns)


def _gaussian(length: int, cells: int, spread: float, like: Tensor) -> Tensor:
    """Return window weights [cells, length] whose rows have mean 1; a single cell sees everything alike."""
    if cells == 1:
        return torch.ones(1, length, dtype=like.dtype, device=like.device) / length
    distance = _centres(length, cells).to(like)[None] - torch.arange(cells).to(like)[:, None]
    weights = torch.exp(-0.5 * (distance / spread) ** 2)
    return weights / weights.sum(1, keepdim=True)


def _centres(length: int, cells: int) -> Tensor:
    """Return where each of `length` pixels lies among `cells` cells, in cells, within the centres of the outermost."""
    position = (torch.arange(length, dtype=torch.float64) + 0.5) * (cells / length) - 0.5
    return position.clamp(0, cells - 1)


def _unit(position: Tensor, cells: int) -> Tensor:
    return position * (2 / (cells - 1)) - 1 if cells > 1 else torch.zeros_like(position)


def _luma(rgb_CHW: Tensor) -> Tensor:
    red, green, blue = LUMA
    return (red * rgb_CHW[0] + green * rgb_CHW[1] + blue * rgb_CHW[2]).clamp(-1, 1)


def _tiles(height: int, rows: int) -> Iterator[slice]:
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))
