"""A convolutional decoder as generator: content from the noise maps alone, style by adaptive instance norm.

Nothing of StyleGAN2 is in it: no constant, no modulated weights, no mapping network, no latent to sample from. The
first noise map is what the network computes on, the second joins half way, and each convolution's output is brought to
the mean and deviation that a w+ code asks for (adaptive instance normalisation, arXiv 1703.06868; the code gives scale
and offset per channel as in FiLM, arXiv 1709.07871). The last code moves the colours.

    noise_0 --conv--> [block, block + noise_1, block] at the maps' size --up, conv--> ... --conv--> RGB --colours-->
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.errors import ConfigurationError
from stylize.models.protocol import NoiseShapes

WIDTHS = {"light": (96, 48, 24, 16), "paper": (256, 128, 64, 32)}  # from the noise maps' size up
BLOCKS = {"light": 3, "paper": 6}
CODE = {"light": 128, "paper": 512}


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """The shape of a decoder.

    `size` is height and width of its pictures, `channels` that of the noise maps at `1 / noise_downscale` of it.
    `widths` go from the noise maps' size up, one per doubling and one more; `blocks` are the residual blocks at the
    noise maps' size, two codes each.
    """

    size: tuple[int, int] = (96, 128)
    channels: int = 96
    widths: tuple[int, ...] = (96, 48, 24)
    blocks: int = 3
    w_dim: int = 128
    noise_downscale: int = 4

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "widths", tuple(self.widths))
        doublings = round(math.log2(self.noise_downscale))
        if 1 << doublings != self.noise_downscale or len(self.widths) != doublings + 1:
            raise ConfigurationError(
                f"a decoder of noise maps at 1/{self.noise_downscale} has one width per doubling and one more: "
                f"{len(self.widths)} are given"
            )
        if any(side % self.noise_downscale for side in self.size) or min(self.size) < 2 * self.noise_downscale:
            raise ConfigurationError(
                f"a decoder's pictures of {self.size[0]}x{self.size[1]} do not fit noise maps at "
                f"1/{self.noise_downscale}: choose multiples of {self.noise_downscale}, two at least"
            )
        if self.blocks < 1:
            raise ConfigurationError("a decoder has at least one block")

    @classmethod
    def for_size(cls, size: tuple[int, int], preset: str = "light", noise_downscale: int = 4) -> DecoderConfig:
        """Return the shape of a decoder of pictures of `size` (height, width)."""
        widths = WIDTHS[preset][: round(math.log2(noise_downscale)) + 1]
        return cls(
            size=size,
            channels=widths[0],
            widths=widths,
            blocks=BLOCKS[preset],
            w_dim=CODE[preset],
            noise_downscale=noise_downscale,
        )

    @property
    def num_ws(self) -> int:
        """Number of w+ codes: two per block, one per doubling, one for the colours."""
        return 2 * self.blocks + len(self.widths)

    @property
    def noise_shapes(self) -> NoiseShapes:
        """`(C, H, W)` of the two noise maps."""
        height, width = self.size
        shape = (self.channels, height // self.noise_downscale, width // self.noise_downscale)
        return shape, shape


class StyledConv(nn.Module):
    """3x3 convolution whose output gets, channel by channel, the deviation and the mean that a code asks for."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, padding_mode="reflect")
        self.style = nn.Linear(w_dim, 2 * outputs)

    def forward(self, x_BCHW: Tensor, w_BD: Tensor) -> Tensor:
        scale_BC11, offset_BC11 = self.style(w_BD)[:, :, None, None].chunk(2, dim=1)
        normal_BCHW = F.instance_norm(self.conv(x_BCHW), eps=1e-3)
        styled_BCHW: Tensor = F.leaky_relu(normal_BCHW * (1 + scale_BC11) + offset_BC11, 0.2)
        return styled_BCHW


class Block(nn.Module):
    """Two styled convolutions beside a shortcut; the dilation of the first widens what a pixel depends on."""

    def __init__(self, width: int, w_dim: int, *, dilation: int) -> None:
        super().__init__()
        self.first = StyledConv(width, width, w_dim, dilation=dilation)
        self.second = StyledConv(width, width, w_dim)

    def forward(self, x_BCHW: Tensor, first_BD: Tensor, second_BD: Tensor) -> Tensor:
        change_BCHW: Tensor = self.second(self.first(x_BCHW, first_BD), second_BD)
        return x_BCHW + change_BCHW


class Colours(nn.Module):
    """An affine change of all colours of a picture, which a code decides; none for the code 0."""

    def __init__(self, w_dim: int) -> None:
        super().__init__()
        self.change = nn.Linear(w_dim, 12)
        nn.init.normal_(self.change.weight, std=0.02)
        nn.init.zeros_(self.change.bias)

    def forward(self, x_BCHW: Tensor, w_BD: Tensor) -> Tensor:
        change_B34 = self.change(w_BD).view(-1, 3, 4)
        moved_BCHW: Tensor = torch.einsum("bij,bjhw->bihw", change_B34[:, :, :3], x_BCHW)
        offset_BC11: Tensor = change_B34[:, :, 3, None, None]
        return x_BCHW + moved_BCHW + offset_BC11


class Decoder(nn.Module):
    """The generator of the kind `decoder`, see `stylize.models.protocol`."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.num_ws, self.w_dim = config.num_ws, config.w_dim
        self.noise_shapes = config.noise_shapes
        width = config.widths[0]
        self.entry = nn.ModuleList(nn.Conv2d(config.channels, width, 3, padding=1) for _ in config.noise_shapes)
        self.blocks = nn.ModuleList(
            Block(width, config.w_dim, dilation=_dilation(index, config)) for index in range(config.blocks)
        )
        self.ups = nn.ModuleList(
            StyledConv(coarse, fine, config.w_dim)
            for coarse, fine in zip(config.widths[:-1], config.widths[1:], strict=True)
        )
        self.to_rgb = nn.Conv2d(config.widths[-1], 3, 3, padding=1)
        self.colours = Colours(config.w_dim)

    def synthesis(self, ws_BLD: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Return pictures `[B, 3, H, W]`, nominally in [-1, 1]; without noise maps there is no content, only a colour.

        Args:
            ws_BLD: `[B, num_ws, w_dim]`.
            noise: two maps `[B, C, h, w]` of the shapes in `noise_shapes`.
        """
        if ws_BLD.shape[1] != self.num_ws:
            raise ConfigurationError(f"expected {self.num_ws} w+ codes, got {ws_BLD.shape[1]}")
        codes = iter(ws_BLD.unbind(dim=1))
        first, second = noise or [ws_BLD.new_zeros(len(ws_BLD), *shape) for shape in self.noise_shapes]
        x_BCHW = self.entry[0](first)
        for index, block in enumerate(self.blocks):
            if index == len(self.blocks) // 2:
                x_BCHW = x_BCHW + self.entry[1](second)
            x_BCHW = block(x_BCHW, next(codes), next(codes))
        for up in self.ups:
            x_BCHW = F.interpolate(x_BCHW, scale_factor=2, mode="bilinear", align_corners=False)
            x_BCHW = up(x_BCHW, next(codes))
        pictures: Tensor = self.colours(self.to_rgb(x_BCHW), next(codes))
        return pictures


def _dilation(index: int, config: DecoderConfig) -> int:
    """Return 1, 2, 4, 1, ... as far as the noise maps are large enough for reflections at their border."""
    _, height, width = config.noise_shapes[0]
    return min(1 << index % 3, height - 1, width - 1)
