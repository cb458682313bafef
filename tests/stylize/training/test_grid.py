from __future__ import annotations

import numpy as np
import torch

from stylize.images import from_model
from stylize.models.bundle import Bundle
from stylize.training.grid import GAP, swap_grid, tile
from stylize.training.pictures import TrainingPictures


def test_tiles_lie_in_rows_on_white() -> None:
    black, grey = torch.full((3, 4, 6), -1.0), torch.zeros(3, 4, 6)
    grid = tile([[black, grey], [grey, grey], [grey, black]])
    assert grid.shape == (3 * (4 + GAP), 2 * (6 + GAP), 3)
    assert grid[0, 0].tolist() == [0, 0, 0]
    assert grid[-1 - GAP, -1 - GAP].tolist() == [0, 0, 0]
    assert grid[4, 0].tolist() == [255, 255, 255]


def test_contents_go_down_and_exemplars_across(bundle: Bundle, pictures: TrainingPictures) -> None:
    shown = pictures.whole([0, 1, 2])
    grid = swap_grid(bundle, shown)
    step = 16 + GAP

    def cell(row: int, column: int) -> np.ndarray:
        return grid[row * step : row * step + 16, column * step : column * step + 16].astype(int)

    def close(a: np.ndarray, b: torch.Tensor) -> bool:
        return bool(np.abs(a - from_model(b.numpy())).max() <= 1)

    codes = bundle.invert(shown)
    swapped = bundle.render(codes.ws_BLD[2:3], [n[1:2] for n in codes.noise])[0]
    assert grid.shape == (4 * step, 4 * step, 3)
    assert close(cell(0, 3), shown[2])
    assert close(cell(2, 0), shown[1])
    assert close(cell(2, 3), swapped), "content 1 in the style of exemplar 2"
