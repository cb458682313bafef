"""StyleGAN2 with rectangular constants, and w+ codes and noise maps from outside (arXiv 1912.04958)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.errors import ConfigurationError
from stylize.models.ops import (
    EqualLinear,
    demodulation,
    fast_layout,
    finish,
    modulated_conv,
    modulated_pointwise,
    normalize_second_moment,
    upsample2,
)

ARCHITECTURES = ("skip", "resnet", "orig")


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """The shape of a generator.

    `channels` holds one width per block, from the constant up; each block doubles height and width, so the picture is
    `const_size * 2 ** (len(channels) - 1)`. The two noise maps enter the block at `1 / noise_downscale` of the
    picture. `mapping_width` (of the hidden layers) and `embed_width` (of a class condition) are `w_dim` by default.
    `conv_clamp` is a checkpoint's activation limit, None for no limit; without `use_noise` no layer stores noise.
    """

    const_size: tuple[int, int] = (3, 4)
    channels: tuple[int, ...] = (128, 128, 128, 96, 48, 24)
    z_dim: int = 128
    w_dim: int = 128
    c_dim: int = 0
    mapping_layers: int = 2
    mapping_width: int | None = None
    mapping_lr_multiplier: float = 0.01
    embed_width: int | None = None
    architecture: str = "skip"
    conv_clamp: float | None = None
    use_noise: bool = True
    noise_downscale: int = 4
    img_channels: int = 3

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ConfigurationError(f"architecture {self.architecture!r} is not one of {', '.join(ARCHITECTURES)}")
        object.__setattr__(self, "const_size", tuple(self.const_size))
        object.__setattr__(self, "channels", tuple(self.channels))
        if not 0 < self.noise_block < len(self.channels):
            raise ConfigurationError(
                f"noise maps at 1/{self.noise_downscale} of the picture need a block at that scale above the constant; "
                f"this generator has {len(self.channels)} blocks"
            )

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the pictures, in pixels."""
        scale = 2 ** (len(self.channels) - 1)
        return self.const_size[0] * scale, self.const_size[1] * scale

    @property
    def noise_block(self) -> int:
        """Index of the block that takes the noise maps."""
        return len(self.channels) - 1 - round(math.log2(self.noise_downscale))

    @property
    def num_ws(self) -> int:
        """Number of w+ codes: one per convolution and one for the last colour layer."""
        return 2 * len(self.channels)

    @property
    def noise_shapes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """`(C, H, W)` of the two noise maps."""
        height, width = self.image_size
        shape = (self.channels[self.noise_block], height // self.noise_downscale, width // self.noise_downscale)
        return shape, shape

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Mapping(nn.Module):
    """From latents z (and a class condition c) to w+ codes."""

    w_avg: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.num_ws = config.num_ws
        self.c_dim = config.c_dim
        embedded = (config.embed_width or config.w_dim) if config.c_dim else 0
        self.embed = EqualLinear(config.c_dim, embedded) if config.c_dim else None
        hidden = config.mapping_width or config.w_dim
        widths = [config.z_dim + embedded]
        widths += [hidden] * (config.mapping_layers - 1) + [config.w_dim]
        self.layers = nn.ModuleList(
            EqualLinear(a, b, lr_multiplier=config.mapping_lr_multiplier, lrelu=True)
            for a, b in itertools.pairwise(widths)
        )
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self,
        z_BD: Tensor,
        c_BK: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Return w+ codes `[B, num_ws, w_dim]`.

        `truncation_psi` pulls the codes towards the average (1: not at all, 0: the average picture), in the first
        `truncation_cutoff` layers or in all of them. A class-conditional checkpoint needs `c_BK`, one-hot rows.
        """
        x_BD = normalize_second_moment(z_BD)
        if self.embed is not None:
            if c_BK is None:
                raise ConfigurationError(
                    f"this generator is class-conditional: pass c, a one-hot [B, {self.c_dim}] tensor"
                )
            x_BD = torch.cat([x_BD, normalize_second_moment(self.embed(c_BK))], dim=1)
        for layer in self.layers:
            x_BD = layer(x_BD)
        ws_BLD = x_BD.unsqueeze(1).repeat(1, self.num_ws, 1)
        if truncation_psi == 1.0:
            return ws_BLD
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        truncated = self.w_avg.lerp(ws_BLD[:, :cutoff], truncation_psi)
        return torch.cat([truncated, ws_BLD[:, cutoff:]], dim=1)


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias and leaky ReLU."""

    noise_const: Tensor

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], config: GeneratorConfig, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.clamp = config.conv_clamp
        self.affine = EqualLinear(config.w_dim, inputs, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.use_noise = config.use_noise
        if config.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros([]))
            self.register_buffer("noise_const", torch.randn(size))

    def forward(self, x_BCHW: Tensor, w_BD: Tensor, noise_BCHW: Tensor | None = None, gain: float = 1.0) -> Tensor:
        style_BI = self.affine(w_BD)
        x_BCHW = modulated_conv(x_BCHW, self.weight, style_BI, up=self.up)
        if noise_BCHW is None and self.use_noise:
            noise_BCHW = self.noise_const * self.noise_strength
        return finish(x_BCHW, demodulation(self.weight, style_BI), self.bias, noise_BCHW, gain, self.clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to colours, without demodulation."""

    def __init__(self, inputs: int, config: GeneratorConfig) -> None:
        super().__init__()
        self.clamp = config.conv_clamp
        self.affine = EqualLinear(config.w_dim, inputs, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))
        self.weight_gain = 1 / math.sqrt(inputs)

    def forward(self, x_BCHW: Tensor, w_BD: Tensor) -> Tensor:
        style_BI = self.affine(w_BD) * self.weight_gain
        x_BCHW = modulated_pointwise(x_BCHW, self.weight, style_BI, self.bias)
        return x_BCHW if self.clamp is None else x_BCHW.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """All layers at one resolution; the first block holds the constant and one convolution only."""

    def __init__(self, index: int, config: GeneratorConfig) -> None:
        super().__init__()
        first, last = index == 0, index == len(config.channels) - 1
        outputs = config.channels[index]
        inputs = outputs if first else config.channels[index - 1]
        size = (config.const_size[0] << index, config.const_size[1] << index)
        self.const = nn.Parameter(torch.randn(outputs, *config.const_size)) if first else None
        self.conv0 = None if first else SynthesisLayer(inputs, outputs, size, config, up=True)
        self.conv1 = SynthesisLayer(outputs, outputs, size, config, up=False)
        self.torgb = ToRGB(outputs, config) if last or config.architecture == "skip" else None
        self.skip: nn.Conv2d | None = None
        if config.architecture == "resnet" and not first:
            self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)
            nn.init.normal_(self.skip.weight, std=1 / math.sqrt(inputs))

    @property
    def num_convs(self) -> int:
        return 1 if self.conv0 is None else 2

    def forward(
        self, x_BCHW: Tensor | None, image_BCHW: Tensor | None, ws_BLD: Tensor, noise: Sequence[Tensor] | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return features and the colours accumulated so far; `ws_BLD` holds this block's codes in layer order."""
        noise0, noise1 = (None, None) if noise is None else noise
        w = iter(ws_BLD.unbind(dim=1))
        if self.conv0 is None:
            assert self.const is not None
            x_BCHW = fast_layout(self.const.unsqueeze(0).expand(ws_BLD.shape[0], -1, -1, -1))
            x_BCHW = self.conv1(x_BCHW, next(w), noise1)
        elif self.skip is not None:
            assert x_BCHW is not None
            shortcut = upsample2(F.conv2d(x_BCHW, self.skip.weight * math.sqrt(0.5)))
            x_BCHW = self.conv0(x_BCHW, next(w), noise0)
            x_BCHW = shortcut + self.conv1(x_BCHW, next(w), noise1, gain=math.sqrt(0.5))
        else:
            x_BCHW = self.conv0(x_BCHW, next(w), noise0)
            x_BCHW = self.conv1(x_BCHW, next(w), noise1)
        assert x_BCHW is not None
        if image_BCHW is not None:
            image_BCHW = upsample2(image_BCHW)
        if self.torgb is not None:
            colours = self.torgb(x_BCHW, next(w))
            image_BCHW = colours if image_BCHW is None else image_BCHW + colours
        return x_BCHW, image_BCHW


class Synthesis(nn.Module):
    """From w+ codes and noise maps to pictures."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(SynthesisBlock(i, config) for i in range(len(config.channels)))

    def forward(self, ws_BLD: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Return pictures `[B, 3, H, W]`, nominally in [-1, 1].

        Args:
            ws_BLD: `[B, num_ws, w_dim]`.
            noise: two maps `[B, C, h, w]` of the shapes in `noise_shapes`, or None for the stored constant noise.
                They replace the stored noise and its strength in the block at `1 / noise_downscale`.
        """
        if ws_BLD.shape[1] != self.config.num_ws:
            raise ConfigurationError(f"expected {self.config.num_ws} w+ codes, got {ws_BLD.shape[1]}")
        x_BCHW: Tensor | None = None
        image_BCHW: Tensor | None = None
        first = 0
        for index, block in enumerate(self.blocks):
            assert isinstance(block, SynthesisBlock)
            codes = ws_BLD[:, first : first + block.num_convs + 1]
            block_noise = noise if index == self.config.noise_block else None
            x_BCHW, image_BCHW = block(x_BCHW, image_BCHW, codes, block_noise)
            first += block.num_convs
        assert image_BCHW is not None
        return image_BCHW


class Generator(nn.Module):
    """A StyleGAN2 generator: `mapping(z) -> ws`, `synthesis(ws, noise=None) -> pictures`."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.num_ws = config.num_ws
        self.w_dim = config.w_dim
        self.z_dim = config.z_dim
        self.c_dim = config.c_dim
        self.image_size = config.image_size
        self.noise_shapes = config.noise_shapes
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)

    @property
    def w_avg(self) -> Tensor:
        """The average w+ code, `[w_dim]`."""
        return self.mapping.w_avg

    def forward(self, z_BD: Tensor, c_BK: Tensor | None = None, truncation_psi: float = 1.0) -> Tensor:
        """Return pictures `[B, 3, H, W]` for latents `[B, z_dim]`."""
        pictures: Tensor = self.synthesis(self.mapping(z_BD, c_BK, truncation_psi))
        return pictures


def mix_styles(ws_BLD: Tensor, other_BLD: Tensor, layers: Sequence[int]) -> Tensor:
    """Return `ws_BLD` with the codes of `layers` taken from `other_BLD` (style mixing, arXiv 1812.04948, 3.1)."""
    mixed = ws_BLD.clone()
    mixed[:, list(layers)] = other_BLD[:, list(layers)]
    return mixed
