"""What all baselines have in common: names, purity, and the blend with the content."""

from __future__ import annotations

import numpy as np
import pytest

from cli import options
from stylize.errors import ConfigurationError
from stylize.methods import BASELINES, METHODS, blend, load_method, weights_sha256
from tests.pipelines.helpers import picture

PLAIN = [name for name in BASELINES if name != "adain"]


def test_the_command_line_names_them_all() -> None:
    assert METHODS == options.METHODS


@pytest.mark.parametrize("name", PLAIN)
def test_a_method_is_a_pure_function_of_two_pictures_of_any_size(name: str) -> None:
    transfer = load_method(name)
    for shape in ((30, 40), (64, 30), (1, 1)):
        content, exemplar = picture(1, *shape), picture(2, 50, 25)
        content.flags.writeable = exemplar.flags.writeable = False
        first, second = transfer(content, exemplar), transfer(content, exemplar)
        assert first.shape == (*shape, 3)
        assert first.dtype == np.uint8
        assert first.flags.c_contiguous
        assert np.array_equal(first, second)
    assert weights_sha256(name) is None


def test_an_unknown_method_is_refused_with_the_names() -> None:
    with pytest.raises(ConfigurationError, match=r"'gatys' is unknown: choose one of reinhard, histogram, fda"):
        load_method("gatys")


def test_a_blend_goes_from_the_content_to_the_result() -> None:
    content, result = picture(1), picture(2)
    assert np.array_equal(blend(content, result, 0), content)
    assert np.array_equal(blend(content, result, 1), result)
    half = (content.astype(float) + result) / 2
    assert abs(blend(content, result, 0.5) - half).max() <= 0.5
