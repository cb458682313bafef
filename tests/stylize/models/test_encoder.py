from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylize.errors import ConfigurationError, FatalError
from stylize.models.bundle import make_encoder
from stylize.models.encoder import PAPER, EncoderConfig, FeaturePyramid, MaskedNoiseEncoder
from stylize.models.generator import Generator, GeneratorConfig

TINY = EncoderConfig(stem=8, widths=(8, 8, 16, 16), pyramid=8, head=8)
TINY_PAPER = EncoderConfig(
    block="bottleneck", stem=8, widths=(16, 16, 32, 32), pyramid=8, head=8, normalize_noise=False
)


def encoder(config: EncoderConfig = TINY, num_ws: int = 10, channels: tuple[int, int] = (6, 7)) -> MaskedNoiseEncoder:
    torch.manual_seed(0)
    shapes = [(c, 0, 0) for c in channels]
    return MaskedNoiseEncoder(config, num_ws=num_ws, w_dim=5, noise_shapes=shapes)


def pictures(height: int = 32, width: int = 64, count: int = 2) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("config", [TINY, TINY_PAPER])
@pytest.mark.parametrize("size", [(32, 64), (96, 128), (8, 8), (16, 128), (20, 36)])
def test_any_picture_size_gives_codes_and_maps(config: EncoderConfig, size: tuple[int, int]) -> None:
    codes = encoder(config)(pictures(*size))
    assert codes.ws_BLD.shape == (2, 10, 5)
    assert [n.shape for n in codes.noise] == [(2, c, size[0] // 4, size[1] // 4) for c in (6, 7)]
    assert torch.isfinite(codes.ws_BLD).all()


def test_the_paper_s_generator_gets_two_maps_of_256_channels() -> None:
    with torch.device("meta"):
        config = GeneratorConfig(const_size=(4, 8), channels=(512, 512, 512, 512, 256, 128, 64), w_dim=512)
        model = make_encoder(PAPER, Generator(config))
        codes = model(torch.empty(1, 3, 256, 512))
    assert codes.ws_BLD.shape == (1, 14, 512)
    assert [n.shape for n in codes.noise] == [(1, 256, 64, 128)] * 2


@pytest.mark.parametrize(("downscale", "levels"), [(2, [16, 8, 4, 2]), (4, [16, 8, 4]), (8, [16, 8, 4])])
def test_levels_of_the_pyramid(downscale: int, levels: list[int]) -> None:
    config = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, noise_downscale=downscale)
    pyramid = FeaturePyramid(config)(pictures(64, 96))
    assert list(pyramid) == levels
    assert [f.shape for f in pyramid.values()] == [(2, 8, 64 // d, 96 // d) for d in levels]


@pytest.mark.parametrize("downscale", [2, 4, 8])
def test_noise_maps_fit_the_generator(downscale: int) -> None:
    generator = Generator(GeneratorConfig(const_size=(2, 4), channels=(8, 12, 8, 6, 4), noise_downscale=downscale))
    config = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8, noise_downscale=downscale)
    codes = make_encoder(config, generator)(pictures())
    assert tuple(n.shape[1:] for n in codes.noise) == generator.noise_shapes
    assert generator.synthesis(codes.ws_BLD, codes.noise).shape == (2, 3, 32, 64)


def test_encoder_and_generator_must_agree_on_the_scale_of_the_maps() -> None:
    generator = Generator(GeneratorConfig(const_size=(2, 4), channels=(8, 8, 8, 8)))
    with pytest.raises(FatalError, match=r"at 1/8, the generator's at 1/4"):
        make_encoder(EncoderConfig(noise_downscale=8), generator)


@pytest.mark.parametrize(("num_ws", "heads"), [(10, [3, 4, 3]), (7, [3, 4]), (5, [3, 2]), (14, [3, 4, 7])])
def test_codes_come_from_three_levels(num_ws: int, heads: list[int]) -> None:
    model = encoder(num_ws=num_ws)
    assert [len(head.linears) for head in model.style.values()] == heads
    assert list(model.style) == ["16", "8", "4"][: len(heads)]
    levels = {int(level): torch.zeros(1, 8, 4, 4) for level in model.style}
    first = model.style["16"](levels[16])
    model.pyramid.forward = lambda images_BCHW: levels | {4: torch.zeros(1, 8, 4, 4)}  # type: ignore[method-assign]
    assert torch.equal(model(pictures(count=1)).ws_BLD[:, :3], first)


@pytest.mark.parametrize("config", [TINY, TINY_PAPER])
def test_a_picture_s_codes_do_not_depend_on_its_neighbours(config: EncoderConfig) -> None:
    model = encoder(config)
    batch = pictures(count=3)
    together, alone = model(batch), model(batch[1:2])
    assert torch.allclose(together.ws_BLD[1:2], alone.ws_BLD, atol=1e-5)
    assert torch.allclose(together.noise[0][1:2], alone.noise[0], atol=1e-4)


def test_normalised_maps_carry_no_colour_and_light() -> None:
    model = encoder()
    with torch.no_grad():
        model.noise[0].gain.fill_(2.0)
    noise = model(pictures(64, 64)).noise[0]
    assert noise.mean(dim=(2, 3)).abs().max() < 1e-4
    assert (noise.std(dim=(2, 3), correction=0) <= 2.0).all()
    plain = encoder(TINY_PAPER)(pictures(64, 64)).noise[0]
    assert plain.mean(dim=(2, 3)).abs().max() > 1e-3


def test_codes_are_offsets_from_the_average() -> None:
    model = encoder()
    before = model(pictures()).ws_BLD
    model.w_avg += torch.arange(5.0)
    assert torch.allclose(model(pictures()).ws_BLD - before, torch.arange(5.0).expand(2, 10, 5), atol=1e-5)
    absolute = encoder(EncoderConfig(stem=8, widths=(8, 8, 16, 16), pyramid=8, head=8, offset_from_average=False))
    before = absolute(pictures()).ws_BLD
    absolute.w_avg += 1
    assert torch.equal(absolute(pictures()).ws_BLD, before)


def test_every_parameter_learns() -> None:
    for config in (TINY, TINY_PAPER):
        model = encoder(config)
        codes = model(pictures(64, 64))
        (codes.ws_BLD.square().sum() + sum(n[:, :, ::2].sum() for n in codes.noise)).backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_any_width_has_groups_that_divide_it() -> None:
    encoder(EncoderConfig(stem=3, widths=(10, 36, 72, 40), pyramid=8, head=8))(pictures())


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"block": "vgg"}, "'vgg'"), ({"noise_downscale": 16}, "not 1/16"), ({"widths": (8, 8, 8)}, "four stages")],
)
def test_nonsense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        EncoderConfig(**changes)  # type: ignore[arg-type]


def test_a_shortcut_leaves_pixels_out_alike_in_training_and_inference() -> None:
    from stylize.models.encoder import _Pointwise

    torch.manual_seed(0)
    layer, x_BCHW = _Pointwise(4, 8, 1, 2, bias=False), torch.randn(2, 4, 7, 10)
    with torch.no_grad():
        wanted = layer(x_BCHW)
    assert wanted.shape == (2, 8, 4, 5)
    assert torch.allclose(layer(x_BCHW), wanted, atol=1e-6)
