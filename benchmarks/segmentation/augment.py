"""Augmentations while training, the usual competitors of stylized copies; all randomness is torch's."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2

from stylize.relit import relit

Augmentation = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # images_BCHW in [0, 1] and labels_BHW to the same


def none(images_BCHW: Tensor, labels_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Change nothing."""
    return images_BCHW, labels_BHW


_JITTER = v2.ColorJitter(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)


def colour_jitter(images_BCHW: Tensor, labels_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Change brightness, contrast and saturation by up to 80 % and hue by up to 72 degrees in four of five pictures."""
    changed = [_JITTER(image_CHW) if _chance(0.8) else image_CHW for image_CHW in images_BCHW]
    return torch.stack(changed), labels_BHW


def cutmix(images_BCHW: Tensor, labels_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Paste a rectangle of another picture of the batch with its labels (Yun et al. 2019, arXiv 1905.04899)."""
    images_BCHW, labels_BHW = images_BCHW.clone(), labels_BHW.clone()
    others, other_labels = images_BCHW.roll(1, 0), labels_BHW.roll(1, 0)
    height, width = labels_BHW.shape[1:]
    for index in range(len(images_BCHW)):
        if _chance(0.5):
            side = math.sqrt(float(torch.rand(())))
            h, w = max(1, int(height * side)), max(1, int(width * side))
            top, left = int(torch.randint(height - h + 1, ())), int(torch.randint(width - w + 1, ()))
            box = (..., slice(top, top + h), slice(left, left + w))
            images_BCHW[index][box] = others[index][box]
            labels_BHW[index][box] = other_labels[index][box]
    return images_BCHW, labels_BHW


def weather(images_BCHW: Tensor, labels_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Imitate fog, rain, snow or night in three of four pictures, after the corruptions of arXiv 1903.12261."""
    kinds = (_fog, _rain, _snow, _night)
    changed = [
        kinds[int(torch.randint(len(kinds), ()))](image_CHW).clamp(0, 1) if _chance(0.75) else image_CHW
        for image_CHW in images_BCHW
    ]
    return torch.stack(changed), labels_BHW


def relight(images_BCHW: Tensor, labels_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Give each picture the random light and weather of `stylize relight`, or none to some 35 %."""
    changed = [_relit(image_CHW) if _chance(0.65) else image_CHW for image_CHW in images_BCHW]
    return torch.stack(changed), labels_BHW


def _relit(image_CHW: Tensor) -> Tensor:
    picture_HWC = (image_CHW.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    seed = int(torch.randint(1 << 31, ()))
    return torch.from_numpy(relit(picture_HWC, seed)).permute(2, 0, 1).float() / 255


def _fog(image_CHW: Tensor) -> Tensor:
    height, width = image_CHW.shape[1:]
    clouds_HW = sum(_smooth(height, width, cells) / cells for cells in (2, 4, 8, 16)) / (1 / 2 + 1 / 4 + 1 / 8 + 1 / 16)
    thickness_HW = (_between(0.3, 0.9) * (0.6 + 0.8 * clouds_HW)).clamp(0, 0.95)
    return image_CHW * (1 - thickness_HW) + _between(0.65, 0.9) * thickness_HW


def _rain(image_CHW: Tensor) -> Tensor:
    streaks_HW = _streaks(image_CHW, share=_between(0.01, 0.03), length=9)
    return 0.75 * image_CHW.lerp(image_CHW.mean(0, keepdim=True), 0.4) + 0.5 * streaks_HW


def _snow(image_CHW: Tensor) -> Tensor:
    white_CHW = image_CHW.maximum(image_CHW.mean(0, keepdim=True) * 1.5 + 0.15)
    flakes_HW = _streaks(image_CHW, share=_between(0.01, 0.03), length=3)
    return image_CHW.lerp(white_CHW, _between(0.3, 0.8)) + 0.7 * flakes_HW


def _night(image_CHW: Tensor) -> Tensor:
    gain_C = torch.stack([_between(0.7, 1.1), _between(0.7, 1.0), _between(0.8, 1.2)])
    dark_CHW = image_CHW ** _between(1.0, 2.0) * _between(0.08, 0.5) * gain_C[:, None, None]
    return dark_CHW + torch.randn_like(dark_CHW) * _between(0.0, 0.04)


def _streaks(image_CHW: Tensor, share: Tensor, length: int) -> Tensor:
    drops_HW = (torch.rand(image_CHW.shape[1:]) < share).float()
    return F.avg_pool2d(drops_HW[None], (length, 1), 1, (length // 2, 0), divisor_override=2)[0].clamp(0, 1)


def _smooth(height: int, width: int, cells: int) -> Tensor:
    noise = torch.rand(1, 1, cells + 1, cells + 1)
    return F.interpolate(noise, (height, width), mode="bicubic", align_corners=False)[0, 0]


def _chance(share: float) -> bool:
    return bool(torch.rand(()) < share)


def _between(low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(())


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": none,
    "colour-jitter": colour_jitter,
    "cutmix": cutmix,
    "relight": relight,
    "weather": weather,
}
