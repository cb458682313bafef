"""Model bundles: one `.safetensors` with encoder and generator, their configuration in the header.

    header metadata  {"stylize": '{"kind": "bundle", "format": 1, "generator": {...}, "encoder": {...}, "card": {...}}'}
    tensors          generator.synthesis.blocks.0.conv1.weight, encoder.pyramid.stem.0.weight, ...

A generator's file is the same with `"kind": "generator"` and no encoder. The generator's own `"kind"` is in its
configuration; without one it is a StyleGAN2 (see `stylize.models.kinds`). Tensors may be stored in fp16; they are used
in fp32.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from stylize.errors import ConfigurationError, FatalError, NotFound
from stylize.models.encoder import Codes, EncoderConfig, MaskedNoiseEncoder
from stylize.models.kinds import config_from_dict, config_to_dict, make_generator
from stylize.models.protocol import GeneratorProtocol, average_code
from stylize.models.transfer import send
from stylize.storage import Storage

FORMAT = 1
PRECISIONS = ("fp32", "bf16")


class Bundle(nn.Module):
    """Encoder and generator that belong together.

    Attributes:
        height, width: size of the pictures at the model, in pixels.
        num_ws, w_dim: shape of the w+ codes of one picture.
        noise_shapes: `(C, H, W)` of the two noise maps.
        card: what is known of the training (data, command, figures).
        name, sha256: where it was loaded from and the hash of that file ("" when made in memory).
        precision: what `invert` and `render` compute in, one of `PRECISIONS`; results are fp32 either way.
    """

    generator: GeneratorProtocol

    def __init__(
        self, encoder: MaskedNoiseEncoder, generator: GeneratorProtocol, *, card: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.generator = generator
        self.card = dict(card or {})
        self.name = ""
        self.sha256 = ""
        self.precision = "fp32"
        _, *map_size = generator.noise_shapes[0]
        self.height, self.width = (side * encoder.config.noise_downscale for side in map_size)
        self.num_ws, self.w_dim = generator.num_ws, generator.w_dim
        self.noise_shapes = generator.noise_shapes

    @classmethod
    def create(cls, generator: Any, encoder: EncoderConfig, *, seed: int = 0) -> Bundle:
        """Make an untrained bundle; the same seed gives the same weights.

        `generator` is the configuration of a generator of any kind, such as `GeneratorConfig`.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = make_generator(generator)
            return cls(make_encoder(encoder, made), made)

    @property
    def device(self) -> torch.device:
        return self.encoder.w_avg.device

    @property
    def generator_config(self) -> Any:
        """The configuration of the generator, of whichever kind it is."""
        return _config_of(self.generator)

    @torch.inference_mode()
    def invert(self, images_BCHW: Tensor) -> Codes:
        """Return the codes of pictures `[B, 3, height, width]` in [-1, 1]."""
        with self._autocast():
            codes: Codes = self.encoder(send(images_BCHW, self.device))
        return Codes(ws_BLD=codes.ws_BLD.float(), noise=(codes.noise[0].float(), codes.noise[1].float()))

    @torch.inference_mode()
    def render(self, ws_BLD: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Return pictures `[B, 3, height, width]`, nominally in [-1, 1]; another picture's codes give its style."""
        maps = None if noise is None else [send(n, self.device) for n in noise]
        with self._autocast():
            pictures: Tensor = self.generator.synthesis(send(ws_BLD, self.device), maps)
        return pictures.float()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def to_bytes(self, dtype: torch.dtype = torch.float16) -> bytes:
        """Return the file; the same weights give the same bytes."""
        header = {
            "kind": "bundle",
            "format": FORMAT,
            "generator": config_to_dict(self.generator_config),
            "encoder": self.encoder.config.as_dict(),
            "card": self.card,
        }
        return _pack(self, header, dtype)


def make_encoder(config: EncoderConfig, generator: GeneratorProtocol) -> MaskedNoiseEncoder:
    """Make an untrained encoder for a generator."""
    downscale = getattr(getattr(generator, "config", None), "noise_downscale", config.noise_downscale)
    if config.noise_downscale != downscale:
        raise FatalError(
            f"the encoder's noise maps are at 1/{config.noise_downscale}, the generator's at "
            f"1/{downscale}: set noise_downscale alike"
        )
    encoder = MaskedNoiseEncoder(
        config, num_ws=generator.num_ws, w_dim=generator.w_dim, noise_shapes=generator.noise_shapes
    )
    average = average_code(generator)
    if average is not None:
        encoder.w_avg.copy_(average)
    return encoder


def generator_to_bytes(generator: GeneratorProtocol, dtype: torch.dtype = torch.float32) -> bytes:
    """Return a generator's file."""
    header = {"kind": "generator", "format": FORMAT, "generator": config_to_dict(_config_of(generator))}
    return _pack(_module(generator), header, dtype)


def load_bundle(
    model: str,
    *,
    device: str | torch.device | None = None,
    storage_options: Mapping[str, Any] | None = None,
    precision: str = "fp32",
) -> Bundle:
    """Load a bundle by path, URL or bundled name, in evaluation mode.

    Args:
        model: a `.safetensors` file, or the name of a bundled model such as `camvid`.
        device: where to put it; by default the GPU if there is one.
        storage_options: passed to fsspec for URLs.
        precision: "fp32", or "bf16" to convolve in half as many bits, faster where the hardware has them.

    Raises:
        ConfigurationError: there is no such precision or device.
        FatalError: there is no such file, or it is not a bundle.
    """
    check_precision(precision)
    data = _read(model, storage_options)
    header, tensors = _unpack(data, model, kind="bundle")
    with _fitting(model):
        # Not on the device "meta": its arithmetic has torch import its compiler, which takes longer than all the rest.
        bundle = Bundle.create(config_from_dict(header["generator"], model), EncoderConfig(**header["encoder"]))
        bundle.load_state_dict(tensors)
    bundle.card = header.get("card", {})
    bundle.name, bundle.sha256, bundle.precision = model, hashlib.sha256(data).hexdigest(), precision
    return bundle.eval().requires_grad_(False).to(best_device(device))


def check_precision(precision: str) -> str:
    """Return the precision if it is one; raises `ConfigurationError`."""
    if precision not in PRECISIONS:
        raise ConfigurationError(f"the precision is {' or '.join(PRECISIONS)}, not {precision!r}")
    return precision


def load_outline(model: str, *, storage_options: Mapping[str, Any] | None = None) -> Bundle:
    """Load a bundle without its weights, for its shapes, its card and its hash; see `load_bundle`."""
    data = _read(model, storage_options)
    header, _ = _unpack(data, model, kind="bundle")
    with _fitting(model):
        bundle = Bundle.create(config_from_dict(header["generator"], model), EncoderConfig(**header["encoder"]))
    bundle.card = header.get("card", {})
    bundle.name, bundle.sha256 = model, hashlib.sha256(data).hexdigest()
    return bundle


def load_generator(
    model: str, *, device: str | torch.device | None = None, storage_options: Mapping[str, Any] | None = None
) -> Any:
    """Load a generator, of whichever kind, from a generator's file or from a bundle, in evaluation mode.

    Raises:
        FatalError: there is no such file, or it holds no generator.
    """
    header, tensors = _unpack(_read(model, storage_options), model, kind=None)
    prefix = "generator." if header["kind"] == "bundle" else ""
    state = {name.removeprefix(prefix): t.float() for name, t in tensors.items() if name.startswith(prefix)}
    with _fitting(model):
        generator = _module(make_generator(config_from_dict(header["generator"], model)))
        generator.load_state_dict(state)
    return generator.eval().requires_grad_(False).to(best_device(device))


def model_sha256(model: str, *, storage_options: Mapping[str, Any] | None = None) -> str:
    """Return the hash of a model's file, given by path, URL or bundled name; raises `FatalError` without one."""
    return hashlib.sha256(_read(model, storage_options)).hexdigest()


def model_place(model: str | os.PathLike[str]) -> str:
    """Return a local file's absolute path, so that it is found from another folder; names and URLs as they are."""
    text = os.fspath(model)
    return str(Path(text).resolve()) if Path(text).is_file() else text


def bundled_models() -> list[str]:
    """Return the names of the bundles that come with the package."""
    assets = resources.files("stylize") / "assets"
    return sorted(p.name.removesuffix(".safetensors") for p in assets.iterdir() if p.name.endswith(".safetensors"))


def best_device(device: str | torch.device | None) -> torch.device:
    """Return the device asked for, or the GPU if there is one; raises `ConfigurationError` when it is not here."""
    if device is not None:
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).split("\n")[0]
            raise ConfigurationError(f"no device {device!r} here ({reason}): --device cpu always works") from None
        return torch.device(device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _read(model: str, storage_options: Mapping[str, Any] | None) -> bytes:
    if model in bundled_models():
        return (resources.files("stylize") / "assets" / f"{model}.safetensors").read_bytes()
    path = PurePosixPath(model)
    folder = model[: len(model) - len(path.name)] or "."
    try:
        return Storage(folder, storage_options).read(path.name)
    except NotFound:
        names = ", ".join(bundled_models()) or "none"
        raise FatalError(f"no model {model!r}: give a .safetensors file or URL, or a bundled name ({names})") from None


def _config_of(generator: GeneratorProtocol) -> Any:
    config = getattr(generator, "config", None)
    if config is None:
        raise ConfigurationError(f"{type(generator).__name__} has no config, so no file can hold it: give it one")
    return config


def _module(generator: GeneratorProtocol) -> nn.Module:
    if not isinstance(generator, nn.Module):
        raise TypeError(f"{type(generator).__name__} is no nn.Module: it has no weights to store")
    return generator


@contextmanager
def _fitting(model: str) -> Iterator[None]:
    """Say in one line that a file's networks are not those of this version."""
    try:
        yield
    except (KeyError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise FatalError(f"{model} does not fit this version of stylize ({reason}): upgrade it") from None


def _pack(module: nn.Module, header: dict[str, Any], dtype: torch.dtype) -> bytes:
    tensors = {name: t.detach().to("cpu", dtype).contiguous() for name, t in module.state_dict().items()}
    return save_tensors(tensors, metadata={"stylize": json.dumps(header, sort_keys=True)})


def _unpack(data: bytes, model: str, kind: str | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["stylize"])
        tensors = load_tensors(data)
    except Exception as error:
        raise FatalError(
            f"{model} is not a stylize model ({type(error).__name__}); "
            "foreign StyleGAN2 files go through `stylize convert`"
        ) from None
    if not isinstance(header, dict) or header.get("kind") not in ("bundle", "generator"):
        raise FatalError(f"{model} is not a stylize model: its header names no kind")
    if header.get("format") != FORMAT:
        raise FatalError(f"{model} has format {header.get('format')}, this version reads {FORMAT}: upgrade stylize")
    if kind is not None and header["kind"] != kind:
        raise FatalError(
            f"{model} is a {header['kind']}, not a {kind}: train an encoder for it (stylize train-encoder)"
        )
    return header, tensors
