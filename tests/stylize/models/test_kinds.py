from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from stylize.errors import ConfigurationError, FatalError
from stylize.models import kinds
from stylize.models.bundle import Bundle, generator_to_bytes, load_bundle, load_generator
from stylize.models.decoder import Decoder, DecoderConfig
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import GeneratorConfig
from stylize.models.kinds import GeneratorKind, config_from_dict, config_to_dict, new_config, register_generator

DECODER = DecoderConfig(size=(24, 32), channels=6, widths=(8, 8, 4), blocks=1, w_dim=5)
ENCODER = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)


@dataclass(frozen=True)
class Odd:
    """The configuration of a kind that no package brings."""

    w_dim: int = 4


@pytest.fixture(autouse=True)
def only_our_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_KINDS", dict(kinds._KINDS))


def test_a_bundle_with_a_decoder_survives_its_file(tmp_path: Any) -> None:
    made = Bundle.create(DECODER, ENCODER, seed=1)
    path = tmp_path / "decoder.safetensors"
    path.write_bytes(made.to_bytes(torch.float32))
    loaded = load_bundle(str(path), device="cpu")
    assert isinstance(loaded.generator, Decoder)
    assert (loaded.height, loaded.width, loaded.num_ws) == (24, 32, 5)
    pictures = torch.rand(2, 3, 24, 32) * 2 - 1
    codes = loaded.invert(pictures)
    torch.testing.assert_close(loaded.render(codes.ws_BLD, codes.noise), made.eval().render(codes.ws_BLD, codes.noise))


def test_a_decoder_has_a_file_of_its_own(tmp_path: Any) -> None:
    path = tmp_path / "generator.safetensors"
    path.write_bytes(generator_to_bytes(Decoder(DECODER)))
    assert load_generator(str(path), device="cpu").config == DECODER


def test_headers_of_stylegan2_name_no_kind() -> None:
    config = GeneratorConfig()
    assert "kind" not in config_to_dict(config)
    assert config_from_dict(config_to_dict(config), "a file") == config
    assert config_to_dict(DECODER)["kind"] == "decoder"
    assert config_from_dict(config_to_dict(DECODER), "a file") == DECODER


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(ConfigurationError, match="'diffusion' is unknown: choose decoder, stylegan2"):
        new_config("diffusion", (24, 32))
    with pytest.raises(FatalError, match="a file holds a generator of the kind 'diffusion'"):
        config_from_dict({"kind": "diffusion"}, "a file")
    with pytest.raises(ConfigurationError, match="Odd belongs to no kind"):
        config_to_dict(Odd())


def test_a_name_means_one_kind() -> None:
    odd = GeneratorKind(config=Odd, make=lambda config: nn.Identity(), for_size=lambda *_: Odd())  # type: ignore[arg-type, return-value]
    register_generator("odd", odd)
    register_generator("odd", odd)
    assert new_config("odd", (24, 32)) == Odd()
    with pytest.raises(ConfigurationError, match="another kind of generator called 'decoder'"):
        register_generator("decoder", odd)


def test_an_installed_package_brings_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = GeneratorKind(config=Odd, make=lambda config: nn.Identity(), for_size=lambda *_: Odd())  # type: ignore[arg-type, return-value]

    class Entry:
        def load(self) -> GeneratorKind:
            return odd

    def found(group: str, name: str) -> list[Entry]:
        return [Entry()] if (group, name) == ("stylize.generators", "odd") else []

    monkeypatch.setattr(kinds, "entry_points", found)
    assert config_from_dict({"kind": "odd", "w_dim": 9}, "a file") == Odd(w_dim=9)
