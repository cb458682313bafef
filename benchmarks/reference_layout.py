"""The reference layout of the model: one convolution tower per w+ code, and one kernel per picture in the synthesis.

Our own writing of what the published encoder and the original StyleGAN2 do, to measure ours against. The feature
pyramid and the noise heads are shared with ours: they are the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence

import generator as schemes
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.models.bundle import Bundle
from stylize.models.encoder import EncoderConfig, MaskedNoiseEncoder
from stylize.models.generator import Generator, GeneratorConfig, SynthesisBlock, SynthesisLayer, ToRGB
from stylize.models.ops import EqualLinear

SLOPE = 0.2


class Tower(nn.Module):
    """One w+ code from a pyramid level: convolutions with stride 2 down to a single pixel, then a linear layer."""

    def __init__(self, inputs: int, width: int, w_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while max(size) > 1:
            layers += [nn.Conv2d(inputs, width, 3, 2, 1), nn.LeakyReLU(SLOPE)]
            size, inputs = ((size[0] + 1) // 2, (size[1] + 1) // 2), width
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(width, w_dim)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return one code, `[B, w_dim]`."""
        code: Tensor = self.linear(self.convs(x_BCHW).flatten(1))
        return code


class TowerHead(nn.Module):
    """As many towers as a pyramid level has codes; what stands in for `StyleHead`."""

    def __init__(self, inputs: int, width: int, codes: int, w_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.towers = nn.ModuleList(Tower(inputs, width, w_dim, size) for _ in range(codes))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the codes of the level, `[B, codes, w_dim]`."""
        return torch.stack([tower(x_BCHW) for tower in self.towers], dim=1)


class TowerEncoder(MaskedNoiseEncoder):
    """The encoder with towers, which work at one picture size only: the number of strides is built in."""

    def __init__(self, config: EncoderConfig, generator: Generator) -> None:
        super().__init__(config, num_ws=generator.num_ws, w_dim=generator.w_dim, noise_shapes=generator.noise_shapes)
        height, width = generator.image_size
        for level, head in self.style.items():
            size = (height // int(level), width // int(level))
            self.style[level] = TowerHead(config.pyramid, config.head, len(head.linears), generator.w_dim, size)
        self.w_avg.copy_(generator.w_avg)


class FusedLayer(SynthesisLayer):
    """The layer with one kernel per picture, convolved in groups."""

    def forward(self, x_BCHW: Tensor, w_BD: Tensor, noise_BCHW: Tensor | None = None, gain: float = 1.0) -> Tensor:
        """Return what `SynthesisLayer` returns; `gain` is that of the skip architecture, one."""
        x_BCHW = schemes.fused(self.weight, x_BCHW, self.affine(w_BD), self.up, True)
        if noise_BCHW is None:
            noise_BCHW = self.noise_const * self.noise_strength
        return F.leaky_relu(x_BCHW + noise_BCHW + self.bias[:, None, None], SLOPE) * (2**0.5 * gain)


class FusedColour(ToRGB):
    """The last layer of a block, with one kernel per picture."""

    def forward(self, x_BCHW: Tensor, w_BD: Tensor) -> Tensor:
        """Return what `ToRGB` returns."""
        style_BI = self.affine(w_BD) * self.weight_gain
        return schemes.fused(self.weight, x_BCHW, style_BI, False, False) + self.bias[:, None, None]


class FusedBlock(SynthesisBlock):
    """A block of these layers; it doubles the picture by inserting zeros and filtering."""

    def forward(
        self, x_BCHW: Tensor | None, image_BCHW: Tensor | None, ws_BLD: Tensor, noise: Sequence[Tensor] | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return what `SynthesisBlock` returns."""
        assert self.torgb is not None
        noise0, noise1 = (None, None) if noise is None else noise
        codes = iter(ws_BLD.unbind(dim=1))
        if self.conv0 is None:
            assert self.const is not None
            x_BCHW = self.const[None].repeat(len(ws_BLD), 1, 1, 1)
        else:
            x_BCHW = self.conv0(x_BCHW, next(codes), noise0)
        x_BCHW = self.conv1(x_BCHW, next(codes), noise1)
        colours = self.torgb(x_BCHW, next(codes))
        return x_BCHW, colours if image_BCHW is None else schemes.zero_inserted(image_BCHW) + colours


class FusedGenerator(Generator):
    """Our generator's weights in the original's scheme; skip architecture only."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        for block in self.synthesis.blocks:
            assert isinstance(block, SynthesisBlock)
            assert config.architecture == "skip"
            block.__class__ = FusedBlock  # the same parts, joined in another way
            for layer in (block.conv0, block.conv1):
                if layer is not None:
                    layer.__class__ = FusedLayer
            assert block.torgb is not None
            block.torgb.__class__ = FusedColour


def reference_bundle(config: GeneratorConfig, encoder: EncoderConfig, *, seed: int = 0) -> Bundle:
    """Make an untrained bundle in the reference layout, its generator with the weights of ours of that seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = FusedGenerator(config)
        return Bundle(TowerEncoder(encoder, generator), generator)
