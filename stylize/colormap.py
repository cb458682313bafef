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
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stylize.images import Pixels
from stylize.tone import restrain

LUMA = (0.299, 0.587, 0.114)
FEATURES = 4  # red, green, blue, one
COARSE_LEVEL = 1  # the level whose tones the finer ones must not turn around
VALUES = FEATURES + 3  # the features, and the changes of red, green and blue
PAIRS = tuple((i, j) for i in range(FEATURES) for j in range(i, VALUES))
_SQUARE = [PAIRS.index((min(i, j), max(i, j))) for i in range(FEATURES) for j in range(VALUES)]
MOST_JOINED = 4  # lines; more would cost more calls than they save sums
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
        result_HWC = np.empty_like(source_HWC)
        by_row = self._in_grey_levels().permute(2, 0, 1, 3).flatten(1)
        upper_H, share_H = _neighbours(height, rows)
        where_H1W2 = torch.zeros(min(height, self.tile_rows), 1, width, 2)
        where_H1W2[..., 0] = _unit(_centres(width, columns).float(), columns)
        for tile in _tiles(height, self.tile_rows):
            upper, share = upper_H[tile], share_H[tile, None]
            lower = (upper + 1).clamp(max=rows - 1)
            maps = torch.lerp(by_row.index_select(0, upper), by_row.index_select(0, lower), share)
            maps_HFLX = maps.view(len(maps), -1, self.grid.shape[1], columns)
            tile_HCW = torch.from_numpy(np.ascontiguousarray(source_HWC[tile].transpose(0, 2, 1), dtype=np.float32))
            changed_HCW = self._changed(tile_HCW, maps_HFLX, where_H1W2[: len(maps)])
            torch.from_numpy(result_HWC[tile]).copy_(changed_HCW.permute(0, 2, 1))
        return result_HWC

    def _in_grey_levels(self) -> Tensor:
        """Return the grid as maps from grey levels to grey levels, half a level added so that cutting off rounds."""
        maps = self.grid.unflatten(0, (FEATURES, 3))
        gains, offset = maps[:3], maps[3]
        identity = torch.eye(3).view(3, 3, 1, 1, 1)
        return torch.cat([gains + identity, 127.5 * (offset - gains.sum(0))[None] + 0.5]).flatten(0, 1)

    def _changed(self, tile_HCW: Tensor, maps_HFLX: Tensor, where_H1W2: Tensor) -> Tensor:
        """Return the recoloured tile [H, 3, W] in 0..256, given the maps of each row over luma and columns.

        `where` brings the place of each pixel among the columns, and is filled with its luma.
        """
        height, _, width = tile_HCW.shape
        if maps_HFLX.shape[2] > 1:
            red, green, blue = (weight / 127.5 for weight in LUMA)
            luma_HW = torch.mul(tile_HCW[:, 0], red).add_(tile_HCW[:, 1], alpha=green).add_(tile_HCW[:, 2], alpha=blue)
            torch.sub(luma_HW, 1, out=where_H1W2[:, 0, :, 1])
        maps = F.grid_sample(maps_HFLX, where_H1W2, padding_mode="border", align_corners=True)
        maps_HFCW = maps.view(height, FEATURES, 3, width)
        result_HCW = maps_HFCW[:, 3]
        for feature in range(3):
            result_HCW.addcmul_(maps_HFCW[:, feature], tile_HCW[:, feature : feature + 1])
        return result_HCW.clamp_(0, 255)


def fit_colormap(
    base_CHW: Tensor, styled_CHW: Tensor, guide_CHW: Tensor, config: ColorMapConfig | None = None
) -> ColorMap:
    """Fit the map that turns `base` into `styled`; `guide` is the source picture at the same size. All in [-1, 1].

    Few large operations, for colour maps are fitted on several threads, which would else wait for Python's lock more
    than they compute. Sums are in float32, over lines of pixels joined where windows are wide, and the equations in
    float64. To float64 sums over single lines, 98 % of the pixels of CamVid frames are the same, and all but 1 in
    20,000 within a grey level.
    """
    config = config or ColorMapConfig()
    base, guide = base_CHW.float(), guide_CHW.float()
    change = styled_CHW.float() - base
    grid = coarse = _gains(base, change, config.ridge)
    for index, (level, sums) in enumerate(zip(config.levels, _sums(base, change, _luma(guide), config), strict=True)):
        grid = _fit_level(sums, _resize(grid, *sums.shape[1:]), level, config)
        coarse = grid if index <= COARSE_LEVEL else coarse
    grid = restrain(grid, _resize(coarse, *grid.shape[2:]), LUMA)
    return ColorMap(grid.flatten(0, 1).cpu(), config.tile_rows)


def _gains(base_CHW: Tensor, change_CHW: Tensor, ridge: float) -> Tensor:
    """Return one gain and offset per channel for the whole picture, as a grid of one cell.

    The full maps are pulled towards these and not towards the identity: most streets are grey, and colours that are too
    rare to fit a map to must darken like the rest.
    """
    base_CN, change_CN = base_CHW.flatten(1).double(), change_CHW.flatten(1).double()
    mean_C, shift_C = base_CN.mean(1), change_CN.mean(1)
    centred_CN = base_CN - mean_C[:, None]
    gain_C = (centred_CN * change_CN).mean(1) / (centred_CN.square().mean(1) + ridge / 10)
    offset_C = shift_C - gain_C * mean_C
    return torch.cat([gain_C.diag(), offset_C[None]]).view(FEATURES, 3, 1, 1, 1).float()


def _texture(luma_HW: Tensor) -> Tensor:
    """Return how textured the surroundings of each pixel are: near 0 in a blank sky, near 1 on a facade."""
    padded = F.pad(luma_HW[None, None], (2, 2, 2, 2), mode="replicate")
    both = F.avg_pool2d(torch.cat([padded, padded.square()]), 5, 1)
    mean, mean_square = both[0, 0], both[1, 0]
    variance = (mean_square - mean.square()).clamp(min=0)
    return variance / (variance + FLAT)


def _sums(base_CHW: Tensor, change_CHW: Tensor, luma_HW: Tensor, config: ColorMapConfig) -> list[Tensor]:
    """Return per level the means over the cells' windows [K, bins, rows, columns] of the `_products`.

    Windows are Gaussian in y and x, linear in luma; the weights of a cell are about 1 on average. Levels of the same
    bins and weights share work. One bin after the other and in one place, so that what is summed stays in the
    processor's cache.
    """
    values_VHW = torch.cat([base_CHW, torch.ones_like(base_CHW[:1]), change_CHW])
    texture_HW = _texture(luma_HW)
    sums: list[list[Tensor]] = [[] for _ in config.levels]
    products: dict[int, Tensor] = {}
    for bins, flat in dict.fromkeys((level.bins, level.flat) for level in config.levels):
        chosen = [i for i, level in enumerate(config.levels) if (level.bins, level.flat) == (bins, flat)]
        side = _side(luma_HW.shape[0], max(config.levels[i].rows for i in chosen))
        if side not in products:
            products[side] = _products(_by_line(values_VHW, side))
        products_SKP = products[side]
        weights_SLP = _by_line(_hats(luma_HW, bins).mul_(flat + (1 - flat) * texture_HW), side)
        joined_KP = torch.empty_like(products_SKP[0])
        for bin in range(bins):
            torch.mul(products_SKP[0], weights_SLP[0, bin], out=joined_KP)
            for line in range(1, side):
                joined_KP.addcmul_(products_SKP[line], weights_SLP[line, bin])
            joined_KHW = joined_KP.view(len(joined_KP), -1, luma_HW.shape[1])
            for i in chosen:
                sums[i].append(_windows(joined_KHW, side, config.levels[i].rows, config.spread))
    return [torch.stack(found, dim=1) for found in sums]


def _side(height: int, rows: int) -> int:
    """Return how many lines of pixels may be added up into one before windows are applied: half a cell's at most.

    A window is twice as high as a cell and hardly notices; `_gaussian` makes up for its being smoothed.
    """
    most = max(1, min(MOST_JOINED, height // (2 * rows)))
    return next(side for side in range(most, 0, -1) if height % side == 0)


def _by_line(planes_XHW: Tensor, side: int) -> Tensor:
    """Return planes [side, X, P] whose pixels at one place are those to be added up."""
    planes, _, width = planes_XHW.shape
    return planes_XHW.reshape(planes, -1, side, width).permute(2, 0, 1, 3).flatten(2)


def _products(values_SVP: Tensor) -> Tensor:
    """Return feature times value for each pair of `PAIRS` [S, K, P]."""
    sides, values, pixels = values_SVP.shape
    result_SKP = values_SVP.new_empty(sides, len(PAIRS), pixels)
    start = 0
    for i in range(FEATURES):
        torch.mul(values_SVP[:, i : i + 1], values_SVP[:, i:], out=result_SKP[:, start : start + values - i])
        start += values - i
    return result_SKP


def _windows(lines_KHW: Tensor, side: int, rows: int, spread: float) -> Tensor:
    """Return the means over the windows of cells [K, rows, columns] of what `_joined` added up."""
    kinds, lines, width = lines_KHW.shape
    columns = max(1, round(rows * width / (lines * side)))
    across_WX = _gaussian(width, columns, spread, 1).to(lines_KHW).T
    down_YH = _gaussian(lines, rows, spread, side).to(lines_KHW)
    return torch.bmm(down_YH.expand(kinds, -1, -1), lines_KHW @ across_WX)


def _hats(luma_HW: Tensor, bins: int) -> Tensor:
    """Return the weight of each luma bin [bins, H, W]."""
    position = (luma_HW + 1) / 2 * (bins - 1)
    centres = torch.arange(bins, dtype=luma_HW.dtype, device=luma_HW.device)
    distance_LHW = (position[None] - centres[:, None, None]).abs_()
    return distance_LHW.neg_().add_(1).clamp_(min=0).mul_(bins)


def _fit_level(sums_KLYX: Tensor, prior: Tensor, level: Level, config: ColorMapConfig) -> Tensor:
    """Solve one ridge regression per cell, of the change on the features, around the prior's maps.

    Cells (N) are the last axis until the very end: thousands of small matrices side by side, which vectorises.
    """
    FVN = sums_KLYX.flatten(1)[_SQUARE].view(FEATURES, VALUES, -1)
    evidence_N = FVN[3, 3]
    # The prior enters as made-up pixels: `level.prior` of them with the cell's mean colour, plus, in proportion to all
    # pixels, a spread of `ridge` around it. Cells that saw nothing follow the prior altogether.
    mean_FN = FVN[:, 3] / evidence_N.clamp(min=1e-9)
    mean_FN[3] = 1
    spread_N = config.ridge * (evidence_N + level.prior)
    prior_FCN = prior.reshape(FEATURES, 3, -1)
    weighted_FN = level.prior * mean_FN
    targets_FCN = weighted_FN[:, None] * (mean_FN[:, None] * prior_FCN).sum(0)
    targets_FCN[:3] += spread_N * prior_FCN[:3]
    targets_FCN += FVN[:, FEATURES:]
    FFN = mean_FN[:, None] * weighted_FN
    FFN.view(FEATURES**2, -1)[: -1 : FEATURES + 1] += spread_N
    FFN += FVN[:, :FEATURES]
    FFN += _anchors(FVN[3, FEATURES:].mean(0), evidence_N, config.anchor)
    maps_NFC = torch.linalg.solve(FFN.permute(2, 0, 1).double(), targets_FCN.permute(2, 0, 1).double())
    result: Tensor = maps_NFC.permute(1, 2, 0).float().reshape(FEATURES, 3, *sums_KLYX.shape[1:])
    return result


def _anchors(change_N: Tensor, evidence_N: Tensor, share: float) -> Tensor:
    """Return the products of made-up pixels that do not change: black in cells that get darker, white in lighter ones.

    Their weight fades out where the mean change is small, so that a cell does not jump from the one to the other.
    """
    mean_change_N = change_N / evidence_N.clamp(min=1e-9)
    weight_N = share * evidence_N * mean_change_N.abs() / (mean_change_N.abs() + 0.1)
    grey_N = torch.where(mean_change_N < 0, -1.0, 1.0).to(evidence_N)
    colour_FN = torch.stack([grey_N, grey_N, grey_N, torch.ones_like(grey_N)])
    return colour_FN[:, None] * (weight_N * colour_FN)


def _resize(grid: Tensor, bins: int, rows: int, columns: int) -> Tensor:
    """Interpolate a grid to another size: cells are centred in space, and span black to white in luma."""
    features, channels, old_bins, old_rows, old_columns = grid.shape
    flat = grid.reshape(1, -1, old_rows, old_columns)
    flat = F.interpolate(flat, (rows, columns), mode="bilinear", align_corners=False)
    lines = flat.view(features * channels, old_bins, rows * columns).transpose(1, 2)
    lines = F.interpolate(lines, bins, mode="linear", align_corners=True)
    return lines.transpose(1, 2).reshape(features, channels, bins, rows, columns)


@cache
def _gaussian(length: int, cells: int, spread: float, side: int) -> Tensor:
    """Return window weights [cells, length] for means; a single cell sees everything alike.

    Each of the `length` places stands for `side` pixels that were added up. That smooths a window by their variance,
    which is therefore left out of its own.
    """
    if cells == 1:
        return torch.ones(1, length) / (length * side)
    distance = _centres(length, cells)[None] - torch.arange(cells)[:, None]
    variance = spread**2 - (side**2 - 1) / 12 * (cells / (length * side)) ** 2
    weights = torch.exp(-0.5 * distance**2 / variance)
    weights[weights < 1e-12] = 0  # far cells would be denormal numbers, a hundred times slower
    return (weights / (weights.sum(1, keepdim=True) * side)).float()


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
