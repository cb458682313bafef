"""The residual discriminator that StyleGAN2 is trained against (Karras et al. 2020, arXiv 1912.04958)."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.models.ops import FILTER, LRELU_GAIN, LRELU_SLOPE, EqualLinear

GROUP = 4  # pictures whose spread is compared, see `append_spread`


def low_pass(x_BCHW: Tensor, *, padding: int, stride: int = 1) -> Tensor:
    """Apply the filter [1, 3, 3, 1] in both directions, zeros outside; with stride 2 and padding 1 the size halves."""
    channels = x_BCHW.shape[1]
    taps = x_BCHW.new_tensor(FILTER) / sum(FILTER)
    kernel = torch.outer(taps, taps).expand(channels, 1, 4, 4)
    return F.conv2d(x_BCHW, kernel, stride=stride, padding=padding, groups=channels)


def append_spread(x_BCHW: Tensor, group: int = GROUP) -> Tensor:
    """Append one channel: the standard deviation within groups of pictures, averaged over everything else.

    It shows the discriminator when a generator always draws the same (arXiv 1710.10196, section 3). A batch that
    `group` does not divide is one group.
    """
    batch, _, height, width = x_BCHW.shape
    group = group if batch % group == 0 else batch
    spread = x_BCHW.view(group, batch // group, *x_BCHW.shape[1:])
    spread = (spread.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return torch.cat([x_BCHW, spread.repeat(group).view(batch, 1, 1, 1).expand(-1, -1, height, width)], dim=1)


class EqualConv(nn.Module):
    """A convolution with equalised learning rate; with `down` it halves the picture behind a low-pass filter."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, down: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.weight_gain = 1 / math.sqrt(inputs * kernel * kernel)
        self.down = down

    def forward(self, x_BCHW: Tensor, gain: float = 1.0) -> Tensor:
        """Convolve; a layer with a bias also has the leaky ReLU behind it."""
        weight = self.weight * self.weight_gain
        kernel = weight.shape[-1]
        if self.down and kernel == 1:
            x_BCHW = F.conv2d(low_pass(x_BCHW, padding=1, stride=2), weight)
        elif self.down:
            x_BCHW = F.conv2d(low_pass(x_BCHW, padding=2), weight, stride=2)
        else:
            x_BCHW = F.conv2d(x_BCHW, weight, padding=kernel // 2)
        if self.bias is None:
            return x_BCHW * gain
        bias = self.bias.to(x_BCHW.dtype).view(1, -1, 1, 1)  # in half precision, sums would be in 32 bits otherwise
        return F.leaky_relu(x_BCHW + bias, LRELU_SLOPE) * (LRELU_GAIN * gain)


class ResidualBlock(nn.Module):
    """Two convolutions to half the size, and a shortcut; the sum keeps the variance."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = EqualConv(inputs, inputs, 3)
        self.conv1 = EqualConv(inputs, outputs, 3, down=True)
        self.skip = EqualConv(inputs, outputs, 1, down=True, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        half = math.sqrt(0.5)
        shortcut: Tensor = self.skip(x_BCHW, gain=half)
        deep: Tensor = self.conv1(self.conv0(x_BCHW), gain=half)
        return shortcut + deep


class ResidualDiscriminator(nn.Module):
    """From pictures of the size of a generator with the same `const_size` and `channels` to one logit each."""

    def __init__(self, const_size: tuple[int, int], channels: tuple[int, ...], img_channels: int = 3) -> None:
        super().__init__()
        self.from_rgb = EqualConv(img_channels, channels[-1], 1)
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in itertools.pairwise(reversed(channels)))
        self.conv = EqualConv(channels[0] + 1, channels[0], 3)
        self.hidden = EqualLinear(channels[0] * const_size[0] * const_size[1], channels[0], lrelu=True)
        self.logit = EqualLinear(channels[0], 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return logits `[B]` of pictures `[B, 3, H, W]` in [-1, 1]."""
        x_BCHW = self.from_rgb(images_BCHW)
        for block in self.blocks:
            x_BCHW = block(x_BCHW)
        x_BCHW = self.conv(append_spread(x_BCHW))
        logits: Tensor = self.logit(self.hidden(x_BCHW.flatten(1))).squeeze(1)
        return logits
