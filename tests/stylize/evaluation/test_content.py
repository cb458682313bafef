from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylize.evaluation.content import edge_agreement, structure_agreement
from stylize.metrics import blur


def streets(seed: int) -> Tensor:
    """Two pictures [2, 3, 48, 64] of blocks of many sizes and some texture."""
    random = torch.Generator().manual_seed(seed)
    sizes = ((3, 4), (6, 8), (12, 16), (24, 32))
    parts = [torch.nn.functional.interpolate(torch.rand(2, 3, *s, generator=random), (48, 64)) for s in sizes]
    return (torch.stack(parts).mean(0) - 0.5) * 3


STREETS = streets(0).clamp(-1, 1)


def both(images: Tensor) -> tuple[float, float]:
    return float(structure_agreement(images, STREETS).min()), float(edge_agreement(images, STREETS).min())


def test_equal_pictures_agree() -> None:
    assert both(STREETS) == (pytest.approx(1, abs=1e-6), 1.0)


def test_light_and_haze_keep_the_scene() -> None:
    ramp = torch.linspace(0.3, 0.8, 64)
    assert min(both((STREETS + 1) * ramp - 1)) > 0.9
    assert min(both(STREETS * 0.4 + 0.5)) > 0.95


def test_another_scene_does_not() -> None:
    structure, edges = both(streets(9).clamp(-1, 1))
    assert abs(structure) < 0.1
    assert edges < 0.5


def test_a_ghost_of_another_scene_costs_more_the_stronger_it_is() -> None:
    other = streets(9).clamp(-1, 1)
    weak, strong = both(0.8 * STREETS + 0.2 * other), both(0.5 * STREETS + 0.5 * other)
    assert 1 > weak[0] > strong[0] > 0
    assert 1 > weak[1] > strong[1]


def test_a_negative_keeps_edges_but_no_structure() -> None:
    structure, edges = both(-STREETS)
    assert structure == pytest.approx(-1, abs=1e-6)
    assert edges > 0.99


def test_nothing_left_is_no_structure() -> None:
    assert both(torch.zeros_like(STREETS))[0] == pytest.approx(0, abs=1e-6)
    assert both(STREETS * 0.002)[0] < 0.5  # below a grey level
    assert both(torch.zeros_like(STREETS))[1] == 0


def test_two_empty_pictures_have_lost_no_edge() -> None:
    empty = torch.zeros(1, 3, 48, 64)
    assert float(edge_agreement(empty, empty + 0.5)) == 1
    assert float(edge_agreement(STREETS[:1], empty)) == 0


def test_blur_and_noise_cost_structure() -> None:
    noise = torch.randn(STREETS.shape, generator=torch.Generator().manual_seed(1))
    assert both(blur(STREETS, 2.0))[0] < 0.95
    assert both(STREETS + 0.2 * noise)[0] < both(STREETS + 0.05 * noise)[0] < 0.99
