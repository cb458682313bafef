from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from stylize.models.discriminator import (
    MultiScaleDiscriminator,
    feature_matching,
    hinge_discriminator,
    hinge_generator,
    r1_penalty,
)


def discriminator() -> MultiScaleDiscriminator:
    torch.manual_seed(0)
    return MultiScaleDiscriminator(width=4)


def scales(*logits: float) -> list[list[Tensor]]:
    return [[torch.full((2, 1, 3, 3), -value), torch.full((2, 1, 3, 3), value)] for value in logits]


@pytest.mark.parametrize("size", [(16, 16), (64, 128), (30, 50)])
def test_three_scales_of_patches(size: tuple[int, int]) -> None:
    outputs = discriminator()(torch.randn(2, 3, *size))
    assert [len(scale) for scale in outputs] == [5, 5, 5]
    assert [scale[-1].shape[:2] for scale in outputs] == [(2, 1)] * 3
    areas = [scale[0].shape[2] * scale[0].shape[3] for scale in outputs]
    assert areas[0] > areas[1] > areas[2]


def test_scales_have_weights_of_their_own() -> None:
    net = discriminator()
    first = [scale.logits.weight for scale in net.scales]
    assert not torch.equal(first[0], first[1])


def test_every_convolution_has_unit_spectral_norm() -> None:
    net = discriminator()
    for _ in range(30):
        net(torch.randn(1, 3, 32, 32))
    net.eval()
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    norms = [torch.linalg.matrix_norm(c.weight.flatten(1), ord=2).item() for c in convolutions]
    assert len(norms) == 15
    assert norms == pytest.approx([1.0] * 15, abs=0.05)


def test_hinge_losses() -> None:
    real, fake = scales(2.0, 0.5, -1.0), scales(-2.0, 0.0, 1.0)
    assert hinge_discriminator(real, fake).item() == pytest.approx((0 + (0.5 + 1) + (2 + 2)) / 3)
    assert hinge_generator(fake).item() == pytest.approx((2 + 0 - 1) / 3)


def test_feature_matching_leaves_the_logits_out_and_the_truth_alone() -> None:
    real, fake = scales(2.0, 0.5), scales(-2.0, 0.0)
    for outputs in (*real, *fake):
        outputs[0].requires_grad_()
    distance = feature_matching(real, fake)
    assert distance.item() == pytest.approx((4 + 0.5) / 2)
    distance.backward()
    assert real[0][0].grad is None
    assert fake[0][0].grad is not None


def test_r1_is_half_the_squared_gradient() -> None:
    class Linear(nn.Module):
        def forward(self, images_BCHW: Tensor) -> list[list[Tensor]]:
            return [[3 * images_BCHW.sum(dim=1, keepdim=True)], [images_BCHW.sum(dim=1, keepdim=True)]]

    penalty = r1_penalty(Linear(), torch.randn(5, 3, 4, 4))  # type: ignore[arg-type]
    assert penalty.item() == pytest.approx(0.5 * 48 * (4 / 16) ** 2)


def test_r1_trains_the_discriminator() -> None:
    net = discriminator()
    r1_penalty(net, torch.randn(2, 3, 32, 32)).backward()
    assert all(p.grad is not None for n, p in net.named_parameters() if n.endswith("original"))
