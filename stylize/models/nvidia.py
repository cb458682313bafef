"""The layout of NVIDIA's pickles: `Generator` of stylegan2-ada-pytorch, and of stylegan3's StyleGAN2 configurations.

    G_ema -> synthesis -> b4, b8, ... -> conv0, conv1, torgb, skip -> affine
          -> mapping   -> embed, fc0, fc1, ...

Every module's state holds its tensors, its attributes and the arguments it was made with. What tensors tell (widths,
resolutions, architecture) is taken from them; the rest from the attributes, then from the arguments, then from the
defaults of stylegan2-ada-pytorch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from stylize.errors import FatalError
from stylize.models.generator import GeneratorConfig
from stylize.models.standins import ForeignModule, Malformed, shown

POSITIONS = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "mapping_kwargs", "synthesis_kwargs")
FILTER = (1.0, 3.0, 3.0, 1.0)


def read_nvidia(content: Any, source: str) -> tuple[GeneratorConfig, dict[str, Tensor]]:
    """Return the configuration of a network pickle's generator, and its tensors under our names.

    Raises:
        FatalError: there is no StyleGAN2 generator in it, or one with an option that is not supported, named.
    """
    try:
        network = _find_generator(content)
        mapping, blocks = _child(network, "mapping"), _blocks(_child(network, "synthesis"))
        config = _config(network, mapping, blocks)
        return config, {**_mapping_tensors(mapping), **_synthesis_tensors(blocks)}
    except Malformed as error:
        raise FatalError(f"{source}: {shown(error)}") from None
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:  # values of the wrong kind
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise FatalError(f"{source}: its generator is damaged ({shown(reason)}): fetch it again") from None


def _find_generator(content: Any) -> ForeignModule:
    """Return the averaged generator of a snapshot, or a generator that was pickled alone."""
    found = content.get("G_ema") if isinstance(content, dict) else content
    if isinstance(found, ForeignModule):
        return found
    seen = ", ".join(map(str, content)) if isinstance(content, dict) else f"a {type(content).__name__}"
    raise Malformed(f"it holds no network G_ema but {seen[:200] or 'nothing'}: give a network snapshot")


def _blocks(synthesis: ForeignModule) -> list[ForeignModule]:
    names = itertools.takewhile(synthesis.child, (f"b{4 << level}" for level in itertools.count()))
    blocks = [_child(synthesis, name) for name in names]
    if not blocks or len(blocks) != len(synthesis.children()):
        seen = ", ".join(synthesis.children())[:80]
        raise Malformed(
            f"its synthesis network is made of {seen or 'nothing'}, not of blocks b4, b8, ...: only StyleGAN2 "
            "generators are read (of stylegan3, the configuration stylegan2)"
        )
    if len(blocks) < 2:
        raise Malformed("its pictures of 4x4 pixels leave no room for noise maps: at least 8x8 is needed")
    return blocks


def _config(network: ForeignModule, mapping: ForeignModule, blocks: list[ForeignModule]) -> GeneratorConfig:
    arguments = network.arguments(POSITIONS)
    of_mapping = _nested(arguments, "mapping_kwargs")
    of_synthesis = {**arguments, **_nested(arguments, "synthesis_kwargs")}
    _refuse_other_options(mapping, blocks, of_mapping, of_synthesis)
    dense, embed = _dense(mapping), mapping.child("embed")
    first, last = _weight(dense[0]), _weight(dense[-1])
    embedded, classes = _weight(embed).shape if embed else (0, 0)
    config = GeneratorConfig(
        const_size=_const_size(blocks[0]),
        channels=tuple(_weight(_child(block, "conv1")).shape[0] for block in blocks),
        z_dim=first.shape[1] - embedded,
        w_dim=last.shape[0],
        c_dim=classes,
        mapping_layers=len(dense),
        mapping_width=first.shape[0],
        mapping_lr_multiplier=_lr_multiplier(dense, of_mapping),
        embed_width=embedded or None,
        architecture=_architecture(blocks),
        conv_clamp=_common((_setting(x, "conv_clamp", of_synthesis, None) for x in _layers(blocks)), "conv_clamp"),
        use_noise="noise_const" in _child(blocks[0], "conv1").tensors(),
        noise_downscale=min(4, 2 ** (len(blocks) - 2)),
        img_channels=_weight(_child(blocks[-1], "torgb")).shape[0],
    )
    _compare(arguments, config)
    if config.z_dim < 0:
        raise Malformed("its first layer is narrower than its class embedding: it is damaged")
    return config


def _refuse_other_options(
    mapping: ForeignModule, blocks: list[ForeignModule], of_mapping: dict[str, Any], of_synthesis: dict[str, Any]
) -> None:
    """Refuse what would give other pictures: activations other than the leaky ReLU, other resampling filters."""
    convolutions = [x for block in blocks for name in ("conv0", "conv1") if (x := block.child(name))]
    for layers, arguments in ((_dense(mapping), of_mapping), (convolutions, of_synthesis)):
        for layer in layers:
            activation = _setting(layer, "activation", arguments, "lrelu")
            if activation != "lrelu":
                raise Malformed(f"its activation {str(activation)[:40]!r} is not supported, only lrelu is")
    for block in blocks:
        for module in (block, *(x for name in ("conv0", "skip") if (x := block.child(name)))):
            taps = module.tensors().get("resample_filter", _setting(module, "resample_filter", of_synthesis, FILTER))
            if not _is_our_filter(taps):
                values = taps.tolist() if isinstance(taps, Tensor) else taps
                raise Malformed(f"its resample_filter {str(values)[:120]} is not supported, only [1, 3, 3, 1] is")


def _is_our_filter(taps: Any) -> bool:
    ours = torch.tensor(FILTER).outer(torch.tensor(FILTER)) / 64
    try:
        given = torch.as_tensor(taps, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        return False
    given = given.outer(given) if given.ndim == 1 else given
    return given.shape == ours.shape and torch.allclose(given / given.sum(), ours, atol=1e-6)


def _compare(arguments: dict[str, Any], config: GeneratorConfig) -> None:
    """Hold the tensors' shapes against the arguments that the network says it was made with."""
    made = {"z_dim": config.z_dim, "c_dim": config.c_dim, "w_dim": config.w_dim, "img_channels": config.img_channels}
    made["img_resolution"] = config.image_size[0]
    for name, value in made.items():
        if arguments.get(name, value) != value:
            raise Malformed(f"it says {name} {str(arguments[name])[:40]} but its tensors are of {value}: it is damaged")


def _architecture(blocks: list[ForeignModule]) -> str:
    if any(block.child("torgb") for block in blocks[:-1]):
        return "skip"
    return "resnet" if any(block.child("skip") for block in blocks) else "orig"


def _const_size(block: ForeignModule) -> tuple[int, int]:
    shape = _tensor(block, "const").shape
    if len(shape) != 3:
        raise Malformed(f"its constant has the shape {list(shape)}, not [channels, height, width]")
    return shape[1], shape[2]


def _mapping_tensors(mapping: ForeignModule) -> dict[str, Tensor]:
    named = {f"layers.{index}": layer for index, layer in enumerate(_dense(mapping))}
    if embed := mapping.child("embed"):
        named["embed"] = embed
    tensors = {f"mapping.{name}.{kind}": t for name, x in named.items() for kind, t in x.tensors().items()}
    if "w_avg" in mapping.tensors():
        tensors["mapping.w_avg"] = mapping.tensors()["w_avg"]
    return tensors


def _synthesis_tensors(blocks: list[ForeignModule]) -> dict[str, Tensor]:
    """Return the tensors of all blocks; our layers have the same names, and no filters."""
    tensors = {}
    for index, block in enumerate(blocks):
        for name, tensor in _all_tensors(block):
            if name.endswith("resample_filter"):
                continue
            if name == "skip.weight":  # stored at unit variance there, at the scale in use here
                tensor = tensor / math.sqrt(tensor.shape[1])
            tensors[f"synthesis.blocks.{index}.{name}"] = tensor
    return tensors


def _all_tensors(module: ForeignModule, depth: int = 2) -> Iterator[tuple[str, Tensor]]:
    yield from module.tensors().items()
    for name in module.children() if depth else ():
        for below, tensor in _all_tensors(_child(module, name), depth - 1):
            yield f"{name}.{below}", tensor


def _dense(mapping: ForeignModule) -> list[ForeignModule]:
    found = list(itertools.takewhile(bool, (mapping.child(f"fc{index}") for index in itertools.count())))
    if not found:
        raise Malformed(f"its mapping network has no layer fc0 but {', '.join(mapping.children())[:80] or 'nothing'}")
    return [layer for layer in found if layer]


def _layers(blocks: list[ForeignModule]) -> Iterator[ForeignModule]:
    return (layer for block in blocks for name in ("conv0", "conv1", "torgb") if (layer := block.child(name)))


def _lr_multiplier(dense: list[ForeignModule], arguments: dict[str, Any]) -> float:
    values = (x.state.get("bias_gain", _setting(x, "lr_multiplier", arguments, 0.01)) for x in dense)
    found = _common(values, "lr_multiplier")
    if found is None:
        raise Malformed("its mapping network has no lr_multiplier: it is damaged")
    return found


def _setting(module: ForeignModule, name: str, arguments: dict[str, Any], default: Any) -> Any:
    for known in (module.state, module.arguments(), arguments):
        if name in known:
            return known[name]
    return default


def _common(values: Iterator[Any], name: str) -> float | None:
    """Return the one value that all layers share, a number or None."""
    found = list(dict.fromkeys(values))
    if len(found) != 1 or not (found[0] is None or isinstance(found[0], int | float)):
        raise Malformed(f"its layers have {name} {str(found)[:80]}: only one number for all is supported")
    return None if found[0] is None else float(found[0])


def _nested(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    found = arguments.get(name, {})
    return found if isinstance(found, dict) else {}


def _child(module: ForeignModule, name: str) -> ForeignModule:
    found = module.child(name)
    if found is None:
        raise Malformed(f"{module.class_name} has no {name}: this is no StyleGAN2 generator")
    return found


def _tensor(module: ForeignModule, name: str) -> Tensor:
    found = module.tensors().get(name)
    if found is None:
        raise Malformed(f"{module.class_name} has no {name}: it is damaged, or no StyleGAN2 generator")
    return found


def _weight(module: ForeignModule) -> Tensor:
    weight = _tensor(module, "weight")
    if weight.ndim not in (2, 4):
        raise Malformed(f"the weight of {module.class_name} has the shape {list(weight.shape)}")
    return weight
