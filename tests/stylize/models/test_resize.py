from __future__ import annotations

import pytest
import torch

from stylize.errors import ConfigurationError
from stylize.models.bundle import Bundle, load_bundle
from stylize.models.resize import resized


def same_scene(bundle: Bundle, picture_BCHW: torch.Tensor) -> float:
    """Return the PSNR of a reconstruction, in dB."""
    whole = torch.nn.functional.interpolate(picture_BCHW, size=(bundle.height, bundle.width), mode="bilinear")
    codes = bundle.invert(whole)
    return float(10 * torch.log10(4 / (bundle.render(codes.ws_BLD, codes.noise) - whole).square().mean()))


def test_a_model_keeps_what_it_knows_at_another_size() -> None:
    bundle = load_bundle("streets", device="cpu")
    larger = resized(bundle, (128, 160))
    assert (larger.height, larger.width) == (128, 160)
    assert larger.noise_shapes[0][1:] == (32, 40)
    picture = torch.linspace(-0.8, 0.8, 128).view(1, 1, -1, 1).expand(1, 3, 128, 160)
    assert same_scene(larger, picture) > same_scene(resized_from_nothing(larger), picture) + 6


def test_the_same_size_is_the_same_model() -> None:
    bundle = load_bundle("streets", device="cpu")
    again = resized(bundle, (bundle.height, bundle.width))
    for name, tensor in bundle.state_dict().items():
        if not name.endswith("noise_const"):
            assert torch.allclose(again.state_dict()[name], tensor, atol=1e-6), name


def test_a_size_that_cannot_be_doubled_to_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"100x128 does not fit this model, .*: choose multiples of 32"):
        resized(load_bundle("streets", device="cpu"), (100, 128))


def resized_from_nothing(bundle: Bundle) -> Bundle:
    return Bundle.create(bundle.generator.config, bundle.encoder.config).eval()
