"""The protocol of generators: all that the encoder and every stage after it see of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

NoiseShapes = tuple[tuple[int, int, int], tuple[int, int, int]]


class GeneratorProtocol(Protocol):
    """A network (an `nn.Module`) that makes pictures from a style, the w+ codes, and a content, two noise maps.

    Attributes:
        num_ws, w_dim: shape of the w+ codes of one picture.
        noise_shapes: `(C, H, W)` of the two noise maps.

    A picture's size is that of the noise maps times the encoder's `noise_downscale`. To be stored in a bundle it also
    needs a `config`, an instance of its kind's dataclass (see `stylize.models.kinds`). It may have an average code
    `w_avg` `[w_dim]`, from which the encoder then predicts offsets, and `z_dim`, `c_dim` and `mapping(z, c)`, without
    which an encoder is trained on real pictures alone.
    """

    @property
    def num_ws(self) -> int: ...

    @property
    def w_dim(self) -> int: ...

    @property
    def noise_shapes(self) -> NoiseShapes: ...

    def synthesis(self, ws_BLD: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Return pictures `[B, 3, H, W]`, nominally in [-1, 1], from codes and two noise maps `[B, C, h, w]`.

        Each picture follows from its own codes and maps, whatever else is in the batch.
        """
        ...


def trained_part(generator: GeneratorProtocol) -> nn.Module:
    """Return what `--tune-generator` trains: the synthesis where that is a module of its own, else the whole."""
    part = generator.synthesis if isinstance(generator.synthesis, nn.Module) else generator
    if not isinstance(part, nn.Module):
        raise TypeError(f"{type(generator).__name__} is no nn.Module, and nothing of it can be trained")
    return part


def average_code(generator: GeneratorProtocol) -> Tensor | None:
    """Return the average code `[w_dim]` of a generator that has one."""
    average = getattr(generator, "w_avg", None)
    return average if isinstance(average, Tensor) else None
