"""Train a small segmentation network on labelled pictures in memory, in steps that an interruption does not lose."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from stylize.images import Pixels
from stylize.labelsets import IGNORE
from stylize.models.segmenter import STRIDE, Segmenter, upsampled
from stylize.training.relight import relight

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    `copies` is the share of the samples that are stylized copies, where there are any. `zoom` is the least share of a
    picture's sides that a crop shows. Classes weigh as their share of the pixels to the power of minus `balance`:
    without, thin and rare things are never learnt. `relit` changes the light of most pictures at random.
    """

    steps: int = 240
    batch: int = 8
    rate: float = 4e-3
    decay: float = 1e-2
    copies: float = 0.5
    zoom: float = 0.6
    balance: float = 0.5
    relit: bool = False


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Pictures [N, 3, H, W] uint8 and labels [N, H, W] uint8 of one size; labels that are no class are `IGNORE`."""

    images_NCHW: Tensor
    labels_NHW: Tensor

    def __len__(self) -> int:
        return len(self.images_NCHW)

    @classmethod
    def of(cls, pairs: Sequence[tuple[Pixels, Labels]], height: int) -> Frames:
        """Return pictures [h, w, 3] and labels [h, w] at a height, a multiple of 16 wide."""
        size = training_size(pairs[0][1], height)
        images = [np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)) for image, _ in pairs]
        labels = [np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST)) for _, label in pairs]
        return cls(
            images_NCHW=torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(),
            labels_NHW=torch.from_numpy(np.stack(labels)),
        )


def training_size(label_HW: Labels, height: int) -> tuple[int, int]:
    """Return the width and height at which a network sees a picture of so many pixels."""
    width = label_HW.shape[1] * height / label_HW.shape[0]
    return max(STRIDE, round(width / STRIDE) * STRIDE), height


class Training:
    """One network on its way: `for loss in training.steps(): ...`, with `state()` to go on from later.

    All randomness is of a generator of its own, so that trainings in several threads do not disturb one another.
    """

    def __init__(self, network: Segmenter, source: Frames, copies: Frames | None, recipe: Recipe, seed: int) -> None:
        self.network = network
        self.step = 0
        self._source, self._copies, self._recipe = source, copies, recipe
        self._random = torch.Generator().manual_seed(seed)
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        self._weights_C = class_weights(source, network.classes, recipe.balance)

    def steps(self) -> Iterator[float]:
        """Take the remaining steps, yielding the loss of each."""
        self.network.train()
        while self.step < self._recipe.steps:
            yield self._take()
        self.network.eval()

    def _take(self) -> float:
        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.rate * _pace((self.step + 0.5) / self._recipe.steps)
        images_BCHW, labels_BHW = self._batch()
        scores_BCHW = upsampled(self.network(images_BCHW), *labels_BHW.shape[1:])
        loss = F.cross_entropy(scores_BCHW, labels_BHW, weight=self._weights_C, ignore_index=IGNORE)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self.step += 1
        return float(loss.detach())

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Return random windows [B, 3, H, W] in [-1, 1] with labels [B, H, W], flipped one time in two."""
        images, labels = zip(*(self._draw() for _ in range(self._recipe.batch)), strict=True)
        images_BCHW = torch.stack(images).float() / 127.5 - 1
        grid_BHW2 = self._windows(*images_BCHW.shape[-2:])
        labels_B1HW = torch.stack(labels)[:, None].float()
        cut_BCHW = F.grid_sample(images_BCHW, grid_BHW2, "bilinear", "border", align_corners=False)
        labels_BHW = F.grid_sample(labels_B1HW, grid_BHW2, "nearest", "border", align_corners=False)[:, 0].long()
        return relight(cut_BCHW, self._random) if self._recipe.relit else cut_BCHW, labels_BHW

    def _draw(self) -> tuple[Tensor, Tensor]:
        frames = self._source
        if self._copies is not None and float(torch.rand((), generator=self._random)) < self._recipe.copies:
            frames = self._copies
        place = int(torch.randint(len(frames), (), generator=self._random))
        return frames.images_NCHW[place], frames.labels_NHW[place]

    def _windows(self, height: int, width: int) -> Tensor:
        """Return where each pixel of a batch of windows is taken from, [B, H, W, 2]."""
        share, across, down, mirror = torch.rand(4, self._recipe.batch, generator=self._random)
        share = self._recipe.zoom + (1 - self._recipe.zoom) * share
        theta = torch.zeros(self._recipe.batch, 2, 3)
        theta[:, 0, 0] = torch.where(mirror < 0.5, -share, share)
        theta[:, 1, 1] = share
        theta[:, 0, 2] = (1 - share) * (2 * across - 1)
        theta[:, 1, 2] = (1 - share) * (2 * down - 1)
        return F.affine_grid(theta, [self._recipe.batch, 3, height, width], align_corners=False)

    def state(self) -> dict[str, Any]:
        """Return what `load` goes on from, with the very steps that would have followed."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "random": self._random.get_state(),
            "step": self.step,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._random.set_state(state["random"])
        self.step = state["step"]


def class_weights(source: Frames, classes: int, balance: float) -> Tensor:
    """Return a weight per class [C], 1 on average over the pixels."""
    counts_C = torch.bincount(source.labels_NHW.reshape(-1).long(), minlength=IGNORE + 1)[:classes].double()
    share_C = (counts_C / counts_C.sum().clamp(min=1)).clamp(min=1e-4)
    weights_C = share_C**-balance
    return (weights_C / (weights_C * share_C).sum()).float()


@torch.inference_mode()
def predict(network: Segmenter, image_HWC: Pixels, height: int) -> Labels:
    """Return the class of each pixel [h, w] of a picture, which the network sees at a height."""
    size = training_size(image_HWC[..., 0], height)
    seen_HWC = np.array(Image.fromarray(image_HWC).resize(size, Image.Resampling.BOX))
    image_BCHW = torch.from_numpy(seen_HWC).permute(2, 0, 1)[None].float() / 127.5 - 1
    scores_BCHW = upsampled(network(image_BCHW), *image_HWC.shape[:2])
    classes_HW: Labels = scores_BCHW[0].argmax(0).to(torch.uint8).numpy()
    return classes_HW


def _pace(progress: float) -> float:
    """Warm up over the first twentieth, then follow a cosine to a hundredth."""
    return min(1.0, progress * 20) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
