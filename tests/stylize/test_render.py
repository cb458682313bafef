from __future__ import annotations

import numpy as np
import pytest
import torch

from stylize.errors import ConfigurationError
from stylize.render import blend_codes, parse_layers, recolour


@pytest.mark.parametrize(
    ("text", "expected"), [("0", (0,)), ("0-3,7", (0, 1, 2, 3, 7)), (" 7, 2-2 ,2 ", (2, 7)), ("0-11", tuple(range(12)))]
)
def test_parse_layers(text, expected):
    assert parse_layers(text, 12) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0-12", "this model has layers 0-11, not 12"),
        ("40", "layers 0-11, not 40"),
        ("3-1", "runs backwards; write 1-3"),
        ("", "neither a number nor a range"),
        ("1;2", "'1;2' is neither"),
        ("-3", "'-3' is neither"),
    ],
)
def test_parse_layers_says_what_is_wrong(text, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_layers(text, 12)


def test_blend_codes_ends_are_exact():
    content, exemplar = torch.randn(2, 2, 5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(blend_codes(content, exemplar, 0.0), content)
    assert torch.equal(blend_codes(content, exemplar, 1.0), exemplar)
    torch.testing.assert_close(blend_codes(content, exemplar, 0.25), 0.75 * content + 0.25 * exemplar)


def test_blend_codes_goes_beyond_the_exemplar_and_by_item():
    content, exemplar = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(blend_codes(content, exemplar, 1.5), content + 1.5 * (exemplar - content))
    each = blend_codes(content, exemplar, torch.tensor([0.0, 1.0, 1.7]))
    assert torch.equal(each[0], content[0])
    assert torch.equal(each[1], exemplar[1])
    torch.testing.assert_close(each[2], content[2] + 1.7 * (exemplar[2] - content[2]))
    assert torch.equal(each[2:], blend_codes(content[2:], exemplar[2:], 1.7))


def test_blend_codes_touches_only_the_layers_asked_for():
    content, exemplar = torch.zeros(1, 5, 3), torch.ones(1, 5, 3)
    mixed = blend_codes(content, exemplar, 0.5, (1, 4))
    assert mixed[0, :, 0].tolist() == [0, 0.5, 0, 0, 0.5]
    assert content.sum() == 0


def test_recolour_moves_a_picture_of_any_size_as_its_synthesis_moved():
    source = np.random.default_rng(0).integers(60, 200, (77, 131, 3), dtype=np.uint8)
    base = torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(1)) - 0.5
    darker = recolour(source, base, (base + 1) * 0.6 - 1)
    assert darker.shape == source.shape
    np.testing.assert_allclose(darker, source * 0.6, atol=2)
