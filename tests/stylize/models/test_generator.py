from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from stylize.errors import ConfigurationError
from stylize.models import generator as module
from stylize.models.generator import Generator, GeneratorConfig, mix_styles

SMALL = GeneratorConfig(const_size=(2, 3), channels=(8, 8, 6, 4), z_dim=5, w_dim=7)


def make(config: GeneratorConfig = SMALL, **changes: Any) -> Generator:
    """Return a generator whose every parameter has an effect."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Generator(replace(config, **changes)).requires_grad_(False)
        for name, parameter in made.named_parameters():
            if parameter.ndim < 2 and "affine" not in name:
                parameter.normal_()
        made.mapping.w_avg.normal_()
    return made


def draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("architecture", module.ARCHITECTURES)
def test_rectangular_constants_give_rectangular_pictures(architecture: str) -> None:
    made = make(architecture=architecture)
    assert made.image_size == (16, 24)
    assert made.num_ws == 8
    assert made.noise_shapes == ((8, 4, 6), (8, 4, 6))
    ws = made.mapping(draw(3, 5))
    assert ws.shape == (3, 8, 7)
    assert made.synthesis(ws).shape == (3, 3, 16, 24)
    assert torch.equal(made(draw(3, 5)), made.synthesis(ws))


def test_noise_from_outside_replaces_the_stored_noise_and_its_strength() -> None:
    made = make()
    ws = draw(2, 8, 7)
    layers = [made.synthesis.blocks[1].conv0, made.synthesis.blocks[1].conv1]
    stored = [(x.noise_const * x.noise_strength).expand(2, 8, 4, 6) for x in layers]
    plain = made.synthesis(ws)
    assert torch.allclose(made.synthesis(ws, stored), plain, atol=1e-5)
    other = made.synthesis(ws, [stored[0], stored[1] + 1])
    assert (other - plain).abs().max() > 1e-2
    layers[1].noise_strength.fill_(99.0)  # no longer of any effect
    assert torch.equal(made.synthesis(ws, [stored[0], stored[1] + 1]), other)


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    made = make()
    ws = draw(4, 8, 7)
    alone = torch.cat([made.synthesis(one[None]) for one in ws])
    assert torch.allclose(made.synthesis(ws), alone, atol=1e-4)


def test_the_memory_layout_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    made, ws = make(architecture="resnet"), draw(2, 8, 7)
    fast = made.synthesis(ws)
    monkeypatch.setattr(module, "fast_layout", torch.Tensor.contiguous)
    assert torch.allclose(made.synthesis(ws), fast, atol=1e-4)


def test_gradients_reach_codes_noise_and_every_parameter() -> None:
    made = make(architecture="skip", conv_clamp=50.0).requires_grad_(True)
    ws, noise = draw(2, 8, 7).requires_grad_(), [draw(2, 8, 4, 6).requires_grad_() for _ in range(2)]
    made.synthesis(ws, noise).square().sum().backward()
    assert ws.grad is not None
    assert all(code.abs().max() > 0 for code in ws.grad.unbind(dim=1))
    assert all(n.grad is not None and n.grad.abs().max() > 0 for n in noise)
    unused = {name for name, p in made.synthesis.named_parameters() if p.grad is None}
    assert unused == {"blocks.1.conv0.noise_strength", "blocks.1.conv1.noise_strength"}


def test_truncation_pulls_to_the_average_in_the_first_layers() -> None:
    made = make()
    z = draw(2, 5)
    full = made.mapping(z)
    assert torch.allclose(made.mapping(z, truncation_psi=0.0), made.mapping.w_avg.expand(2, 8, 7), atol=1e-6)
    half = made.mapping(z, truncation_psi=0.5, truncation_cutoff=3)
    assert torch.allclose(half[:, :3], (full[:, :3] + made.mapping.w_avg) / 2, atol=1e-6)
    assert torch.equal(half[:, 3:], full[:, 3:])


def test_a_class_condition_is_needed_and_used() -> None:
    made = make(c_dim=4, embed_width=6, mapping_width=9)
    assert made.mapping.layers[0].weight.shape == (9, 11)
    z, c = draw(2, 5), torch.eye(4)
    assert not torch.allclose(made.mapping(z, c[:2]), made.mapping(z, c[2:]))
    with pytest.raises(ConfigurationError, match=r"class-conditional: pass c, a one-hot \[B, 4\]"):
        made.mapping(z)


def test_a_generator_without_noise_stores_none_and_still_takes_it_from_outside() -> None:
    made = make(use_noise=False)
    assert not [name for name in made.state_dict() if "noise" in name]
    ws = draw(1, 8, 7)
    zeros = [torch.zeros(1, 8, 4, 6)] * 2
    assert torch.equal(made.synthesis(ws), made.synthesis(ws, zeros))


def test_mixing_takes_the_named_layers_only() -> None:
    ws, other = draw(2, 8, 7), draw(2, 8, 7, seed=2)
    mixed = mix_styles(ws, other, [0, 5])
    assert torch.equal(mixed[:, [0, 5]], other[:, [0, 5]])
    assert torch.equal(mixed[:, [1, 2, 3, 4, 6, 7]], ws[:, [1, 2, 3, 4, 6, 7]])
    assert not torch.equal(mixed, ws)


def test_wrong_number_of_codes_is_named() -> None:
    with pytest.raises(ConfigurationError, match="expected 8 w\\+ codes, got 7"):
        make().synthesis(draw(1, 7, 7))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "alias-free"}, "'alias-free' is not one of skip, resnet, orig"),
        ({"channels": (8, 8, 8)}, "1/4 of the picture need a block at that scale .* has 3 blocks"),
        ({"noise_downscale": 8}, "1/8 of the picture"),
    ],
)
def test_impossible_shapes_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        replace(SMALL, **options)


def test_lists_of_a_header_become_the_same_configuration() -> None:
    header = {**SMALL.as_dict(), "const_size": [2, 3], "channels": [8, 8, 6, 4]}
    assert GeneratorConfig(**header) == SMALL
