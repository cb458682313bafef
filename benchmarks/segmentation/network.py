"""The reference segmentation network: ImageNet EfficientNet-Lite0 to 1/16 with a feature pyramid on top."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.models.perceptual import load_features

NETWORK = "network.pt"  # the file that holds a trained one
CHANNELS = (24, 40, 112)  # of the features at 1/4, 1/8 and 1/16
FAINT = 0.03  # added to deviations, lest the noise of an empty picture be taken for one


class SegmentationNetwork(nn.Module):
    """Pictures [B, 3, H, W] in [-1, 1] to class scores [B, classes, H/4, W/4].

    The batch norms of the backbone are folded into its convolutions, as at inference: nothing in the network depends on
    the statistics of a batch, and a step costs a third less. One that is `standardised` sees each picture without its
    own brightness, contrast and tint (see `standardise`).
    """

    standardised: Tensor  # a buffer, so that it is kept with the weights

    def __init__(self, classes: int, width: int = 64, *, standardised: bool = False) -> None:
        super().__init__()
        self.register_buffer("standardised", torch.tensor(standardised))
        self.backbone = _trainable(load_features())
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in CHANNELS)
        self.context = nn.Conv2d(CHANNELS[-1], width, 1)
        self.smooth = nn.ModuleList(_separable(width) for _ in CHANNELS)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return the scores; `upsampled` brings them to a size."""
        if self.standardised:
            images_BCHW = standardise(images_BCHW)
        *_, quarter, eighth, sixteenth = self.backbone(images_BCHW)
        top = self.smooth[2](self.lateral[2](sixteenth) + self.context(sixteenth.mean((2, 3), keepdim=True)))
        middle = self.smooth[1](self.lateral[1](eighth) + _like(top, eighth))
        scores: Tensor = self.head(self.smooth[0](self.lateral[0](quarter) + _like(middle, quarter)))
        return scores


def standardise(images_BCHW: Tensor) -> Tensor:
    """Return pictures whose channels each have mean 0 and a deviation of some 0.5, about that of ImageNet."""
    deviation_BC11, mean_BC11 = torch.std_mean(images_BCHW, (2, 3), keepdim=True)
    return (images_BCHW - mean_BC11) * (0.5 / (deviation_BC11 + FAINT))


def upsampled(scores_BCHW: Tensor, height: int, width: int) -> Tensor:
    """Return scores at a picture's size."""
    return F.interpolate(scores_BCHW, (height, width), mode="bilinear", align_corners=False)


def _trainable(features: nn.Module) -> nn.Module:
    """Turn the frozen weights, kept as buffers, into parameters."""
    for module in features.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            delattr(module, name)
            module.register_parameter(name, nn.Parameter(buffer.clone()))
    return features


def _separable(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width),
        nn.Conv2d(width, width, 1),
        nn.GroupNorm(8, width),
        nn.ReLU(inplace=True),
    )


def _like(x_BCHW: Tensor, other_BCHW: Tensor) -> Tensor:
    return F.interpolate(x_BCHW, other_BCHW.shape[-2:], mode="bilinear", align_corners=False)


def load_network(path: Path, classes: int) -> SegmentationNetwork:
    """Load what `training.train` saved."""
    network = SegmentationNetwork(classes)
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict({"standardised": torch.tensor(False), **state})  # early ones do not say
    return network.eval()
