"""The small segmentation network: shapes, seeds, and that no picture depends on its neighbours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from stylize.errors import ConfigurationError
from stylize.models.segmenter import Segmenter, initial, upsampled, weights_in


def test_scores_come_at_half_the_size_for_any_multiple_of_sixteen() -> None:
    network = initial(5, 0, (8, 8, 8, 8), 8)
    for height, width in ((16, 16), (48, 64), (16, 80)):
        scores_BCHW = network(torch.zeros(2, 3, height, width))
        assert scores_BCHW.shape == (2, 5, height // 2, width // 2)
        assert upsampled(scores_BCHW, 30, 40).shape == (2, 5, 30, 40)


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    network = initial(3, 0, (8, 8, 8, 8), 8).eval()
    images_BCHW = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(network(images_BCHW)[1:2], network(images_BCHW[1:2]), atol=1e-5, rtol=1e-5)


def test_first_weights_follow_the_seed_and_leave_torch_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other = (initial(3, seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_first_weights_do_not_depend_on_other_threads() -> None:
    alone = [initial(3, seed).head.weight for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        together = [network.head.weight for network in pool.map(lambda seed: initial(3, seed), range(16))]
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


def test_the_default_is_small() -> None:
    assert 200_000 < weights_in(Segmenter(11)) < 300_000


@pytest.mark.parametrize("widths", [(8, 8, 8), (8, 8, 8, 12)])
def test_widths_that_do_not_fit_are_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="four widths, 1/2 to 1/16, and all widths divide by 8"):
        Segmenter(3, widths)
