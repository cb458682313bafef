"""How far a stylized picture has come towards its exemplar: statistics of colours and of features, and distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stylize.evaluation.features import Backbone, pooled
from stylize.evaluation.features import moments as moments_of
from stylize.evaluation.frechet import wasserstein

Floats = npt.NDArray[np.float32]

# IEC 61966-2-1 with the white of D65; CIE 1976 L*a*b*.
_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE = (0.9505, 1.0, 1.089)


@dataclass(frozen=True, kw_only=True)
class Style:
    """What a picture looks like without where: its Lab colours as a Gaussian, its features' moments by layer.

    `pooled` is its vector for Frechet distances between sets; without a network it is None, and there are no moments.
    """

    colour: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    moments: tuple[Floats, ...]
    pooled: Floats | None


def styles(images_BCHW: Tensor, backbone: Backbone | None) -> list[Style]:
    """Return the style of each picture in [-1, 1]."""
    colours_B3N = lab(images_BCHW).flatten(2).double()
    mean_B3 = colours_B3N.mean(dim=2)
    centred_B3N = colours_B3N - mean_B3[:, :, None]
    spread_B33 = centred_B3N @ centred_B3N.transpose(1, 2) / colours_B3N.shape[2]
    maps = None if backbone is None else backbone.maps(images_BCHW)
    layers, vectors = ([], None) if maps is None else (moments_of(maps), pooled(maps))
    return [
        Style(
            colour=mean_B3[index].cpu().numpy(),
            spread=spread_B33[index].cpu().numpy(),
            moments=tuple(layer[index] for layer in layers),
            pooled=None if vectors is None else vectors[index],
        )
        for index in range(len(images_BCHW))
    ]


def colour_distance(style: Style, exemplar: Style) -> float:
    """Return how far apart the colours of two pictures are, in units of Lab (2.3 is just noticeable).

    The 2-Wasserstein distance of the two Gaussians: how far the colours of the one have to move, at least, on average.
    """
    return float(np.sqrt(wasserstein(style.colour, style.spread, exemplar.colour, exemplar.spread)))


def feature_distance(style: Style, exemplar: Style) -> float:
    """Return how far apart the features' means and deviations are, relative to the exemplar's, averaged over layers.

    The statistics that adaptive instance normalisation matches (Huang and Belongie 2017).
    """
    pairs = zip(style.moments, exemplar.moments, strict=True)
    return float(np.mean([np.linalg.norm(mine - its) / np.linalg.norm(its) for mine, its in pairs]))


def lab(images_BCHW: Tensor) -> Tensor:
    """Convert sRGB in [-1, 1] to L*a*b*, `[B, 3, H, W]`."""
    rgb = ((images_BCHW + 1) / 2).clamp(0, 1)
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = torch.einsum("xc,bchw->bxhw", linear.new_tensor(_TO_XYZ), linear)
    xyz = xyz / xyz.new_tensor(_WHITE)[:, None, None]
    f = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=1e-9) ** (1 / 3), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f.unbind(dim=1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)
