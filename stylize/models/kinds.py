"""The kinds of generator that a bundle can hold: by which name its file asks for one, and how one is made.

Two come with this package, `stylegan2` and `decoder`. Others follow `stylize.models.protocol` and are made known either
by `register_generator` in the program that uses them, or by an installed package that names a `GeneratorKind` as an
entry point; then the commands and the workers of a cluster know it too:

    [project.entry-points."stylize.generators"]
    mine = "my_package.generator:KIND"

A file can only name a kind: what it brings is numbers, and no code of it is ever run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from typing import Any

from stylize.errors import ConfigurationError, FatalError
from stylize.models.decoder import Decoder, DecoderConfig
from stylize.models.generator import Generator, GeneratorConfig
from stylize.models.protocol import GeneratorProtocol

STYLEGAN2 = "stylegan2"
ENTRY_POINTS = "stylize.generators"


@dataclass(frozen=True, kw_only=True)
class GeneratorKind:
    """How generators of a kind are made.

    Attributes:
        config: a dataclass of JSON values; what it holds goes into the header of files.
        make: makes an untrained generator, an `nn.Module`, of such a configuration.
        for_size: returns the configuration for pictures of (height, width), a preset ("light" or "paper") and noise
            maps at one over a number of that size; raises `ConfigurationError`.
    """

    config: type[Any]
    make: Callable[[Any], GeneratorProtocol]
    for_size: Callable[[tuple[int, int], str, int], Any]


def _stylegan2_for_size(size: tuple[int, int], preset: str, noise_downscale: int) -> GeneratorConfig:
    from stylize.training.generator_config import generator_for  # here, because training builds on the models

    return generator_for(size, preset, noise_downscale)


_KINDS: dict[str, GeneratorKind] = {
    STYLEGAN2: GeneratorKind(config=GeneratorConfig, make=Generator, for_size=_stylegan2_for_size),
    "decoder": GeneratorKind(config=DecoderConfig, make=Decoder, for_size=DecoderConfig.for_size),
}


def register_generator(name: str, kind: GeneratorKind) -> None:
    """Make a kind of generator known to this process; raises `ConfigurationError` when the name is taken."""
    if _KINDS.setdefault(name, kind) is not kind:
        raise ConfigurationError(f"there is another kind of generator called {name!r}: choose another name")


def new_config(name: str, size: tuple[int, int], preset: str = "light", noise_downscale: int = 4) -> Any:
    """Return the configuration of a generator of a kind for pictures of `size` (height, width).

    Raises:
        ConfigurationError: the kind is unknown, or has no generator of that size.
    """
    kind = _find(name)
    if kind is None:
        raise ConfigurationError(f"generator kind {name!r} is unknown: choose {_known()}")
    return kind.for_size(size, preset, noise_downscale)


def make_generator(config: Any) -> GeneratorProtocol:
    """Make an untrained generator of a configuration, whichever kind that is of."""
    return _KINDS[_kind_of(config)].make(config)


def config_to_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as JSON values; StyleGAN2's name no kind, as they did before there were others."""
    name = _kind_of(config)
    return {**({} if name == STYLEGAN2 else {"kind": name}), **asdict(config)}


def config_from_dict(values: Mapping[str, Any], source: str) -> Any:
    """Return the configuration of `config_to_dict`; raises `FatalError` when the kind is not known here."""
    fields = dict(values)
    name = fields.pop("kind", STYLEGAN2)
    kind = _find(name)
    if kind is None:
        raise FatalError(
            f"{source} holds a generator of the kind {name!r}, known here are {_known()}: install the package that "
            "brings it"
        )
    return kind.config(**fields)


def _find(name: str) -> GeneratorKind | None:
    if name not in _KINDS:
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            register_generator(name, entry.load())
    return _KINDS.get(name)


def _kind_of(config: Any) -> str:
    for name, kind in _KINDS.items():
        if type(config) is kind.config:
            return name
    raise ConfigurationError(f"{type(config).__name__} belongs to no kind of generator known here: register it first")


def _known() -> str:
    return ", ".join(sorted({*_KINDS, *entry_points(group=ENTRY_POINTS).names}))
