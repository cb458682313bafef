from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from stylize.colormap import ColorMap, ColorMapConfig, Level, fit_colormap
from stylize.images import Pixels, to_model

SMALL, LARGE = (48, 64), (240, 320)


def scene(height: int, width: int, seed: int = 0) -> Pixels:
    """A bright sky over a dark textured ground, with a slanted border and a bright box on the ground."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((height, width))
    y, x = (y + 0.5) / height, (x + 0.5) / width
    ground = 60 + 30 * np.sin(40 * x) * np.sin(30 * y)
    grey = np.where(y < 0.35 + 0.1 * x, 225 - 20 * y, ground)
    grey = np.where((abs(x - 0.7) < 0.1) & (abs(y - 0.75) < 0.1), 180, grey)
    rgb = grey[..., None] * (0.9, 1.0, 1.05) + rng.normal(0, 2, (height, width, 3))
    return np.clip(rgb, 0, 255).round().astype(np.uint8)


def small(rgb: Pixels) -> torch.Tensor:
    return torch.from_numpy(to_model(rgb, *SMALL))


@pytest.fixture(autouse=True)
def _restore_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("size", [LARGE, (37, 501), (8, 8)])
def test_no_change_of_style_gives_back_the_very_pixels(size):
    source = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    base = torch.rand(3, *SMALL, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert np.array_equal(fit_colormap(base, base.clone(), small(source)).apply(source), source)


@pytest.mark.parametrize(
    ("gains", "offsets"),
    [((0.3, 0.3, 0.4), (0, 0, 0)), ((0.5, 0.5, 0.4), (127, 127, 150)), ((1.2, 0.8, 0.6), (5, 0, 0))],
)
def test_a_change_that_is_the_same_everywhere_is_found_exactly(gains, offsets):
    source = scene(*LARGE)
    expected = np.clip(source * np.array(gains) + offsets, 0, 255)
    styled = small(source) * torch.tensor(gains)[:, None, None]
    styled += torch.tensor([gain - 1 + offset / 127.5 for gain, offset in zip(gains, offsets, strict=True)])[
        :, None, None
    ]
    result = fit_colormap(small(source), styled, small(source)).apply(source)
    assert abs(result - expected).max() < 4
    assert abs(result - expected).mean() < 1


def test_sky_and_ground_change_apart_and_the_border_stays_sharp():
    """A night that turns the bright sky darker than the ground: every pixel on its side of the border, no halo."""
    source = scene(*LARGE)

    def night(rgb: Pixels) -> Pixels:
        y, x = np.indices(rgb.shape[:2])
        y, x = (y + 0.5) / rgb.shape[0], (x + 0.5) / rgb.shape[1]
        return np.where((y < 0.35 + 0.1 * x)[..., None], rgb * 0.1, rgb * 0.6).astype(np.uint8)

    truth = night(source)
    result = fit_colormap(small(source), small(truth), small(source)).apply(source)
    error = abs(result.astype(int) - truth).mean(2)
    y, x = np.indices(LARGE)
    distance = (y + 0.5) / LARGE[0] - 0.35 - 0.1 * (x + 0.5) / LARGE[1]  # below the border, in heights
    beside = (abs(distance) > 0.005) & (abs(distance) < 0.04)  # one model pixel is 0.02
    assert error[beside].mean() < 8
    assert error.mean() < 6
    assert abs(source.astype(int) - truth).mean() > 60


def test_haze_that_grows_with_height_is_followed():
    source = scene(*LARGE)

    def haze(rgb: Pixels) -> Pixels:
        share = np.linspace(0.9, 0.1, rgb.shape[0])[:, None, None]
        return (rgb * (1 - share) + 190 * share).astype(np.uint8)

    truth = haze(source)
    result = fit_colormap(small(source), small(truth), small(source)).apply(source)
    assert abs(result.astype(int) - truth).mean() < 3


def test_blotches_of_the_synthesis_do_not_reach_a_blank_sky():
    source = np.full((*LARGE, 3), 235, np.uint8)
    noise = torch.nn.functional.interpolate(
        torch.randn(1, 3, 8, 10, generator=torch.Generator().manual_seed(2)) * 0.1, SMALL, mode="bicubic"
    )[0]
    styled = small(source) * 0.5 + noise
    result = fit_colormap(small(source), styled, small(source)).apply(source)
    spread = float((styled - small(source) * 0.5).std()) * 127.5
    assert result.std(axis=(0, 1)).max() < 0.8 * spread


def test_pixels_do_not_depend_on_threads_or_tiles():
    source = scene(*LARGE)
    base = small(source)
    styled = (base * 0.4 - 0.2 + 0.1 * torch.randn(base.shape, generator=torch.Generator().manual_seed(3))).clamp(-1, 1)
    results = []
    for threads, rows in ((1, 64), (2, 7), (3, 1000)):
        torch.set_num_threads(threads)
        results.append(fit_colormap(base, styled, base, ColorMapConfig(tile_rows=rows)).apply(source))
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_one_level_of_one_cell_is_a_global_map():
    source = scene(*LARGE)
    config = ColorMapConfig(levels=(Level(bins=1, rows=1, prior=0.01),))
    fitted = fit_colormap(small(source), small(source) * 0.5, small(source), config)
    assert fitted.grid.shape == (12, 1, 1, 1)
    expected = source * 0.5 + 63.75
    assert abs(fitted.apply(source) - expected).max() < 3


def test_darkening_keeps_the_texture_of_shadows():
    """A dusk that subtracts light from a blurred synthesis must not crush the dark ground to one black."""
    source = scene(*LARGE)
    base = small(source)
    blurred = torch.nn.functional.avg_pool2d(base[None], 9, 1, 4, count_include_pad=False)[0]
    styled = blurred - 0.4
    crushed = fit_colormap(blurred, styled, base, ColorMapConfig(anchor=0)).apply(source)
    kept = fit_colormap(blurred, styled, base).apply(source)
    ground = slice(150, 180), slice(0, 160)
    assert (crushed[ground] == 0).mean() > 0.2
    assert (kept[ground] == 0).mean() < 0.5 * (crushed[ground] == 0).mean()


@pytest.mark.parametrize("shape", [(6, 5, 7), (1, 3, 4), (4, 1, 1)])
def test_applying_is_trilinear_slicing_of_the_grid(shape: tuple[int, int, int]):
    """Rows first and then luma and columns gives what one interpolation in three dimensions gives."""
    source = np.random.default_rng(5).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    grid = 0.4 * torch.randn(12, *shape, generator=torch.Generator().manual_seed(6))
    rgb = torch.from_numpy(source).permute(2, 0, 1).float() / 127.5 - 1
    luma = (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    axes = []
    for length, cells in ((61, shape[1]), (83, shape[2])):
        position = ((torch.arange(length) + 0.5) * cells / length - 0.5).clamp(0, cells - 1)
        axes.append(position * (2 / (cells - 1)) - 1 if cells > 1 else torch.zeros(length))
    y, x = torch.meshgrid(*axes, indexing="ij")
    where = torch.stack([x, y, luma if shape[0] > 1 else 0 * luma], dim=-1)[None, None]
    sliced = torch.nn.functional.grid_sample(grid[None], where, padding_mode="border", align_corners=True)
    maps = sliced.reshape(4, 3, 61, 83)
    expected = rgb + (maps[:3] * rgb[:, None]).sum(0) + maps[3]
    pixels = ((expected + 1) * 127.5).round().clamp(0, 255).permute(1, 2, 0).numpy()
    assert abs(ColorMap(grid, 16).apply(source) - pixels).max() <= 1
