"""Picture grids that show how far a training has come."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylize.models.bundle import Bundle

GAP = 2


@torch.no_grad()
def swap_grid(bundle: Bundle, pictures_BCHW: Tensor) -> NDArray[np.uint8]:
    """Draw every content with every style: `[H, W, 3]`.

    The first row shows the exemplars, the first column the contents, the diagonal the reconstructions.
    """
    codes = bundle.encoder(pictures_BCHW.to(bundle.device))
    count = len(pictures_BCHW)
    rows = [[torch.ones_like(pictures_BCHW[0]), *pictures_BCHW]]
    for content in range(count):
        noise = tuple(n[content : content + 1].expand(count, -1, -1, -1) for n in codes.noise)
        rows.append([pictures_BCHW[content], *bundle.generator.synthesis(codes.ws_BLD, noise).cpu()])
    return tile(rows)


def tile(rows: list[list[Tensor]]) -> NDArray[np.uint8]:
    """Lay pictures `[3, H, W]` in [-1, 1] out as a grid on white: `[H', W', 3]`."""
    padded = [torch.cat([torch.nn.functional.pad(p, (0, GAP, 0, GAP), value=1.0) for p in row], dim=2) for row in rows]
    grid = torch.cat(padded, dim=1).permute(1, 2, 0)
    pixels: NDArray[np.uint8] = ((grid + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    return np.ascontiguousarray(pixels)
