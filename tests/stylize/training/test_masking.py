from __future__ import annotations

import pytest
import torch

from stylize.training.masking import mask_noise, patch_mask


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.1])
def test_share_of_masked_patches_is_exact_in_every_picture(ratio: float) -> None:
    keep = patch_mask((5, 7, 24, 32), ratio, 4, rng())
    assert keep.shape == (5, 1, 24, 32)
    assert keep.sum(dim=(1, 2, 3)).tolist() == [24 * 32 - round(ratio * 48) * 16] * 5


def test_mask_consists_of_whole_patches() -> None:
    keep = patch_mask((3, 1, 24, 32), 0.25, 4, rng())
    blocks = keep.view(3, 6, 4, 8, 4).permute(0, 1, 3, 2, 4).flatten(3)
    assert torch.equal(blocks.amin(dim=3), blocks.amax(dim=3))


@pytest.mark.parametrize("size", [(6, 10), (3, 3), (1, 5), (25, 33)])
def test_maps_need_not_be_multiples_of_a_patch(size: tuple[int, int]) -> None:
    keep = patch_mask((2, 3, *size), 0.25, 4, rng())
    assert keep.shape == (2, 1, *size)
    patches = -(-size[0] // 4) * -(-size[1] // 4)
    assert (keep[:, :, ::4, ::4] == 0).sum(dim=(1, 2, 3)).tolist() == [round(0.25 * patches)] * 2


def test_pictures_are_masked_independently() -> None:
    keep = patch_mask((2, 1, 32, 32), 0.25, 4, rng())
    assert not torch.equal(keep[0], keep[1])


def test_maps_are_masked_independently_and_over_all_channels() -> None:
    noise = (torch.full((2, 5, 32, 32), 9.0), torch.full((2, 5, 32, 32), 9.0))
    masked, keep = mask_noise(noise, ratio=0.25, rng=rng())
    kept = [m == 9 for m in masked]
    for one in kept:
        assert torch.equal(one, one[:, :1].expand_as(one)), "the mask is shared over channels"
        assert one[:, 0].float().mean() == 0.75
    assert not torch.equal(kept[0], kept[1])
    assert torch.equal(keep > 0, kept[0][:, :1] & kept[1][:, :1])


def test_masked_patches_hold_normal_noise() -> None:
    noise = (torch.full((8, 16, 32, 32), 9.0), torch.full((8, 16, 32, 32), 9.0))
    masked, _ = mask_noise(noise, ratio=0.25, rng=rng())
    fill = masked[0][masked[0] != 9]
    assert abs(fill.mean().item()) < 0.02
    assert abs(fill.std().item() - 1) < 0.02


def test_masked_patches_hold_zeros_on_request() -> None:
    noise = (torch.ones(1, 2, 8, 8), torch.ones(1, 2, 8, 8))
    masked, _ = mask_noise(noise, ratio=0.25, replacement="zeros", rng=rng())
    assert sorted(set(masked[0].flatten().tolist())) == [0.0, 1.0]


def test_no_mask_leaves_the_maps_alone() -> None:
    noise = (torch.ones(1, 2, 8, 8), torch.ones(1, 2, 8, 8))
    masked, keep = mask_noise(noise, ratio=0, rng=rng())
    assert masked is noise
    assert keep.shape == (1, 1, 8, 8)
    assert keep.min() == 1


def test_the_seed_decides() -> None:
    noise = (torch.ones(1, 2, 8, 8), torch.ones(1, 2, 8, 8))
    one, two, other = (mask_noise(noise, ratio=0.5, rng=rng(seed))[0][0] for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_gradients_stop_at_masked_patches() -> None:
    maps = torch.ones(1, 2, 8, 8, requires_grad=True)
    masked, _ = mask_noise((maps, maps), ratio=0.5, rng=rng())
    masked[0].sum().backward()
    assert maps.grad is not None
    assert maps.grad.sum() == 2 * 64 / 2
