from __future__ import annotations

import math

import torch

from stylize.metrics import blur, low_frequency_psnr, psnr, ssim


def pictures(count: int = 2, size: tuple[int, int] = (48, 64)) -> torch.Tensor:
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_psnr_of_a_known_error():
    images = torch.zeros(2, 3, 8, 8)
    references = torch.stack([torch.full((3, 8, 8), 0.2), torch.full((3, 8, 8), 0.02)])
    torch.testing.assert_close(psnr(images, references), torch.tensor([20.0, 40.0], dtype=torch.float64))
    assert psnr(images, images).tolist() == [math.inf, math.inf]


def test_low_frequency_psnr_forgives_detail_and_not_colour():
    references = torch.zeros(1, 3, 48, 64)
    checker = 0.2 * ((torch.arange(48)[:, None] + torch.arange(64)) % 2 * 2.0 - 1).expand(1, 3, 48, 64)
    tinted = torch.full_like(references, 0.2)
    assert abs(float(psnr(checker, references)) - float(psnr(tinted, references))) < 1e-3
    assert float(low_frequency_psnr(checker, references)) > 50
    assert abs(float(low_frequency_psnr(tinted, references)) - 20) < 1e-3


def test_blur_keeps_a_constant_up_to_its_borders_and_spreads_a_point():
    torch.testing.assert_close(blur(torch.full((1, 3, 10, 12), 0.3), 2.0), torch.full((1, 3, 10, 12), 0.3))
    point = torch.zeros(1, 1, 31, 31)
    point[..., 15, 15] = 1
    spread = blur(point, 2.0)[0, 0]
    torch.testing.assert_close(spread.sum(), torch.tensor(1.0))
    rows = torch.arange(31) - 15.0
    assert abs(float((spread.sum(1) * rows**2).sum()) - 4) < 0.2  # sigma squared


def test_ssim_is_one_for_equal_pictures_and_falls_with_noise():
    images = pictures()
    torch.testing.assert_close(ssim(images, images), torch.ones(2, dtype=torch.float64))
    smooth = blur(images, 3)
    little, much = (smooth + amount * pictures() for amount in (0.02, 0.2))
    assert (ssim(little, smooth) > ssim(much, smooth)).all()
    assert (ssim(much, smooth) < 0.9).all()


def test_every_picture_of_a_batch_is_judged_on_its_own():
    images, references = pictures(3), pictures(3).flip(0)
    for metric in (psnr, low_frequency_psnr, ssim):
        alone = torch.cat([metric(images[i : i + 1], references[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(metric(images, references), alone)
