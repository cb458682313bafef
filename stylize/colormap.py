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
from stylize.tone import restrain

LUMA = (0.299, 0.587, 0.114)
FEATURES = 4  # red, green, blue, one
COARSE_LEVEL = 1  # the level whose tones the finer ones must not turn around
PAIRS = tuple((i, j) for i in range(FEATURES) for j in range(i, FEATURES))
FLAT = 1e-3  # variance of luma in [-1, 1], between flat and textured; noise of two grey levels has 2.5e-4


@dataclass(frozen=True, kw_only=True)
class Level:
    """One grid: `bins` of luma, `rows` over the height (columns keep the cells square).

    `prior` is how many pixels' worth of evidence the coarser level counts for, as a share of an average cell's pixels.
    `flat` is the weight of pixels without texture around them: blank skies mostly show the blotches of a synthesis.
    """

    bins: int
    rows: int
    prior: float
    flat: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ColorMapConfig:
    """How the grid is fitted.

    `ridge` is a colour variance in [-1, 1] units: below it, gains come from the prior. `anchor` is the weight, as a
    share of a cell's pixels, of the rule that black stays black where the scene gets darker and white stays white where
    it gets lighter: light is multiplied and haze is mixed in, and neither crushes shadows or burns out walls.
    """

    levels: tuple[Level, ...] = (
        Level(bins=1, rows=1, prior=0.1),
        Level(bins=4, rows=3, prior=0.1),
        Level(bins=6, rows=12, prior=0.1, flat=0.1),
        Level(bins=6, rows=24, prior=0.5, flat=0.1),
    )
    ridge: float = 4e-3
    anchor: float = 0.05
    spread: float = 0.5  # sigma of a cell's window, in cells
    tile_rows: int = 64


@dataclass(frozen=True)
class ColorMap:
    """A fitted map: `grid` [4 * 3, bins, rows, columns] is the change per feature and channel.

    The features are red, green, blue and one; the change is added to the picture, all in [-1, 1].
    """

    grid: Tensor
    tile_rows: int

    def apply(self, source_HWC: Pixels) -> Pixels:
        """Return the recoloured source, [H, W, 3] uint8, at any size; memory beyond the result is a few rows'.

        The height of a pixel is that of its whole row, so the grid is interpolated to the row first, once for all its
        pixels; what is left per pixel is bilinear, in luma and x, which PyTorch vectorises (trilinear it does not).
        """
        height, width, _ = source_HWC.shape
        rows, columns = self.grid.shape[2:]
        result = np.empty_like(source_HWC)
        by_row = self.grid.permute(2, 0, 1, 3).contiguous()
        upper_H, share_H = _neighbours(height, rows)
        columns_W = _unit(_centres(width, columns).float(), columns)
        for tile in _tiles(height, self.tile_rows):
            tile_CHW = torch.from_numpy(np.ascontiguousarray(source_HWC[tile].transpose(2, 0, 1), dtype=np.float32))
            tile_CHW.mul_(1 / 127.5).sub_(1)
            upper, share = upper_H[tile], share_H[tile, None, None, None]
            maps_HFLX = torch.lerp(by_row[upper], by_row[(upper + 1).clamp(max=rows - 1)], share)
            changed_HWC = self._changed(tile_CHW, maps_HFLX, columns_W)
            result[tile] = changed_HWC.add_(1).mul_(127.5).round_().clamp_(0, 255).byte().numpy()
        return result

    def _changed(self, tile_CHW: Tensor, maps_HFLX: Tensor, columns_W: Tensor) -> Tensor:
        """Return the recoloured tile [H, W, 3], given the maps of each row over luma and columns."""
        _, height, width = tile_CHW.shape
        where = torch.zeros(height, 1, width, 2)
        where[..., 0] = columns_W
        if maps_HFLX.shape[2] > 1:
            where[:, 0, :, 1] = _luma(tile_CHW)
        maps = F.grid_sample(maps_HFLX, where, padding_mode="border", align_corners=True)
        gains_HFCW = maps.view(height, FEATURES, 3, width)
        result_HWC = torch.empty(height, width, 3)
        for channel in range(3):
            change_HW = gains_HFCW[:, 3, channel]
            for feature in range(3):
                change_HW.addcmul_(gains_HFCW[:, feature, channel], tile_CHW[feature])
            torch.add(tile_CHW[channel], change_HW, out=result_HWC[..., channel])
        return result_HWC


def fit_colormap(
    base_CHW: Tensor, styled_CHW: Tensor, guide_CHW: Tensor, config: ColorMapConfig | None = None
) -> ColorMap:
    """Fit the map that turns `base` into `styled`; `guide` is the source picture at the same size. All in [-1, 1].

    Computed in float64, so that the number of threads cannot show in a pixel.
    """
    config = config or ColorMapConfig()
    base, guide = base_CHW.double(), guide_CHW.double()
    change = styled_CHW.double() - base
    grid = coarse = _gains(base, change, config.ridge)
    for index, (level, sums) in enumerate(zip(config.levels, _sums(base, change, _luma(guide), config), strict=True)):
        grid = _fit_level(sums, _resize(grid, *sums.shape[1:]), level, config)
        coarse = grid if index <= COARSE_LEVEL else coarse
    grid = restrain(grid, _resize(coarse, *grid.shape[2:]), LUMA)
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


def _texture(luma_HW: Tensor) -> Tensor:
    """Return how textured the surroundings of each pixel are: near 0 in a blank sky, near 1 on a facade."""
    padded = F.pad(luma_HW[None, None], (2, 2, 2, 2), mode="replicate")
    mean, mean_square = F.avg_pool2d(padded, 5, 1)[0, 0], F.avg_pool2d(padded.square(), 5, 1)[0, 0]
    variance = (mean_square - mean.square()).clamp(min=0)
    return variance / (variance + FLAT)


def _sums(base_CHW: Tensor, change_CHW: Tensor, luma_HW: Tensor, config: ColorMapConfig) -> list[Tensor]:
    """Return per level the sums over the cells' windows [K, bins, rows, columns] of the `_products`.

    Windows are Gaussian in y and x, linear in luma; the weights of a cell are about 1 on average. Value by value, so
    that memory is a few pictures' and stays in the processor's cache; levels of the same bins and weights share work.
    """
    _, height, width = base_CHW.shape
    windows = []
    for level in config.levels:
        across = max(1, round(level.rows * width / height))
        windows.append(
            (_gaussian(height, level.rows, config.spread, luma_HW), _gaussian(width, across, config.spread, luma_HW))
        )
    sums: list[list[Tensor]] = [[] for _ in config.levels]
    texture_HW = _texture(luma_HW)
    for bins, flat in {(level.bins, level.flat) for level in config.levels}:
        weights_LHW = _hats(luma_HW, bins) * (flat + (1 - flat) * texture_HW)
        for values_HW in _products(base_CHW, change_CHW):
            binned_LHW = weights_LHW * values_HW
            for level, (rows, columns), found in zip(config.levels, windows, sums, strict=True):
                if (level.bins, level.flat) == (bins, flat):
                    found.append(rows @ binned_LHW @ columns.T)
    return [torch.stack(found) for found in sums]


def _products(base_CHW: Tensor, change_CHW: Tensor) -> Iterator[Tensor]:
    """Yield feature times feature for each pair of `PAIRS`, then feature times change, feature by feature."""
    features = [*base_CHW, torch.ones_like(base_CHW[0])]
    yield from (features[i] * features[j] for i, j in PAIRS)
    yield from (feature * change_HW for feature in features for change_HW in change_CHW)


def _hats(luma_HW: Tensor, bins: int) -> Tensor:
    """Return the weight of each luma bin [bins, H, W]."""
    position = (luma_HW + 1) / 2 * (bins - 1)
    centres = torch.arange(bins, dtype=luma_HW.dtype, device=luma_HW.device)
    return (1 - (position[None] - centres[:, None, None]).abs()).clamp(min=0) * bins


def _fit_level(sums: Tensor, prior: Tensor, level: Level, config: ColorMapConfig) -> Tensor:
    """Solve one ridge regression per cell, of the change on the features, around the prior's maps."""
    size = sums.shape[1:]
    by_cell = sums.flatten(1).T
    cells = len(by_cell)
    FF = by_cell.new_empty(cells, FEATURES, FEATURES)
    for index, (i, j) in enumerate(PAIRS):
        FF[:, i, j] = FF[:, j, i] = by_cell[:, index]
    FC = by_cell[:, len(PAIRS) :].reshape(cells, FEATURES, 3)
    evidence = FF[:, 3, 3]
    # The prior enters as made-up pixels: `level.prior` of them with the cell's mean colour, plus, in proportion to all
    # pixels, a spread of `ridge` around it. Cells that saw nothing follow the prior altogether.
    mean = FF[:, 3] / evidence.clamp(min=1e-9)[:, None]
    mean[:, 3] = 1
    made_up = level.prior * mean[:, :, None] * mean[:, None, :]
    spread = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=FF.dtype, device=FF.device).diag() * config.ridge
    made_up = made_up + spread * (evidence + level.prior)[:, None, None]
    prior_cells = prior.reshape(FEATURES, 3, cells).permute(2, 0, 1)
    anchors = _anchors(FC[:, 3].mean(1), evidence, config.anchor)
    maps = torch.linalg.solve(FF + made_up + anchors, FC + made_up @ prior_cells)
    result: Tensor = maps.permute(1, 2, 0).reshape(FEATURES, 3, *size)
    return result


def _anchors(change: Tensor, evidence: Tensor, share: float) -> Tensor:
    """Return the products of made-up pixels that do not change: black in cells that get darker, white in lighter ones.

    Their weight fades out where the mean change is small, so that a cell does not jump from the one to the other.
    """
    mean_change = change / evidence.clamp(min=1e-9)
    weight = share * evidence * mean_change.abs() / (mean_change.abs() + 0.1)
    grey = torch.where(mean_change < 0, -1.0, 1.0).to(evidence)
    colour = torch.stack([grey, grey, grey, torch.ones_like(grey)], dim=1)
    return weight[:, None, None] * colour[:, :, None] * colour[:, None, :]


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
    weights[weights < 1e-12] = 0  # far cells would be denormal numbers, a hundred times slower
    return weights / weights.sum(1, keepdim=True)


def _centres(length: int, cells: int) -> Tensor:
    """Return where each of `length` pixels lies among `cells` cells, in cells, within the centres of the outermost."""
    position = (torch.arange(length, dtype=torch.float64) + 0.5) * (cells / length) - 0.5
    return position.clamp(0, cells - 1)


def _neighbours(length: int, cells: int) -> tuple[Tensor, Tensor]:
    """Return, for each of `length` pixels, the cell before it and its share of the next one."""
    position = _centres(length, cells)
    before = position.floor().clamp(max=max(cells - 2, 0))
    return before.long(), (position - before).float()


def _unit(position: Tensor, cells: int) -> Tensor:
    return position * (2 / (cells - 1)) - 1 if cells > 1 else torch.zeros_like(position)


def _luma(rgb_CHW: Tensor) -> Tensor:
    red, green, blue = LUMA
    return (red * rgb_CHW[0] + green * rgb_CHW[1] + blue * rgb_CHW[2]).clamp(-1, 1)


def _tiles(height: int, rows: int) -> Iterator[slice]:
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))
