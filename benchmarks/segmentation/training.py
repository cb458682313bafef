"""Train and measure the reference network: every arm alike in all but its pictures and its augmentation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segmentation.augment import AUGMENTATIONS
from segmentation.frames import Frames
from segmentation.network import SegmentationNetwork, upsampled
from stylize.images import Pixels
from stylize.labelsets import IGNORE
from stylize.segmentation import ConfusionMatrix


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained; the crop is a share of the picture's height and width, sides in multiples of 32."""

    probability: float = 0.5
    """Share of the samples that are stylized copies, in arms that have any."""
    steps: int = 500
    batch: int = 8
    crop: float = 0.75
    zoom: float = 1.5
    """Crops show 1 / zoom to zoom times that share."""
    rate: float = 2e-3
    backbone_rate: float = 1e-3
    decay: float = 1e-2
    balance: float = 0.5
    """Classes weigh as their share of the source's pixels to the power of minus this; 0 weighs all pixels alike."""
    scales: tuple[float, ...] = ()
    """Sizes, as shares of the picture's, at which it is seen, mirrored too, when measured; () sees it once as it is."""


def train(
    classes: int,
    source: Frames,
    copies: Frames | None,
    *,
    augmentation: str,
    recipe: Recipe,
    seed: int,
    standardised: bool = False,
    tell: Callable[[str], None] = print,
) -> SegmentationNetwork:
    """Train on the source's pictures, now and then on one of the stylized `copies` instead."""
    torch.manual_seed(seed)
    network = SegmentationNetwork(classes, standardised=standardised).to(memory_format=torch.channels_last)
    rates = [(network.backbone, recipe.backbone_rate), (None, recipe.rate)]
    backbone = {id(weight) for weight in network.backbone.parameters()}
    others = [weight for weight in network.parameters() if id(weight) not in backbone]
    groups = [{"params": list(part.parameters()) if part else others, "lr": rate} for part, rate in rates]
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / recipe.steps))
    weights_C = _class_weights(source, classes, recipe.balance)
    begun, shown = time.monotonic(), 0.0
    for step in range(recipe.steps):
        images_BCHW, labels_BHW = _batch(source, copies, recipe)
        images_BCHW, labels_BHW = AUGMENTATIONS[augmentation](images_BCHW, labels_BHW)
        scores_BCHW = network((images_BCHW * 2 - 1).contiguous(memory_format=torch.channels_last))
        height, width = labels_BHW.shape[1:]
        loss = F.cross_entropy(upsampled(scores_BCHW, height, width), labels_BHW, weight=weights_C, ignore_index=IGNORE)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        shown = float(loss.detach()) if step == 0 else 0.98 * shown + 0.02 * float(loss.detach())
        if (step + 1) % 100 == 0:
            tell(f"step {step + 1} of {recipe.steps}, loss {shown:.3f}, {time.monotonic() - begun:.0f} s")
    return network.eval()


def _class_weights(source: Frames, classes: int, balance: float) -> Tensor:
    """Return a weight per class, 1 on average over the pixels; without, thin and rare things are never learnt."""
    counts_C = sum(np.bincount(labels_HW.ravel(), minlength=256)[:classes] for labels_HW in source.labels)
    share_C = torch.from_numpy(np.maximum(counts_C / np.sum(counts_C), 1e-4))
    weights_C = share_C**-balance
    return (weights_C / (weights_C * share_C).sum()).float()


def _rate(progress: float) -> float:
    """Warm up over the first twentieth, then follow a cosine to a hundredth."""
    return min(1.0, progress * 20 + 0.01) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def _batch(source: Frames, copies: Frames | None, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Return random crops [B, 3, h, w] in [0, 1] with labels [B, h, w], flipped one time in two."""
    pairs = []
    for _ in range(recipe.batch):
        frames = copies if copies is not None and torch.rand(()) < recipe.probability else source
        index = int(torch.randint(len(frames), ()))
        pairs.append(_crop(frames.images[index], frames.labels[index], recipe))
    images, labels = zip(*pairs, strict=True)
    return torch.stack(images), torch.stack(labels)


def _crop(image_HWC: Pixels, labels_HW: np.ndarray, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Cut a random window and bring it to the size of all crops."""
    height, width = labels_HW.shape
    target = tuple(round(side * recipe.crop / 32) * 32 for side in (height, width))
    share = min(1.0, recipe.crop * recipe.zoom ** float(torch.rand(()) * 2 - 1))
    h, w = round(height * share), round(width * share)
    top, left = int(torch.randint(height - h + 1, ())), int(torch.randint(width - w + 1, ()))
    window = (slice(top, top + h), slice(left, left + w))
    image_CHW = torch.from_numpy(image_HWC[window].copy()).permute(2, 0, 1).float() / 255
    labels = torch.from_numpy(labels_HW[window].copy())
    image_CHW = F.interpolate(image_CHW[None], target, mode="bilinear", align_corners=False)[0]
    labels = F.interpolate(labels[None, None].float(), target, mode="nearest")[0, 0].long()
    if torch.rand(()) < 0.5:
        image_CHW, labels = image_CHW.flip(-1), labels.flip(-1)
    return image_CHW, labels


@torch.inference_mode()
def predict(
    network: SegmentationNetwork, image_HWC: Pixels, height: int, width: int, scales: Sequence[float] = ()
) -> np.ndarray:
    """Return the class of each pixel, uint8 [height, width], of a picture at the size of training.

    With `scales`, the most likely by the mean of the probabilities over these sizes and both ways round.
    """
    image_BCHW = torch.tensor(image_HWC).permute(2, 0, 1)[None].float() / 127.5 - 1
    if not scales:
        scores_BCHW = network(image_BCHW.contiguous(memory_format=torch.channels_last))
    else:
        scores_BCHW = torch.stack([_probable(network, image_BCHW, scale) for scale in scales]).mean(0)
    return upsampled(scores_BCHW, height, width)[0].argmax(0).to(torch.uint8).numpy()


def _probable(network: SegmentationNetwork, image_BCHW: Tensor, scale: float) -> Tensor:
    """Return the probability of each class [1, classes, H, W], mean of a picture and its mirror image at this scale."""
    height, width = image_BCHW.shape[2:]
    size = (_sixteens(height * scale), _sixteens(width * scale))
    scaled_BCHW = F.interpolate(image_BCHW, size, mode="bilinear", align_corners=False, antialias=scale < 1)
    both_BCHW = torch.cat([scaled_BCHW, scaled_BCHW.flip(-1)]).contiguous(memory_format=torch.channels_last)
    there, mirrored = network(both_BCHW).softmax(1)
    return upsampled(((there + mirrored.flip(-1)) / 2)[None], height, width)


def _sixteens(side: float) -> int:
    return max(16, round(side / 16) * 16)


def confusions(
    network: SegmentationNetwork, classes: int, frames: Frames, scales: Sequence[float] = ()
) -> Sequence[ConfusionMatrix]:
    """Return the confusion matrix of each picture, counted at the label's own size; `scales` as of `predict`."""
    matrices = []
    for image_HWC, truth_HW in zip(frames.images, frames.full, strict=True):
        matrix = ConfusionMatrix(classes)
        matrix.update(truth_HW, predict(network, image_HWC, *truth_HW.shape, scales))
        matrices.append(matrix)
    return matrices
