"""A segmentation network of a quarter of a million weights, small enough to train from scratch on two CPU cores."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.errors import ConfigurationError

STRIDE = 16  # of the coarsest features: pictures come in multiples of it
GROUPS = 8
WIDTHS, PYRAMID = (16, 32, 64, 96), 32
_SEEDED = threading.Lock()  # torch's generator is one for all threads


class Segmenter(nn.Module):
    """Pictures [B, 3, H, W] in [-1, 1] to class scores [B, classes, H/2, W/2].

    An encoder to 1/16 whose features are added up on the way back (a feature pyramid). Norms are over groups of
    channels, so that no picture depends on its neighbours in a batch, nor on the statistics of a training set.
    """

    def __init__(self, classes: int, widths: Sequence[int] = WIDTHS, pyramid: int = PYRAMID) -> None:
        super().__init__()
        if len(widths) != 4 or any(width % GROUPS for width in (*widths, pyramid)):
            raise ConfigurationError(f"a segmenter has four widths, 1/2 to 1/16, and all widths divide by {GROUPS}")
        self.classes = classes
        inputs = (3, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(_conv(before, width, stride=2), _conv(width, width))
            for before, width in zip(inputs, widths, strict=True)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, pyramid, 1) for width in widths)
        self.context = nn.Conv2d(widths[-1], pyramid, 1)
        self.smooth = nn.ModuleList(_conv(pyramid, pyramid) for _ in widths)
        self.head = nn.Conv2d(pyramid, classes, 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return the scores; `upsampled` brings them to a size."""
        features = []
        x_BCHW = images_BCHW
        for stage in self.stages:
            x_BCHW = stage(x_BCHW)
            features.append(x_BCHW)
        # What the picture is as a whole, night or day, is known everywhere.
        top_BCHW = self.context(x_BCHW.mean((2, 3), keepdim=True))
        for feature_BCHW, lateral, smooth in zip(
            reversed(features), reversed(self.laterals), reversed(self.smooth), strict=True
        ):
            wider_BCHW = lateral(feature_BCHW)
            top_BCHW = smooth(wider_BCHW + F.interpolate(top_BCHW, wider_BCHW.shape[-2:], mode="nearest"))
        scores_BCHW: Tensor = self.head(top_BCHW)
        return scores_BCHW


def upsampled(scores_BCHW: Tensor, height: int, width: int) -> Tensor:
    """Return scores at a picture's size."""
    return F.interpolate(scores_BCHW, (height, width), mode="bilinear", align_corners=False)


def weights_in(network: nn.Module) -> int:
    """Return how many numbers a network has learnt."""
    return sum(weight.numel() for weight in network.parameters())


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.GroupNorm(GROUPS, outputs),
        nn.ReLU(inplace=True),
    )


def initial(classes: int, seed: int, widths: Sequence[int] = WIDTHS, pyramid: int = PYRAMID) -> Segmenter:
    """Return a network with the first weights of a seed; the state of torch's own generator is kept."""
    with _SEEDED, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Segmenter(classes, widths, pyramid)
