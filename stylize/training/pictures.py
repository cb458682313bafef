"""Pictures for training: decoded once, then cropped and flipped at random."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.training.decoded import Located, decoded
from stylize.training.team import ALONE, Team

STORED_SCALE = 1.25  # pictures are kept a little larger than the model's, so that crops are not blurred


class TrainingPictures:
    """All pictures of a dataset, as `[N, 3, h, w]` uint8, in memory or in a file that is mapped into it."""

    def __init__(self, pictures_NCHW: Tensor, height: int, width: int) -> None:
        self.pictures_NCHW = pictures_NCHW
        self.height, self.width = height, width
        self._epoch: tuple[tuple[int, int], Tensor] | None = None

    @classmethod
    def load(
        cls,
        located: Sequence[Located],
        height: int,
        width: int,
        *,
        folder: Path,
        scale: float = STORED_SCALE,
        team: Team = ALONE,
        on_picture: Callable[[int, int], None] | None = None,
    ) -> tuple[TrainingPictures, tuple[tuple[str, str], ...]]:
        """Decode pictures, or find them decoded in `folder`; return them and `(id, reason)` of the unreadable ones.

        They are kept at `scale` times the model's size: with 1, `whole` gives exactly what an inversion sees.
        `on_picture(done, total)` is called after each. See `stylize.training.decoded`.

        Raises:
            FatalError: nothing is readable, or the folder cannot be written.
        """
        size = (round(height * scale), round(width * scale))
        pictures_NCHW, unreadable = decoded(located, size, folder, team=team, on_picture=on_picture)
        return cls(pictures_NCHW, height, width), unreadable

    def __len__(self) -> int:
        return len(self.pictures_NCHW)

    def whole(self, indices: Sequence[int]) -> Tensor:
        """Return whole pictures `[B, 3, height, width]` in [-1, 1]."""
        batch = self.pictures_NCHW[list(indices)].float()
        size = (self.height, self.width)
        return F.interpolate(batch, size=size, mode="bilinear", antialias=True, align_corners=False) / 127.5 - 1

    def draw(self, step: int, batch: int, seed: int) -> list[int]:
        """Return the pictures of a step: every epoch is a new permutation, a function of step and seed alone."""
        indices: list[int] = []
        position = step * batch
        while len(indices) < batch:
            epoch, start = divmod(position, len(self))
            taken = self._order(seed, epoch)[start : start + batch - len(indices)].tolist()
            indices += taken
            position += len(taken)
        return indices

    def _order(self, seed: int, epoch: int) -> Tensor:
        kept = self._epoch
        if kept is None or kept[0] != (seed, epoch):
            kept = ((seed, epoch), torch.randperm(len(self), generator=step_rng(seed, epoch, "order")))
            self._epoch = kept
        return kept[1]

    def crop(self, indices: Sequence[int], rng: torch.Generator, smallest: float, share: slice = slice(None)) -> Tensor:
        """Cut a random window of each picture, flip half of them: `[B, 3, height, width]` in [-1, 1].

        `smallest` is the least share of height and width that a window covers; `share` says which to cut, all drawn.
        """
        batch = self.pictures_NCHW[list(indices)[share]].float() / 127.5 - 1
        scale = smallest + (1 - smallest) * torch.rand(len(indices), generator=rng)
        shift_x = (1 - scale) * (2 * torch.rand(len(indices), generator=rng) - 1)
        shift_y = (1 - scale) * (2 * torch.rand(len(indices), generator=rng) - 1)
        flip = torch.where(torch.rand(len(indices), generator=rng) < 0.5, -1.0, 1.0)
        zero = torch.zeros_like(scale)
        theta = torch.stack([scale * flip, zero, shift_x, zero, scale, shift_y], dim=1).view(-1, 2, 3)[share]
        if not len(batch):  # the share of a small batch may be nothing
            return batch.new_zeros(0, 3, self.height, self.width)
        grid = F.affine_grid(theta, [len(batch), 3, self.height, self.width], align_corners=False)
        return F.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def step_rng(seed: int, step: int, purpose: str) -> torch.Generator:
    """Return a random generator that depends on seed, step and purpose alone, so that a resumed run repeats itself."""
    digest = hashlib.blake2b(f"{seed}/{step}/{purpose}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
