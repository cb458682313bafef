"""Adaptive discriminator augmentation (Karras et al. 2020, arXiv 2006.06676): what few pictures need to train on.

The discriminator sees real and made pictures moved and recoloured at random, with a probability that grows as long as
it knows the real ones by heart. What it cannot tell apart then must be alike without the changes too, as long as each
leaves enough pictures alone: the changes do not leak into what the generator draws.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Up to here every change can be undone in distribution: the least value of the characteristic function of a move that
# is uniform with probability p and none otherwise is 1 - 1.22 p (section 3.1 and appendix C).
P_MAX = 0.8
EVERY = 4  # steps between two changes of p
MOVE = 0.125  # of height and width, at most, by whole pixels
ZOOM = 0.2 * math.log(2)  # standard deviation of the logarithm
BRIGHTNESS = 0.2  # standard deviation, of [-1, 1]
CONTRAST = 0.5 * math.log(2)
SATURATION = math.log(2)


class Augmentation:
    """Changes pictures with probability `p`, which follows how sure the discriminator is of real ones.

    `target` is the mean sign of the logits of real pictures to keep, 0 for no augmentation; `images` is the number of
    pictures in which p may go from 0 to 1.
    """

    def __init__(self, target: float, images: int) -> None:
        self.target, self.images = target, images
        self.p = 0.0
        self._signs = 0.0
        self._steps = 0

    @property
    def on(self) -> bool:
        """Whether pictures may be changed at all."""
        return self.target > 0

    def __call__(self, images_BCHW: Tensor, rng: torch.Generator, share: slice = slice(None), count: int = 0) -> Tensor:
        """Return changed pictures, differentiable; with `p` at 0, the very same.

        `share` says which pictures of a batch of `count` these are; by default they are all of it.
        """
        if self.p == 0:
            return images_BCHW
        count = count or len(images_BCHW)
        height, width = images_BCHW.shape[2:]
        moves_B23 = draw_moves(count, height, width, self.p, rng)[share]
        colours_B34 = draw_colours(count, self.p, rng)[share]
        return recolour(move(images_BCHW, moves_B23), colours_B34)

    def observe(self, sign: float, batch: int) -> None:
        """Take the mean sign of a step's logits of real pictures, and adapt `p` every few steps."""
        self._signs += sign
        self._steps += 1
        if self._steps < EVERY:
            return
        change = EVERY * batch / self.images
        towards = math.copysign(change, self._signs / EVERY - self.target)
        self.p = min(max(self.p + towards, 0.0), P_MAX)
        self._signs, self._steps = 0.0, 0

    def state_dict(self) -> dict[str, float]:
        """Return everything that changes."""
        return {"p": self.p, "signs": self._signs, "steps": self._steps}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take over what `state_dict` gave."""
        self.p, self._signs, self._steps = state["p"], state["signs"], int(state["steps"])


def draw_moves(count: int, height: int, width: int, p: float, rng: torch.Generator) -> Tensor:
    """Draw a flip, a move by whole pixels, a zoom and a turn, each with probability `p`: `[count, 2, 3]`.

    The matrices take a place in the result to its place in the source, both in pixels from the middle.
    """

    def chosen() -> Tensor:
        return torch.rand(count, generator=rng) < p

    def uniform() -> Tensor:
        return 2 * torch.rand(count, generator=rng) - 1

    flip = torch.where(chosen() & (torch.rand(count, generator=rng) < 0.5), -1.0, 1.0)
    moved = chosen()
    right = torch.where(moved, (uniform() * MOVE * width).round(), 0.0)
    down = torch.where(moved, (uniform() * MOVE * height).round(), 0.0)
    zoom = torch.where(chosen(), torch.exp(ZOOM * torch.randn(count, generator=rng)), 1.0)
    angle = torch.where(chosen(), math.pi * uniform(), 0.0)
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    return torch.stack([flip * cos, flip * sin, right, -sin, cos, down], dim=1).view(count, 2, 3)


def draw_colours(count: int, p: float, rng: torch.Generator) -> Tensor:
    """Draw brightness, contrast and saturation, each changed with probability `p`: `[count, 3, 4]`, factors and sum."""

    def normal(spread: float) -> Tensor:
        chosen = torch.rand(count, generator=rng) < p
        return torch.where(chosen, spread * torch.randn(count, generator=rng), 0.0).view(-1, 1, 1)

    brightness, contrast, saturation = normal(BRIGHTNESS), normal(CONTRAST).exp(), normal(SATURATION).exp()
    grey = torch.full((1, 3, 3), 1 / 3)
    factors = contrast * (grey + (torch.eye(3) - grey) * saturation)
    return torch.cat([factors, (contrast * brightness).expand(-1, 3, 1)], dim=2)


def move(images_BCHW: Tensor, moves_B23: Tensor) -> Tensor:
    """Take every pixel from where the matrices of `draw_moves` say; beyond the borders lies the mirror image."""
    height, width = images_BCHW.shape[2:]
    half = torch.tensor([width / 2, height / 2])
    # From pixels to the units of grid_sample, in which width and height are 2.
    theta = moves_B23 * torch.cat([half, torch.ones(1)]) / half.view(2, 1)
    grid = F.affine_grid(theta.to(images_BCHW.device), list(images_BCHW.shape), align_corners=False)
    return F.grid_sample(images_BCHW, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def recolour(images_BCHW: Tensor, colours_B34: Tensor) -> Tensor:
    """Apply the matrices of `draw_colours`; the result may leave [-1, 1]."""
    factors, offsets = colours_B34.to(images_BCHW.device).split([3, 1], dim=2)
    return torch.baddbmm(offsets, factors, images_BCHW.flatten(2)).view(images_BCHW.shape)
