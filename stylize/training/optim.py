"""Optimisers, the learning-rate schedule and weight averaging."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

OPTIMIZERS = ("adam", "ranger")


class Lookahead:
    """Every `every` steps pull the weights half-way back to a slow copy (arXiv 1907.08610)."""

    def __init__(self, optimizer: torch.optim.Optimizer, every: int = 6, alpha: float = 0.5) -> None:
        self.optimizer, self.every, self.alpha = optimizer, every, alpha
        self.steps = 0
        self.slow = [p.detach().clone() for group in optimizer.param_groups for p in group["params"]]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)

    @torch.no_grad()
    def step(self) -> None:
        self.optimizer.step()
        self.steps += 1
        if self.steps % self.every:
            return
        fast = [p for group in self.optimizer.param_groups for p in group["params"]]
        for slow, parameter in zip(self.slow, fast, strict=True):
            slow.lerp_(parameter, self.alpha)
            parameter.copy_(slow)

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict(), "steps": self.steps, "slow": self.slow}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps = state["steps"]
        for slow, saved in zip(self.slow, state["slow"], strict=True):
            slow.copy_(saved)


def make_optimizer(
    name: str, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]
) -> torch.optim.Optimizer | Lookahead:
    """Return Adam, or RAdam with lookahead (`ranger`)."""
    if name == "adam":
        return torch.optim.Adam(list(parameters), lr=lr, betas=betas)
    return Lookahead(torch.optim.RAdam(list(parameters), lr=lr, betas=betas))


def cosine(done: float, start: float, end: float) -> float:
    """Return the value at `done` in [0, 1] of a cosine from `start` to `end`."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0)))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, *, images: int, batch: int, half_life: int) -> None:
    """Move averaged weights towards those of the model that are trained.

    The half-life is `half_life` images, but never more than a tenth of the images seen, so that early averages
    forget the random start. Buffers are left alone.
    """
    life = max(min(half_life, images / 10), 1e-8)
    rate = 1 - 0.5 ** (batch / life)
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        if fast.requires_grad:
            slow.lerp_(fast, rate)
