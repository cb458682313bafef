"""The layout of `stylegan2-pytorch` checkpoints (rosinality): a dict of state dicts, of which `g_ema` is read.

    style.1 ...                mapping; the learning rate multiplier is 0.01, which no checkpoint states
    input, conv1, to_rgb1      the block of the constant
    convs.0, convs.1, to_rgbs.0, ...                     two convolutions and one colour layer for each further block
    noises.noise_0 ...         one constant noise for each convolution
    latent_avg (beside g_ema)  the mean of w, in converted checkpoints only

Its demodulation adds 1e-8 to the energy of kernels scaled by 1 / sqrt(fan-in), ours to that of the stored ones: for
weights of unit variance a relative difference of 5e-9, below the precision of a float.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from stylize.errors import FatalError
from stylize.models.generator import GeneratorConfig
from stylize.models.standins import shown

MAPPING_LR_MULTIPLIER = 0.01
FILTER = (1.0, 3.0, 3.0, 1.0)
NOISE_SEED = 0  # of the constant noise, where a checkpoint has none


def read_rosinality(content: Any, source: str) -> tuple[GeneratorConfig, dict[str, Tensor]]:
    """Return the configuration of a checkpoint's averaged generator, and its tensors under our names.

    Raises:
        FatalError: there is no generator of this layout in it, or a part is missing or of another kind, named.
    """
    state = content.get("g_ema") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        seen = ", ".join(map(str, content))[:120] if isinstance(content, dict) else f"a {type(content).__name__}"
        raise FatalError(
            f"{source} holds no generator g_ema but {shown(seen) or 'nothing'}: give a checkpoint of stylegan2-pytorch "
            "(rosinality), or a .pkl of stylegan2-ada-pytorch or stylegan3"
        )
    try:
        config = _config(state)
        _refuse_other_filters(state)
        tensors = {**_mapping(state, config), **_synthesis(state, config)}
    except KeyError as error:
        missing = error.args[0]
        raise FatalError(f"{source}: its generator has no {missing}: it is damaged or of another layout") from None
    except (IndexError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FatalError(f"{source}: its generator is damaged or of another layout: {shown(reason)}") from None
    average = content.get("latent_avg")
    if isinstance(average, Tensor) and average.numel() == config.w_dim:
        tensors["mapping.w_avg"] = average.flatten()
    return config, tensors


def _config(state: dict[str, Tensor]) -> GeneratorConfig:
    blocks = 1 + sum(name.startswith("to_rgbs.") and name.endswith(".conv.weight") for name in state)
    dense = sum(name.startswith("style.") and name.endswith(".weight") for name in state)
    constant, first, last = state["input.input"], state["style.1.weight"], state[f"style.{dense}.weight"]
    if constant.ndim != 4:
        raise ValueError(f"its constant has the shape {list(constant.shape)}, not [1, channels, height, width]")
    if blocks < 2:
        raise ValueError("its one block leaves no room for noise maps: at least two are needed")
    convolutions = ["conv1", *(f"convs.{2 * index + 1}" for index in range(blocks - 1))]
    return GeneratorConfig(
        const_size=(constant.shape[2], constant.shape[3]),
        channels=tuple(state[f"{name}.conv.weight"].shape[1] for name in convolutions),
        z_dim=first.shape[1],
        w_dim=last.shape[0],
        mapping_layers=dense,
        mapping_width=first.shape[0],
        mapping_lr_multiplier=MAPPING_LR_MULTIPLIER,
        noise_downscale=min(4, 2 ** (blocks - 2)),
        img_channels=state["to_rgb1.conv.weight"].shape[1],
    )


def _refuse_other_filters(state: dict[str, Tensor]) -> None:
    ours = torch.tensor(FILTER).outer(torch.tensor(FILTER)) / 64
    for name, kernel in state.items():
        if name.endswith(".kernel") and not (
            kernel.shape == ours.shape and torch.allclose(kernel.float() / kernel.float().sum(), ours, atol=1e-6)
        ):
            raise ValueError(f"its filter {name} is not supported, only [1, 3, 3, 1] is")


def _mapping(state: dict[str, Tensor], config: GeneratorConfig) -> dict[str, Tensor]:
    return {
        f"mapping.layers.{index}.{kind}": state[f"style.{index + 1}.{kind}"]
        for index in range(config.mapping_layers)
        for kind in ("weight", "bias")
    }


def _synthesis(state: dict[str, Tensor], config: GeneratorConfig) -> dict[str, Tensor]:
    tensors = {"synthesis.blocks.0.const": state["input.input"].squeeze(0)}
    for number, (ours, theirs, block) in enumerate(_convolutions(len(config.channels))):
        size = (config.const_size[0] << block, config.const_size[1] << block)
        tensors |= _modulated(state, ours, theirs)
        tensors[f"{ours}.bias"] = state[f"{theirs}.activate.bias"]
        tensors[f"{ours}.noise_strength"] = state[f"{theirs}.noise.weight"].squeeze(0)
        tensors[f"{ours}.noise_const"] = _noise(state, number, size)
    for block in range(len(config.channels)):
        ours, theirs = f"synthesis.blocks.{block}.torgb", f"to_rgbs.{block - 1}" if block else "to_rgb1"
        tensors |= _modulated(state, ours, theirs)
        tensors[f"{ours}.bias"] = state[f"{theirs}.bias"].flatten()
    return tensors


def _convolutions(blocks: int) -> Iterator[tuple[str, str, int]]:
    """Yield our name, their name and the block of every 3x3 convolution, in the order of their noises."""
    yield "synthesis.blocks.0.conv1", "conv1", 0
    for block in range(1, blocks):
        yield f"synthesis.blocks.{block}.conv0", f"convs.{2 * block - 2}", block
        yield f"synthesis.blocks.{block}.conv1", f"convs.{2 * block - 1}", block


def _modulated(state: dict[str, Tensor], ours: str, theirs: str) -> dict[str, Tensor]:
    return {
        f"{ours}.weight": state[f"{theirs}.conv.weight"].squeeze(0),
        f"{ours}.affine.weight": state[f"{theirs}.conv.modulation.weight"],
        f"{ours}.affine.bias": state[f"{theirs}.conv.modulation.bias"],
    }


def _noise(state: dict[str, Tensor], number: int, size: tuple[int, int]) -> Tensor:
    """Return the constant noise of a layer; the oldest checkpoints have none, and drew it anew for every picture."""
    stored = state.get(f"noises.noise_{number}")
    if stored is not None:
        return stored.squeeze(0).squeeze(0)
    return torch.randn(size, generator=torch.Generator().manual_seed(NOISE_SEED + number))
