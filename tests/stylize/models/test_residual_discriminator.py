from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from stylize.models.residual_discriminator import EqualConv, ResidualDiscriminator, append_spread, low_pass


def pictures(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_low_pass_keeps_what_is_constant_and_halves() -> None:
    flat = torch.full((1, 2, 8, 12), 3.0)
    half, whole = low_pass(flat, padding=1, stride=2), low_pass(flat, padding=2)
    assert half.shape == (1, 2, 4, 6)
    assert torch.allclose(half[:, :, 1:-1, 1:-1], torch.full((1, 2, 2, 4), 3.0))
    assert whole.shape == (1, 2, 9, 13)


def test_low_pass_is_the_filter_1331() -> None:
    dot = torch.zeros(1, 1, 5, 5)
    dot[0, 0, 2, 2] = 64
    spread = low_pass(dot, padding=2)
    taps = torch.tensor([1.0, 3, 3, 1])
    assert torch.equal(spread[0, 0, 1:5, 1:5], torch.outer(taps, taps))


@pytest.mark.parametrize(("kernel", "down"), [(3, False), (3, True), (1, False), (1, True)])
def test_convolutions_keep_or_halve_the_size(kernel: int, down: bool) -> None:
    shape = EqualConv(4, 5, kernel, down=down)(pictures(2, 4, 8, 12)).shape
    assert shape == ((2, 5, 4, 6) if down else (2, 5, 8, 12))


def test_spread_is_the_deviation_within_groups() -> None:
    x = pictures(8, 3, 2, 4)
    spread = append_spread(x, group=4)
    assert torch.equal(spread[:, :3], x)
    expected = x[0::2].std(dim=0, correction=0).mean()
    assert torch.allclose(spread[0::2, 3], expected.expand(4, 2, 4), atol=1e-4)
    assert torch.allclose(append_spread(pictures(1, 3, 2, 4).repeat(6, 1, 1, 1))[:, 3], torch.zeros(6, 2, 4), atol=1e-3)


@pytest.mark.parametrize(("const", "size"), [((2, 2), (16, 16)), ((3, 4), (24, 32))])
def test_one_logit_per_picture(const: tuple[int, int], size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    net = ResidualDiscriminator(const, (8, 8, 6, 4))
    logits = net(pictures(5, 3, *size))
    assert logits.shape == (5,)
    F.softplus(logits).mean().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_activations_keep_their_variance() -> None:
    torch.manual_seed(0)
    net = ResidualDiscriminator((4, 4), (64, 64, 64, 64))
    x = net.from_rgb(pictures(8, 3, 32, 32))
    for block in net.blocks:
        x = block(x)
        assert 0.1 < x.square().mean() < 3
