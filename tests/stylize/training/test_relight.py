from __future__ import annotations

import pytest
import torch

from stylize.training.relight import UNTOUCHED, relight


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("fill", [-1.0, 0.0, 1.0, None])
def test_results_stay_in_range(fill: float | None) -> None:
    images = torch.rand(200, 3, 8, 10, generator=rng()) * 2 - 1 if fill is None else torch.full((200, 3, 8, 10), fill)
    lit = relight(images, rng(1))
    assert lit.shape == images.shape
    assert torch.isfinite(lit).all()
    assert lit.min() >= -1
    assert lit.max() <= 1


def test_about_a_third_keeps_its_light() -> None:
    images = torch.rand(1000, 3, 4, 4, generator=rng()) * 2 - 1
    same = (relight(images, rng(1)) == images).flatten(1).all(dim=1)
    assert same.float().mean().item() == pytest.approx(UNTOUCHED, abs=0.05)


def test_the_light_depends_on_the_generator_alone() -> None:
    images = torch.rand(8, 3, 6, 6, generator=rng()) * 2 - 1
    assert torch.equal(relight(images, rng(5)), relight(images, rng(5)))
    assert not torch.equal(relight(images, rng(5)), relight(images, rng(6)))


def test_equal_draws_give_two_views_the_same_light() -> None:
    grey = torch.zeros(16, 3, 6, 6)
    views = torch.rand(16, 3, 6, 6, generator=rng()) * 2 - 1
    views[:, :, :, 0] = 0  # what is grey in both must look alike in both
    assert torch.allclose(relight(grey, rng(5))[:, :, :, 0], relight(views, rng(5))[:, :, :, 0], atol=1e-6)


def test_light_spreads_to_dark_and_bright() -> None:
    means = relight(torch.zeros(500, 3, 8, 8), rng()).mean(dim=(1, 2, 3))
    assert means.min() < -0.7
    assert means.max() > 0.5
