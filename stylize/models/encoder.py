"""The masked noise encoder: from pictures to w+ codes and noise maps (arXiv 2307.00648, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.errors import ConfigurationError

CODES_FROM_16TH = 3  # w+ codes 0-2 come from the 1/16 level
CODES_FROM_8TH = 7  # codes 3-6 from the 1/8 level, the rest from the 1/4 level
STYLE_BANDS = 3  # a street picture's sky, middle and road differ in style; bands fit any picture size


class Codes(NamedTuple):
    """What an inversion gives: w+ codes `[B, num_ws, w_dim]` (style) and two noise maps `[B, C, h, w]` (content)."""

    ws_BLD: Tensor
    noise: tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The shape of an encoder.

    `stem` is the width at 1/2 of the picture, `widths` those of c2..c5 at 1/4..1/32, `blocks` the residual blocks in
    each. `noise_downscale` says from which pyramid level (1/2, 1/4 or 1/8) the noise maps come. `normalize_noise`
    removes mean and variance of each predicted map and channel, so that colour and light must travel in the codes
    (not in the paper). `offset_from_average` predicts the codes as offsets from the generator's `w_avg`.
    """

    block: str = "basic"
    stem: int = 32
    widths: tuple[int, ...] = (64, 128, 192, 192)
    blocks: tuple[int, ...] = (1, 1, 1, 1)
    pyramid: int = 96
    head: int = 192
    noise_downscale: int = 4
    normalize_noise: bool = True
    offset_from_average: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if len(self.widths) != 4 or len(self.blocks) != 4:
            raise ConfigurationError("an encoder has four stages, 1/4 to 1/32: give four widths and four blocks")
        if self.block not in ("basic", "bottleneck"):
            raise ConfigurationError(f"encoder block {self.block!r} is neither 'basic' nor 'bottleneck'")
        if self.noise_downscale not in (2, 4, 8):
            raise ConfigurationError(f"noise maps come at 1/2, 1/4 or 1/8 of the picture, not 1/{self.noise_downscale}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


LIGHT = EncoderConfig()
PAPER = EncoderConfig(
    block="bottleneck",
    stem=64,
    widths=(256, 512, 1024, 2048),
    blocks=(3, 4, 6, 3),
    pyramid=256,
    head=512,
    normalize_noise=False,
)


def _norm(channels: int) -> nn.GroupNorm:
    # Group instead of batch statistics: a picture's codes must not depend on its neighbours in the batch.
    groups = max(min(16, channels // 4), 1)
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = _norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = _norm(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW = F.relu(self.norm1(self.conv1(x_BCHW)))
        return F.relu(self.norm2(self.conv2(y_BCHW)) + self.shortcut(x_BCHW))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, four times narrower inside, and a shortcut (arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.norm1 = _norm(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.norm2 = _norm(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.norm3 = _norm(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW = F.relu(self.norm1(self.conv1(x_BCHW)))
        y_BCHW = F.relu(self.norm2(self.conv2(y_BCHW)))
        return F.relu(self.norm3(self.conv3(y_BCHW)) + self.shortcut(x_BCHW))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(_Pointwise(inputs, outputs, 1, stride, bias=False), _norm(outputs))


class _Pointwise(nn.Conv2d):
    """A 1x1 convolution that leaves pixels out before it is trained, and not by its stride.

    On processors without AVX-512 the gradient of the strided one, of channels that are no multiple of 8, is written
    past its end ("double free or corruption" in oneDNN, with PyTorch 2.14 and 2.15). Inference keeps the stride, and
    with it its last bits.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return what the strided convolution would."""
        if not torch.is_grad_enabled():
            return super().forward(x_BCHW)
        down, right = self.stride
        return F.conv2d(x_BCHW[..., ::down, ::right], self.weight, self.bias)


class FeaturePyramid(nn.Module):
    """c2..c5 at 1/4..1/32, joined top-down: lateral 1x1, bilinear sum, 3x3 smoothing (arXiv 1612.03144)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        block = BasicBlock if config.block == "basic" else Bottleneck
        kernel = 3 if config.block == "basic" else 7
        self.stem = nn.Sequential(
            nn.Conv2d(3, config.stem, kernel, 2, kernel // 2, bias=False), _norm(config.stem), nn.ReLU()
        )
        stages, inputs = [], config.stem
        for width, count in zip(config.widths, config.blocks, strict=True):
            strides = [2] + [1] * (count - 1)
            stages.append(nn.Sequential(*(block(inputs if s == 2 else width, width, s) for s in strides)))
            inputs = width
        self.stages = nn.ModuleList(stages)
        levels = (config.stem, *config.widths) if config.noise_downscale == 2 else config.widths
        self.lateral = nn.ModuleList(nn.Conv2d(width, config.pyramid, 1) for width in levels)
        self.smooth = nn.ModuleList(nn.Conv2d(config.pyramid, config.pyramid, 3, 1, 1) for _ in levels[:-1])

    def forward(self, images_BCHW: Tensor) -> dict[int, Tensor]:
        """Return `{downscale: features}` for every level but the coarsest."""
        x_BCHW = self.stem(images_BCHW)
        bottom_up = [x_BCHW]
        for stage in self.stages:
            bottom_up.append(stage(bottom_up[-1]))
        bottom_up = bottom_up[len(bottom_up) - len(self.lateral) :]
        downscale = 32
        top_down = self.lateral[-1](bottom_up[-1])
        pyramid = {}
        for lateral, smooth, features in zip(
            list(self.lateral)[-2::-1], list(self.smooth)[::-1], bottom_up[-2::-1], strict=True
        ):
            downscale //= 2
            size = (features.shape[2], features.shape[3])
            top_down = lateral(features) + F.interpolate(top_down, size=size, mode="bilinear", align_corners=False)
            pyramid[downscale] = smooth(top_down)
        return pyramid


class StyleHead(nn.Module):
    """Several w+ codes from one pyramid level: strided convolutions shared, one linear layer per code."""

    def __init__(self, inputs: int, width: int, codes: int, w_dim: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(inputs, width, 3, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, 2, 1), nn.LeakyReLU(0.2)
        )
        self.linears = nn.ModuleList(nn.Linear((STYLE_BANDS + 1) * width, w_dim) for _ in range(codes))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.convs(x_BCHW)
        bands = F.adaptive_avg_pool2d(x_BCHW, (STYLE_BANDS, 1)).flatten(1)
        spread = (x_BCHW.var(dim=(2, 3), correction=0) + 1e-5).sqrt()
        pooled = torch.cat([bands, spread], dim=1)
        return torch.stack([linear(pooled) for linear in self.linears], dim=1)


class NoiseHead(nn.Module):
    """One noise map from a pyramid level by three 1x1 convolutions."""

    def __init__(self, inputs: int, channels: int, *, normalize: bool) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(inputs, inputs, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(inputs, inputs, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(inputs, channels, 1),
        )
        self.gain = nn.Parameter(torch.ones(1, channels, 1, 1)) if normalize else None

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.convs(x_BCHW)
        return x_BCHW if self.gain is None else F.instance_norm(x_BCHW, eps=1e-3) * self.gain


class MaskedNoiseEncoder(nn.Module):
    """From pictures to `Codes`; the masking itself is a step of training and lives there."""

    w_avg: Tensor

    def __init__(
        self, config: EncoderConfig, *, num_ws: int, w_dim: int, noise_shapes: Sequence[tuple[int, int, int]]
    ) -> None:
        super().__init__()
        self.config = config
        self.pyramid = FeaturePyramid(config)
        counts = {16: min(CODES_FROM_16TH, num_ws), 8: min(CODES_FROM_8TH, num_ws) - min(CODES_FROM_16TH, num_ws)}
        counts[4] = num_ws - counts[16] - counts[8]
        self.style = nn.ModuleDict(
            {str(d): StyleHead(config.pyramid, config.head, n, w_dim) for d, n in counts.items() if n}
        )
        self.noise = nn.ModuleList(
            NoiseHead(config.pyramid, shape[0], normalize=config.normalize_noise) for shape in noise_shapes
        )
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, images_BCHW: Tensor) -> Codes:
        """Return the codes of pictures `[B, 3, H, W]` in [-1, 1] of any size.

        A generator takes the noise maps of its own picture size only, which is a multiple of `noise_downscale`.
        """
        pyramid = self.pyramid(images_BCHW)
        ws_BLD = torch.cat([head(pyramid[int(level)]) for level, head in self.style.items()], dim=1)
        if self.config.offset_from_average:
            ws_BLD = ws_BLD + self.w_avg
        level = pyramid[self.config.noise_downscale]
        noise0, noise1 = (head(level) for head in self.noise)
        return Codes(ws_BLD, (noise0, noise1))
