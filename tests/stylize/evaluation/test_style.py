from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylize.evaluation.features import Backbone, load_backbone
from stylize.evaluation.style import colour_distance, feature_distance, lab, styles


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone(torch.device("cpu"))


def flat(*rgb: float) -> Tensor:
    """One picture of one colour, given in 0..255."""
    return (torch.tensor(rgb) / 127.5 - 1)[None, :, None, None].expand(1, 3, 4, 4)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_lab_is_that_of_the_tables(rgb: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert lab(flat(*rgb))[0, :, 0, 0].tolist() == pytest.approx(expected, abs=0.05)


def test_colours_are_as_far_apart_as_they_must_move() -> None:
    (dark,), (light,) = styles(flat(0, 0, 0), None), styles(flat(255, 255, 255), None)
    assert colour_distance(dark, light) == pytest.approx(100, abs=0.01)
    assert colour_distance(dark, dark) == 0
    half = torch.cat([flat(0, 0, 0), flat(255, 255, 255)], dim=3)
    assert colour_distance(styles(half, None)[0], dark) == pytest.approx(5000**0.5, abs=0.01)  # half of it moves by 100


def test_where_colours_are_does_not_count() -> None:
    picture = torch.rand(1, 3, 8, 8) * 2 - 1
    (one,), (turned,) = styles(picture, None), styles(picture.flip(-1).transpose(2, 3), None)
    assert colour_distance(one, turned) == pytest.approx(0, abs=1e-2)


def test_features_tell_textures_apart(backbone: Backbone) -> None:
    random = torch.Generator().manual_seed(0)
    rough = torch.rand(1, 3, 64, 64, generator=random) * 2 - 1
    again = torch.rand(1, 3, 64, 64, generator=random) * 2 - 1
    smooth = torch.nn.functional.avg_pool2d(rough, 9, 1, 4)
    (one,), (like,), (other,) = (styles(picture, backbone) for picture in (rough, again, smooth))
    assert feature_distance(one, one) == 0
    assert feature_distance(like, one) < 0.5 * feature_distance(other, one)
    assert one.pooled is not None
    assert one.pooled.shape == (112,)
    assert [len(layer) for layer in one.moments] == [64, 32, 48, 80, 224]
