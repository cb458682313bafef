"""Pictures for training: decoded once into memory, then cropped, flipped and re-lit at random."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.datasets.base import Dataset, Sample
from stylize.errors import BadInput, FatalError
from stylize.images import decode_rgb, from_model, to_model

STORED_SCALE = 1.25  # pictures are kept a little larger than the model's, so that crops are not blurred
MEMORY_LIMIT = 8 << 30

Located = tuple[Dataset, Sample]  # a picture and the dataset that it is read from


class TrainingPictures:
    """All pictures of a dataset, as `[N, 3, h, w]` uint8 in memory."""

    def __init__(self, pictures_NCHW: Tensor, height: int, width: int) -> None:
        self.pictures_NCHW = pictures_NCHW
        self.height, self.width = height, width

    @classmethod
    def load(
        cls,
        located: Sequence[Located],
        height: int,
        width: int,
        *,
        scale: float = STORED_SCALE,
        threads: int = 4,
        on_picture: Callable[[int, int], None] | None = None,
    ) -> tuple[TrainingPictures, list[tuple[str, str]]]:
        """Decode pictures; return the pictures and `(id, reason)` of the unreadable ones.

        They are kept at `scale` times the model's size: with 1, `whole` gives exactly what an inversion sees.
        `on_picture(done, total)` is called after each.

        Raises:
            FatalError: nothing is readable, or the pictures do not fit into memory.
        """
        stored = (round(height * scale), round(width * scale))
        if len(located) * 3 * stored[0] * stored[1] > MEMORY_LIMIT:
            most = MEMORY_LIMIT // (3 * stored[0] * stored[1])
            raise FatalError(f"{len(located)} pictures of {stored[1]}x{stored[0]} exceed 8 GiB: pass --limit {most}")
        pictures = torch.empty(len(located), 3, *stored, dtype=torch.uint8)
        read = partial(_read, stored)
        good, bad = 0, []
        with ThreadPoolExecutor(threads) as pool:
            for number, ((_, sample), result) in enumerate(zip(located, pool.map(read, located), strict=True), start=1):
                if isinstance(result, str):
                    bad.append((sample.id, result))
                else:
                    pictures[good] = result
                    good += 1
                if on_picture:
                    on_picture(number, len(located))
        if not good:
            raise FatalError(
                f"none of {len(located)} pictures in {located[0][0].storage.url} is readable "
                f"({bad[0][0]}: {bad[0][1]}): run `stylize doctor` on it"
            )
        return cls(pictures[:good], height, width), bad

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
            order = torch.randperm(len(self), generator=step_rng(seed, epoch, "order"))
            taken = order[start : start + batch - len(indices)].tolist()
            indices += taken
            position += len(taken)
        return indices

    def crop(self, indices: Sequence[int], rng: torch.Generator, smallest: float) -> Tensor:
        """Cut a random window of each picture, flip half of them: `[B, 3, height, width]` in [-1, 1].

        `smallest` is the least share of height and width that a window covers.
        """
        batch = self.pictures_NCHW[list(indices)].float() / 127.5 - 1
        scale = smallest + (1 - smallest) * torch.rand(len(indices), generator=rng)
        shift_x = (1 - scale) * (2 * torch.rand(len(indices), generator=rng) - 1)
        shift_y = (1 - scale) * (2 * torch.rand(len(indices), generator=rng) - 1)
        flip = torch.where(torch.rand(len(indices), generator=rng) < 0.5, -1.0, 1.0)
        zero = torch.zeros_like(scale)
        theta = torch.stack([scale * flip, zero, shift_x, zero, scale, shift_y], dim=1).view(-1, 2, 3)
        grid = F.affine_grid(theta, [len(indices), 3, self.height, self.width], align_corners=False)
        return F.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _read(size: tuple[int, int], located: Located) -> Tensor | str:
    dataset, sample = located
    try:
        rgb = decode_rgb(dataset.storage.read(sample.image))
    except BadInput as error:
        return error.reason
    return torch.from_numpy(from_model(to_model(rgb, *size))).permute(2, 0, 1)


def step_rng(seed: int, step: int, purpose: str) -> torch.Generator:
    """Return a random generator that depends on seed, step and purpose alone, so that a resumed run repeats itself."""
    digest = hashlib.blake2b(f"{seed}/{step}/{purpose}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
