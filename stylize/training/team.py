"""The processes that train one model together: each takes its share of every batch, and all take the same step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from stylize.errors import ConfigurationError, StylizeError

T = TypeVar("T")


class Team:
    """A team of one, to which the processes around it mean nothing; `ProcessTeam` is one of many.

    A step draws its random numbers for the whole batch everywhere, and each process computes on every `size`-th
    picture. What is averaged over a batch is averaged over the team, so that many processes take the step of one.
    """

    rank = 0
    local_rank = 0
    """Rank among the processes of this machine."""

    def __init__(self, size: int = 1) -> None:
        """Make a team of one, or only say how large one is planned."""
        self.size = size

    @property
    def leads(self) -> bool:
        """Whether this process is the one that reads and writes the run."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """Which pictures of a batch are this process's."""
        return slice(self.rank, None, self.size)

    def check(self, what: str, count: int, group: int = 1) -> None:
        """Raise `ConfigurationError` when `count` pictures do not divide into shares of whole groups."""
        if self.size > 1 and count % (self.size * group):
            whole = f"whole groups of {group}" if group > 1 else "equal shares"
            raise ConfigurationError(
                f"{what}, {count}, does not divide among {self.size} workers in {whole}: choose a multiple of "
                f"{self.size * group}, or other --workers"
            )

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of a tensor over the team; no gradient passes."""
        return values

    def mean_figures(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Return the means of figures over the team, which all have the same names."""
        if self.size == 1:
            return dict(figures)
        means = self.mean(torch.tensor(list(figures.values()), dtype=torch.float32))
        return dict(zip(figures, means.tolist(), strict=True))

    def mean_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average gradients over the team, in place: in one message, since most are small."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.size == 1 or not gradients:
            return
        flat = self.mean(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def together(self, call: Callable[[], T]) -> T:
        """Return to everybody what `call` returns to the one that leads, or raise everywhere what it raises."""
        return call()


ALONE = Team()


class ProcessTeam(Team):
    """The processes of `torch.distributed`, whose group somebody has made already; tensors live on `device`."""

    def __init__(self, device: torch.device, local_rank: int) -> None:
        super().__init__(distributed.get_world_size())
        self.rank, self.local_rank = distributed.get_rank(), local_rank
        self._device = device

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of a tensor over the team; no gradient passes."""
        total = values.detach().to(self._device, copy=True)
        distributed.all_reduce(total)
        return (total / self.size).to(values.device)

    def together(self, call: Callable[[], T]) -> T:
        """Return to everybody what `call` returns to the one that leads, or raise everywhere what it raises."""
        outcome: list[tuple[T | None, StylizeError | None]] = [(None, None)]
        if self.leads:
            try:
                outcome = [(call(), None)]
            except StylizeError as error:
                outcome = [(None, error)]
        distributed.broadcast_object_list(outcome, src=0, device=self._device)
        result, failure = outcome[0]
        if failure is not None:
            raise failure
        return result  # type: ignore[return-value]
