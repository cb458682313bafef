from __future__ import annotations

import pytest
import torch

from stylize.errors import ConfigurationError
from stylize.models.decoder import Decoder, DecoderConfig

CONFIG = DecoderConfig(size=(24, 32), channels=6, widths=(8, 8, 4), blocks=2, w_dim=5)


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(CONFIG).eval()


def drawn(config: DecoderConfig, count: int = 2) -> tuple[torch.Tensor, list[torch.Tensor]]:
    rng = torch.Generator().manual_seed(1)
    ws_BLD = torch.randn(count, config.num_ws, config.w_dim, generator=rng)
    return ws_BLD, [torch.randn(count, *shape, generator=rng) for shape in config.noise_shapes]


def test_shapes_follow_from_the_configuration(decoder: Decoder) -> None:
    assert (decoder.num_ws, decoder.w_dim) == (7, 5)
    assert decoder.noise_shapes == ((6, 6, 8), (6, 6, 8))
    assert decoder.synthesis(*drawn(CONFIG)).shape == (2, 3, 24, 32)


def test_every_code_and_both_maps_matter(decoder: Decoder) -> None:
    ws_BLD, noise = drawn(CONFIG, count=1)
    before = decoder.synthesis(ws_BLD, noise)
    for layer in range(CONFIG.num_ws):
        moved_BLD = ws_BLD.clone()
        moved_BLD[:, layer] += 1
        assert (decoder.synthesis(moved_BLD, noise) - before).abs().max() > 1e-3, layer
    for index in range(2):
        moved = [n + torch.randn_like(n) * (i == index) for i, n in enumerate(noise)]
        assert (decoder.synthesis(ws_BLD, moved) - before).abs().max() > 1e-3, index


def test_a_picture_does_not_depend_on_its_neighbours(decoder: Decoder) -> None:
    ws_BLD, noise = drawn(CONFIG)
    together = decoder.synthesis(ws_BLD, noise)
    alone = decoder.synthesis(ws_BLD[1:], [n[1:] for n in noise])
    torch.testing.assert_close(together[1:], alone)


def test_without_maps_there_is_no_content(decoder: Decoder) -> None:
    picture = decoder.synthesis(drawn(CONFIG)[0])
    inner = picture[:, :, 8:-8, 8:-8]  # zero padding shows at the border
    assert (inner - inner.mean(dim=(2, 3), keepdim=True)).abs().max() < 1e-4


def test_another_number_of_codes_is_refused(decoder: Decoder) -> None:
    ws_BLD, noise = drawn(CONFIG)
    with pytest.raises(ConfigurationError, match="expected 7 w\\+ codes, got 6"):
        decoder.synthesis(ws_BLD[:, 1:], noise)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": (30, 32)}, "30x32 do not fit noise maps at 1/4: choose multiples of 4"),
        ({"size": (4, 32)}, "two at least"),
        ({"widths": (8, 8)}, "2 are given"),
        ({"noise_downscale": 3}, "one width per doubling"),
        ({"blocks": 0}, "at least one block"),
    ],
)
def test_impossible_shapes_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        DecoderConfig(**{"size": (24, 32), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("downscale", [2, 4, 8])
def test_any_size_and_scale_has_a_light_decoder(downscale: int) -> None:
    config = DecoderConfig.for_size((48, 72), "light", downscale)
    assert config.noise_shapes[0][1:] == (48 // downscale, 72 // downscale)
    ws_BLD, noise = drawn(config, count=1)
    assert Decoder(config).synthesis(ws_BLD, noise).shape == (1, 3, 48, 72)
