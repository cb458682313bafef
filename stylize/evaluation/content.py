"""How much of a scene a stylized picture keeps: structure and edges, whatever became of its light and colours.

Both compare the luma of pictures `[B, 3, H, W]` in [-1, 1]. Equal pictures have 1, and nearly so those that only light
or haze sets apart; frames of two streets come to 0 in structure, and to 0.3 in edges, which are many.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.metrics import PEAK, blur

LUMA = (0.299, 0.587, 0.114)
WINDOW = 1.5  # sigma of the structure's window, in pixels, that of SSIM
TEXTURE = (0.03 * PEAK) ** 2 / 2  # SSIM's constant: variances below it are noise
FAINT = 1 / 127.5  # one grey level
EDGES = 0.1  # share of the pixels that count as edges
REACH = 1 / 16  # sigma within which edges compete, of the height


def luma(images_BCHW: Tensor) -> Tensor:
    """Return the luma `[B, 1, H, W]`."""
    weights_C = images_BCHW.new_tensor(LUMA)
    return (images_BCHW * weights_C[:, None, None]).sum(dim=1, keepdim=True)


def structure_agreement(images_BCHW: Tensor, references_BCHW: Tensor) -> Tensor:
    """Return the local correlation of luma, [B], in -1..1: 0 for other scenes and for nothing left, -1 for negatives.

    The structure term of SSIM (Wang et al. 2004), where either picture has texture, times how visible what is left of
    it is: a texture below a grey level counts less and less.
    """
    x, y = luma(images_BCHW).double(), luma(references_BCHW).double()
    mean_x, mean_y = blur(x, WINDOW), blur(y, WINDOW)
    var_x = (blur(x * x, WINDOW) - mean_x * mean_x).clamp(min=0)
    var_y = (blur(y * y, WINDOW) - mean_y * mean_y).clamp(min=0)
    covariance = blur(x * y, WINDOW) - mean_x * mean_y
    correlation = covariance / ((var_x * var_y).sqrt() + 1e-9)
    left = (_visible(var_x) / (_visible(var_y) + 1e-9)).clamp(max=1)
    texture = torch.maximum(var_x, var_y)
    weights = texture / (texture + TEXTURE)
    return (weights * correlation * left).flatten(1).sum(1) / weights.flatten(1).sum(1).clamp(min=1e-9)


def _visible(variance: Tensor) -> Tensor:
    return (variance / (variance + FAINT**2)).sqrt()


def edge_agreement(images_BCHW: Tensor, references_BCHW: Tensor) -> Tensor:
    """Return how many of the strongest edges are found again within a pixel, [B], in 0..1: F1 of both directions.

    Two pictures without any edge agree; one that lost them all does not.
    """
    edges, others = _edges(images_BCHW), _edges(references_BCHW)
    number, its_number = edges.flatten(1).sum(1), others.flatten(1).sum(1)
    found = (edges * _widened(others)).flatten(1).sum(1) / number.clamp(min=1)
    kept = (others * _widened(edges)).flatten(1).sum(1) / its_number.clamp(min=1)
    agreement = 2 * found * kept / (found + kept).clamp(min=1e-9)
    return torch.where(number + its_number == 0, 1.0, agreement)


def _edges(images_BCHW: Tensor) -> Tensor:
    """Mark the tenth of the pixels with the strongest gradient, compared with that around them, as 1.0."""
    smooth_B1HW = blur(luma(images_BCHW), 1.0)
    padded = F.pad(smooth_B1HW, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    strength = (across.square() + down.square()).sqrt()
    relative = strength / (blur(strength, REACH * strength.shape[-2]) + FAINT)
    flat_BN = relative.flatten(1)
    bound_B = flat_BN.kthvalue(round((1 - EDGES) * flat_BN.shape[1]), dim=1).values
    return ((relative >= bound_B[:, None, None, None]) & (relative > 1e-5)).float()


def _widened(edges_B1HW: Tensor) -> Tensor:
    return F.max_pool2d(edges_B1HW, 3, stride=1, padding=1)
