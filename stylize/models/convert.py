"""Turns a foreign StyleGAN2 into a generator's file of this project, and never runs what the foreign file brings."""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.errors import ConfigurationError, FatalError
from stylize.models.bundle import generator_to_bytes
from stylize.models.generator import Generator, GeneratorConfig
from stylize.models.nvidia import read_nvidia
from stylize.models.rosinality import read_rosinality
from stylize.models.standins import shown
from stylize.models.unpickle import load_pickle
from stylize.storage import Storage

TORCH_ZIP, TORCH_LEGACY = b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
AVERAGED = 10_000  # latents for an average w that the file does not hold


@dataclass(frozen=True, kw_only=True)
class ConvertSummary:
    """What was read and written.

    `layout` is `nvidia` or `rosinality`; `image_size` is (height, width); `notes` says, one line each, what the file
    did not hold and where the replacement comes from.
    """

    src: str
    dst: str
    layout: str
    architecture: str
    image_size: tuple[int, int]
    num_ws: int
    z_dim: int
    w_dim: int
    c_dim: int
    parameters: int
    bytes: int
    sha256: str
    notes: tuple[str, ...]


def convert(
    src: str, dst: str, *, overwrite: bool = False, storage_options: Mapping[str, Any] | None = None
) -> ConvertSummary:
    """Convert a StyleGAN2 generator into a `.safetensors` that `load_generator` and `train-encoder` read.

    Args:
        src: a `.pkl` of stylegan2-ada-pytorch or of stylegan3's StyleGAN2 configurations, or a `.pt` of rosinality's
            stylegan2-pytorch; path or URL. What it is shows in its bytes, not in its name.
        dst: the file to write, in fp32; path or URL.
        overwrite: replace `dst` if it exists.
        storage_options: passed to fsspec for URLs.

    Raises:
        ConfigurationError: `dst` exists.
        FatalError: the file is cut off, asks for anything but tensors and plain values, or is no StyleGAN2 that is
            supported; the message names what.
    """
    folder, name = _open(dst, storage_options)
    if not overwrite and folder.exists(name):
        raise ConfigurationError(f"{dst} exists: pass --overwrite to replace it")
    source, source_name = _open(src, storage_options)
    layout, config, tensors = _read(source.read(source_name), src)
    generator, notes = _assemble(config, tensors, src)
    content = generator_to_bytes(generator)
    folder.write(name, content)
    return ConvertSummary(
        src=src,
        dst=dst,
        layout=layout,
        architecture=config.architecture,
        image_size=config.image_size,
        num_ws=config.num_ws,
        z_dim=config.z_dim,
        w_dim=config.w_dim,
        c_dim=config.c_dim,
        parameters=sum(parameter.numel() for parameter in generator.parameters()),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        notes=notes,
    )


def _open(path: str, storage_options: Mapping[str, Any] | None) -> tuple[Storage, str]:
    name = PurePosixPath(path).name
    return Storage(path[: len(path) - len(name)] or ".", storage_options), name


def _read(data: bytes, source: str) -> tuple[str, GeneratorConfig, dict[str, Tensor]]:
    """Tell the layouts apart by their first bytes, and read them."""
    if data.startswith((TORCH_ZIP, TORCH_LEGACY)):
        return "rosinality", *read_rosinality(_load_torch(data, source), source)
    if data[:1] == b"\x80":
        return "nvidia", *read_nvidia(load_pickle(data, source), source)
    raise FatalError(
        f"{source} is neither a pickle nor a PyTorch file: give a .pkl of stylegan2-ada-pytorch or stylegan3, or a .pt "
        "of stylegan2-pytorch (rosinality)"
    )


def _load_torch(data: bytes, source: str) -> Any:
    """Load a PyTorch file as tensors and plain values; its training options (`argparse.Namespace`) pass as plain."""
    _refuse_compressed(data, source)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        what = f"asks for {shown(asked[1])}" if asked else "asks for more than tensors"
        raise FatalError(
            f"{source} {what}, which a checkpoint does not need: nothing of it was run; save its g_ema alone"
        ) from None
    except Exception as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise FatalError(f"{source} is cut off or no PyTorch file ({shown(reason)}): fetch it again") from None


def _refuse_compressed(data: bytes, source: str) -> None:
    """Refuse an archive that unpacks to more than its size: PyTorch never compresses, a trap would."""
    if not data.startswith(TORCH_ZIP):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise FatalError(f"{source} is cut off or no PyTorch file ({shown(error)}): fetch it again") from None
    if unpacked > len(data):
        raise FatalError(f"{source} unpacks to {unpacked} bytes, more than its size: it is no PyTorch file")


def _assemble(config: GeneratorConfig, tensors: dict[str, Tensor], source: str) -> tuple[Generator, tuple[str, ...]]:
    """Make the generator, once the file is known to hold every tensor of it: a claim alone allocates nothing."""
    expected = shapes_of(config)
    notes: tuple[str, ...] = ()
    if "mapping.w_avg" not in tensors:
        tensors = {**tensors, "mapping.w_avg": torch.zeros(config.w_dim)}
        notes = (f"the file holds no average w: it was taken over {AVERAGED} random latents",)
    for name in sorted(expected.keys() | tensors.keys()):
        found = tuple(tensors[name].shape) if name in tensors else "nothing"
        if found != expected.get(name, "nothing"):
            wanted = expected.get(name, "nothing")
            raise FatalError(
                f"{source} does not fit together: {shown(name)} is {found}, expected {wanted}: it is damaged"
            )
    generator = Generator(config)
    generator.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    generator.eval().requires_grad_(False)
    if notes:
        generator.mapping.w_avg.copy_(_average_w(generator))
    return generator, notes


def shapes_of(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in the state of a generator, without making one."""
    embedded = (config.embed_width or config.w_dim) if config.c_dim else 0
    hidden = [config.mapping_width or config.w_dim] * (config.mapping_layers - 1)
    widths = [config.z_dim + embedded, *hidden, config.w_dim]
    shapes: dict[str, tuple[int, ...]] = {"mapping.w_avg": (config.w_dim,)}
    if config.c_dim:
        shapes |= _dense_shapes("mapping.embed", config.c_dim, embedded)
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        shapes |= _dense_shapes(f"mapping.layers.{index}", inputs, outputs)
    for index in range(len(config.channels)):
        shapes |= {f"synthesis.blocks.{index}.{name}": shape for name, shape in _block_shapes(config, index).items()}
    return shapes


def _block_shapes(config: GeneratorConfig, index: int) -> dict[str, tuple[int, ...]]:
    inputs, outputs = config.channels[max(index - 1, 0)], config.channels[index]
    last = index == len(config.channels) - 1
    shapes: dict[str, tuple[int, ...]] = {}
    kernels = {"conv0": (outputs, inputs, 3, 3)} if index else {}
    kernels["conv1"] = (outputs, outputs, 3, 3)
    if last or config.architecture == "skip":
        kernels["torgb"] = (config.img_channels, outputs, 1, 1)
    for name, kernel in kernels.items():
        shapes |= {f"{name}.weight": kernel, f"{name}.bias": kernel[:1]}
        shapes |= _dense_shapes(f"{name}.affine", config.w_dim, kernel[1])
        if name != "torgb" and config.use_noise:
            height, width = config.const_size
            shapes |= {f"{name}.noise_strength": (), f"{name}.noise_const": (height << index, width << index)}
    if index == 0:
        shapes["const"] = (outputs, *config.const_size)
    elif config.architecture == "resnet":
        shapes["skip.weight"] = (outputs, inputs, 1, 1)
    return shapes


def _dense_shapes(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _average_w(generator: Generator) -> Tensor:
    """Return the mean of w over random latents and classes, `[w_dim]`."""
    random = torch.Generator().manual_seed(0)
    z_BD = torch.randn(AVERAGED, generator.z_dim, generator=random)
    c_BK = None
    if generator.c_dim:
        classes = torch.randint(generator.c_dim, (AVERAGED,), generator=random)
        c_BK = F.one_hot(classes, generator.c_dim).float()
    ws_BLD: Tensor = generator.mapping(z_BD, c_BK)
    return ws_BLD[:, 0].mean(dim=0)
