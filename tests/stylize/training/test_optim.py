from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from stylize.training.optim import Lookahead, cosine, make_optimizer, update_average


def test_cosine_runs_from_start_to_end() -> None:
    values = [cosine(done, 1e-4, 1e-5) for done in (-1, 0, 0.25, 0.5, 1, 2)]
    quarter = 1e-5 + 9e-5 * 0.5 * (1 + math.cos(math.pi / 4))
    assert values == pytest.approx([1e-4, 1e-4, quarter, 5.5e-5, 1e-5, 1e-5])


def test_lookahead_pulls_back_every_sixth_step() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = Lookahead(torch.optim.SGD([weight], lr=1.0), every=6, alpha=0.5)
    path = []
    for _ in range(12):
        optimizer.zero_grad()
        (-weight).sum().backward()
        optimizer.step()
        path.append(weight.item())
    assert path == [1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 6]


@pytest.mark.parametrize("name", ["adam", "ranger"])
def test_an_optimizer_goes_on_where_it_was(name: str) -> None:
    def steps(net: nn.Linear, optimizer: torch.optim.Optimizer | Lookahead, first: int, last: int) -> None:
        for number in range(first, last):
            optimizer.zero_grad()
            rng = torch.Generator().manual_seed(number)
            net(torch.randn(3, 4, generator=rng)).square().sum().backward()
            optimizer.step()

    def make() -> tuple[nn.Linear, torch.optim.Optimizer | Lookahead]:
        torch.manual_seed(0)
        net = nn.Linear(4, 2)
        return net, make_optimizer(name, net.parameters(), 1e-2, (0.9, 0.99))

    whole, optimizer = make()
    steps(whole, optimizer, 0, 15)
    half, optimizer = make()
    steps(half, optimizer, 0, 8)
    state = optimizer.state_dict()
    resumed, optimizer = make()
    resumed.load_state_dict(half.state_dict())
    optimizer.load_state_dict(state)
    steps(resumed, optimizer, 8, 15)
    assert torch.equal(resumed.weight, whole.weight)


def nets() -> tuple[nn.BatchNorm1d, nn.BatchNorm1d]:
    model, average = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.zeros_(average.weight)
    model.bias.requires_grad_(False).fill_(7)
    model.get_buffer("running_mean").fill_(7)
    return model, average


def test_average_moves_half_way_in_a_half_life() -> None:
    model, average = nets()
    for step in range(10):
        update_average(average, model, images=10**6 + step, batch=10, half_life=100)
    assert average.weight.tolist() == pytest.approx([0.5, 0.5])


def test_average_ramps_up() -> None:
    model, average = nets()
    update_average(average, model, images=40, batch=4, half_life=10_000)
    assert average.weight.tolist() == pytest.approx([0.5, 0.5]), "the half-life is a tenth of the images seen"


def test_average_takes_only_what_is_trained() -> None:
    model, average = nets()
    update_average(average, model, images=40, batch=4, half_life=10)
    assert average.bias.tolist() == [0, 0]
    assert average.get_buffer("running_mean").tolist() == [0, 0]
