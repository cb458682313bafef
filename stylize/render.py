"""Stylize pictures: the content's noise maps with the exemplar's codes, carried over to the source at its own size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stylize.colormap import ColorMap, ColorMapConfig, fit_colormap
from stylize.errors import ConfigurationError
from stylize.images import Pixels, to_model

if TYPE_CHECKING:
    from stylize.models.bundle import Bundle

_PART = re.compile(r"(\d+)(?:-(\d+))?")


def parse_layers(text: str, num_ws: int) -> tuple[int, ...]:
    """Return the synthesis layers of a list such as `0-3,7`, sorted and each once, counted from 0.

    Raises ConfigurationError when the text is no such list or names a layer that the model has not.
    """
    layers: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ConfigurationError(
                f"layers {text!r}: {part!r} is neither a number nor a range; write for instance 0-3,7"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ConfigurationError(f"layers {text!r}: the range {part} runs backwards; write {last}-{first}")
        if last >= num_ws:
            raise ConfigurationError(f"layers {text!r}: this model has layers 0-{num_ws - 1}, not {last}")
        layers.update(range(first, last + 1))
    return tuple(sorted(layers))


def blend_codes(
    content_BLD: Tensor, exemplar_BLD: Tensor, strength: float | Tensor = 1.0, layers: Sequence[int] | None = None
) -> Tensor:
    """Move codes from the content's (strength 0, exactly) to the exemplar's (1, exactly), in `layers` or in all.

    A strength beyond 1 goes on in the same direction. Each item of the batch may have its own, [B].
    """
    weight_B11 = torch.as_tensor(strength, dtype=content_BLD.dtype, device=content_BLD.device).reshape(-1, 1, 1)
    mixed_BLD = torch.lerp(content_BLD, exemplar_BLD, weight_B11)
    if layers is None:
        return mixed_BLD
    result_BLD = content_BLD.clone()
    result_BLD[:, list(layers)] = mixed_BLD[:, list(layers)]
    return result_BLD


def render_clipped(bundle: Bundle, ws_BLD: Tensor, noise: Sequence[Tensor]) -> Tensor:
    """Render pictures [B, 3, h, w] and clip them to [-1, 1], as any picture file would."""
    return bundle.render(ws_BLD, noise).clamp(-1, 1)


def recolour(source_HWC: Pixels, base_CHW: Tensor, styled_CHW: Tensor, config: ColorMapConfig | None = None) -> Pixels:
    """Return the source with the change of colour from `base` to `styled`, at the source's size (see `colormap`).

    Args:
        source_HWC: uint8, any size.
        base_CHW, styled_CHW: the content's scene in its own and in the exemplar's style, [-1, 1], at model size.
    """
    return map_for(source_HWC, base_CHW, styled_CHW, config).apply(source_HWC)


def map_for(source_HWC: Pixels, base_CHW: Tensor, styled_CHW: Tensor, config: ColorMapConfig | None = None) -> ColorMap:
    """Fit the colour map of a pair of syntheses for its source picture."""
    _, height, width = base_CHW.shape
    guide_CHW = torch.from_numpy(to_model(source_HWC, height, width))
    return fit_colormap(base_CHW, styled_CHW, guide_CHW, config)
