"""Small networks in the layouts of other projects, pickled exactly as those projects pickle theirs."""

from __future__ import annotations

import io
import itertools
import pickle
import sys
import types
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from tests.stylize.models.reference import TAPS

# What a hostile file could bring: if anything ever runs it, the tests notice.
MODULE_SRC = "import builtins\nbuiltins.module_src_was_executed = True\n"
DEFAULT = object()


class EasyDict(dict):  # type: ignore[type-arg]
    """A dict with attributes, which real files hold as `dnnlib.util.EasyDict`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


EasyDict.__module__ = "dnnlib.util"


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> Any:
    raise AssertionError("the reader called a function of the file")


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"


class Persistent(nn.Module):
    """A module that pickles as a call with one dict, its source code in it."""

    def keep(self, *args: Any, **kwargs: Any) -> None:
        self._init_args = args
        self._init_kwargs = kwargs

    def __reduce__(self) -> Any:
        meta = {
            "type": "class",
            "version": 6,
            "module_src": MODULE_SRC,
            "class_name": type(self).__name__,
            "state": super().__reduce__()[2],
        }
        return _reconstruct_persistent_obj, (meta,), None


def dump(value: Any, protocol: int | None = None) -> bytes:
    """Pickle a value while the modules that its classes claim to come from exist."""
    persistence, util = types.ModuleType("torch_utils.persistence"), types.ModuleType("dnnlib.util")
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    util.EasyDict = EasyDict  # type: ignore[attr-defined]
    modules = {
        "torch_utils": types.ModuleType("torch_utils"),
        "torch_utils.persistence": persistence,
        "dnnlib": types.ModuleType("dnnlib"),
        "dnnlib.util": util,
    }
    with mock.patch.dict(sys.modules, modules):
        return pickle.dumps(value, protocol=protocol)


def filter_2d(taps: tuple[float, ...] = TAPS) -> Tensor:
    row = torch.tensor(taps)
    return row.outer(row) / row.sum() ** 2


class FullyConnectedLayer(Persistent):
    def __init__(self, inputs: int, outputs: int, *, lr_multiplier: float = 1.0, activation: str = "linear") -> None:
        super().__init__()
        self.keep(inputs, outputs, lr_multiplier=lr_multiplier, activation=activation)
        self.activation = activation
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.randn(outputs))
        self.weight_gain = lr_multiplier / np.sqrt(inputs)  # a numpy scalar, as there
        self.bias_gain = lr_multiplier


class SynthesisLayer(Persistent):
    def __init__(self, inputs: int, outputs: int, w_dim: int, resolution: int, **options: Any) -> None:
        super().__init__()
        self.keep(inputs, outputs, w_dim=w_dim, resolution=resolution, **options)
        self.activation = options["activation"]
        self.conv_clamp = options["conv_clamp"]
        self.act_gain = np.sqrt(2)
        self.register_buffer("resample_filter", filter_2d(options["resample_filter"]))
        self.affine = FullyConnectedLayer(w_dim, inputs)
        weight = torch.randn(outputs, inputs, 3, 3)
        layout = torch.channels_last if options["channels_last"] else torch.contiguous_format
        self.weight = nn.Parameter(weight.to(memory_format=layout))
        self.bias = nn.Parameter(torch.randn(outputs))
        if options["use_noise"]:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.randn([]))


class ToRGBLayer(Persistent):
    def __init__(self, inputs: int, outputs: int, w_dim: int, conv_clamp: float | None) -> None:
        super().__init__()
        self.keep(inputs, outputs, w_dim=w_dim, conv_clamp=conv_clamp)
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.randn(outputs))


class Conv2dLayer(Persistent):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.keep(inputs, outputs, kernel_size=1, bias=False, up=2)
        self.register_buffer("resample_filter", filter_2d())
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = None


class SynthesisBlock(Persistent):
    def __init__(self, inputs: int, outputs: int, w_dim: int, resolution: int, last: bool, **options: Any) -> None:
        super().__init__()
        self.keep(inputs, outputs, w_dim=w_dim, resolution=resolution, is_last=last)
        architecture, colours = options["architecture"], options["img_channels"]
        self.register_buffer("resample_filter", filter_2d(options["resample_filter"]))
        if not inputs:
            self.const = nn.Parameter(torch.randn(outputs, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, resolution, **options)
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, resolution, **options)
        if last or architecture == "skip":
            self.torgb = ToRGBLayer(outputs, colours, w_dim, options["conv_clamp"])
        if inputs and architecture == "resnet":
            self.skip = Conv2dLayer(inputs, outputs)


class SynthesisNetwork(Persistent):
    def __init__(self, w_dim: int, img_resolution: int, **options: Any) -> None:
        super().__init__()
        self.keep(w_dim=w_dim, img_resolution=img_resolution)
        resolutions = [4 << level for level in range(img_resolution.bit_length() - 2)]
        widths = {r: min(options["channel_base"] // r, options["channel_max"]) for r in resolutions}
        for r in resolutions:
            block = SynthesisBlock(widths.get(r // 2, 0), widths[r], w_dim, r, r == img_resolution, **options)
            setattr(self, f"b{r}", block)

    def blocks(self) -> list[nn.Module]:
        return [module for name, module in self.named_children() if name.startswith("b")]


class MappingNetwork(Persistent):
    def __init__(self, z_dim: int, c_dim: int, w_dim: int, **options: Any) -> None:
        super().__init__()
        self.keep(z_dim=z_dim, c_dim=c_dim, w_dim=w_dim, **options)
        layers, lr = options.get("num_layers", 8), options.get("lr_multiplier", 0.01)
        embedded = (options.get("embed_features") or w_dim) if c_dim else 0
        if c_dim:
            self.embed = FullyConnectedLayer(c_dim, embedded)
        hidden = options.get("layer_features") or w_dim
        widths = [z_dim + embedded, *[hidden] * (layers - 1), w_dim]
        for index, (a, b) in enumerate(itertools.pairwise(widths)):
            layer = FullyConnectedLayer(a, b, lr_multiplier=lr, activation=options.get("activation", "lrelu"))
            setattr(self, f"fc{index}", layer)
        if options.get("w_avg_beta", 0.995) is not None:
            self.register_buffer("w_avg", torch.randn(w_dim))


class Generator(Persistent):
    """A generator with random weights in all places; `options` go to the layers, as in both projects."""

    def __init__(
        self,
        *,
        z_dim: int = 12,
        c_dim: int = 0,
        w_dim: int = 16,
        img_resolution: int = 32,
        img_channels: int = 3,
        mapping_kwargs: dict[str, Any] | None = None,
        flat: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        given, mapping_kwargs = dict(options), mapping_kwargs or {"num_layers": 3}
        defaults = {"channel_base": 256, "channel_max": 16, "architecture": "skip", "resample_filter": TAPS}
        defaults |= {"conv_clamp": None, "use_noise": True, "activation": "lrelu", "channels_last": False}
        shape = {"z_dim": z_dim, "c_dim": c_dim, "w_dim": w_dim}
        size = {"img_resolution": img_resolution, "img_channels": img_channels}
        nested = given if flat else {"synthesis_kwargs": EasyDict(given)}  # stylegan3 is flat
        self.keep(**shape, **size, mapping_kwargs=EasyDict(mapping_kwargs), **nested)
        self.synthesis = SynthesisNetwork(w_dim=w_dim, **size, **{**defaults, **options})
        self.mapping = MappingNetwork(**shape, **mapping_kwargs)
        self.num_ws = 2 * len(self.synthesis.blocks())


def snapshot(generator: nn.Module) -> dict[str, Any]:
    """Return what a training run of stylegan2-ada-pytorch leaves."""
    discriminator = FullyConnectedLayer(3, 3)
    discriminator.extra = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ModuleList([nn.Linear(2, 2)]))
    options = EasyDict(class_name="training.dataset.ImageFolderDataset", path="data.zip", use_labels=False, xflip=True)
    networks = {"G": FullyConnectedLayer(3, 3), "D": discriminator, "G_ema": generator, "augment_pipe": None}
    return {"training_set_kwargs": options, **networks}


def make_generator(seed: int = 0, **options: Any) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(**options).eval().requires_grad_(False)


def rosinality_state(*, size: int = 32, w_dim: int = 16, layers: int = 3, width: int = 12, seed: int = 0) -> Any:
    """Return a state dict of the layout of stylegan2-pytorch, random in all places."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    def modulated(name: str, outputs: int, inputs: int, kernel: int) -> dict[str, Tensor]:
        return {
            f"{name}.conv.weight": draw(1, outputs, inputs, kernel, kernel),
            f"{name}.conv.modulation.weight": draw(inputs, w_dim),
            f"{name}.conv.modulation.bias": draw(inputs),
        }

    def convolution(name: str, outputs: int, inputs: int) -> dict[str, Tensor]:
        state = modulated(name, outputs, inputs, 3)
        return {**state, f"{name}.noise.weight": draw(1), f"{name}.activate.bias": draw(outputs)}

    def colours(name: str, inputs: int) -> dict[str, Tensor]:
        return {**modulated(name, 3, inputs, 1), f"{name}.bias": draw(1, 3, 1, 1)}

    state = {f"style.{i + 1}.weight": draw(w_dim, w_dim) / 0.01 for i in range(layers)}
    state |= {f"style.{i + 1}.bias": draw(w_dim) for i in range(layers)}
    state |= {"input.input": draw(1, width, 4, 4), **convolution("conv1", width, width), **colours("to_rgb1", width)}
    resolutions = [8 << level for level in range(size.bit_length() - 3)]
    inputs = width
    for i, _ in enumerate(resolutions):
        outputs = width - i
        state |= convolution(f"convs.{2 * i}", outputs, inputs) | convolution(f"convs.{2 * i + 1}", outputs, outputs)
        state[f"convs.{2 * i}.conv.blur.kernel"] = filter_2d() * 4
        state |= {**colours(f"to_rgbs.{i}", outputs), f"to_rgbs.{i}.upsample.kernel": filter_2d() * 4}
        inputs = outputs
    sizes = [4, *(r for resolution in resolutions for r in (resolution, resolution))]
    return state | {f"noises.noise_{i}": draw(1, 1, r, r) for i, r in enumerate(sizes)}


def save_torch(value: Any, *, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()
