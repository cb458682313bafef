"""What networks see in pictures: activations for distances and styles, and pooled vectors for Frechet distances."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stylize.errors import FatalError
from stylize.models.perceptual import EfficientNetFeatures, load_features

Floats = npt.NDArray[np.float32]
INCEPTION_FEATURES = 2048


class Backbone:
    """ImageNet EfficientNet-Lite0 up to block 10, on a device; pictures are `[B, 3, H, W]` in [-1, 1]."""

    name = "EfficientNet-Lite0 block 10, mean over pixels"

    def __init__(self, network: EfficientNetFeatures, device: torch.device) -> None:
        self._network = network.to(device)
        self._device = device

    @torch.inference_mode()
    def maps(self, images_BCHW: Tensor) -> list[Tensor]:
        """Return five activation maps."""
        return self._network(images_BCHW.to(self._device))  # type: ignore[no-any-return]


def load_backbone(device: torch.device) -> Backbone:
    """Load the network of the extra `train`; raises `FatalError` where it is not installed."""
    return Backbone(load_features(), device)


def pooled(maps: Sequence[Tensor]) -> Floats:
    """Return the vectors [B, 112] that Frechet distances are taken on: the last map's mean over pixels."""
    return _numpy(maps[-1].mean(dim=(2, 3)))


def moments(maps: Sequence[Tensor]) -> list[Floats]:
    """Return mean and standard deviation of every channel of each map, `[B, 2C]`: what adaptive normalisation moves."""
    return [_numpy(torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3), correction=0)], dim=1)) for x in maps]


class Inception:
    """The Inception network that FID is defined with, in the TorchScript form `inception-2015-12-05.pt`.

    It takes 8-bit pictures of any size and brings them to its own itself.

    Raises:
        FatalError: the file is not that network.
    """

    name = "FID (Inception 2015-12-05)"

    def __init__(self, path: Path, device: torch.device) -> None:
        self._path, self._device = path, device
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch would rather have files of a newer form
            try:
                self._network = torch.jit.load(path, map_location=device).eval()
            except (RuntimeError, ValueError) as error:
                raise self._refusal(error) from None

    @torch.inference_mode()
    def __call__(self, images_BCHW: Tensor) -> Floats:
        """Return the features [B, 2048] of pictures in [-1, 1]."""
        bytes_BCHW = images_BCHW.add(1).mul(127.5).round().clamp(0, 255).byte().to(self._device)
        try:
            features = self._network(bytes_BCHW, return_features=True)
        except RuntimeError as error:
            raise self._refusal(error) from None
        if features.shape != (len(images_BCHW), INCEPTION_FEATURES):
            raise self._refusal(ValueError(f"its features are {list(features.shape)}"))
        return _numpy(features)

    def _refusal(self, error: Exception) -> FatalError:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        return FatalError(f"{self._path} is not the network of FID ({reason}): pass inception-2015-12-05.pt")


def _numpy(values: Tensor) -> Floats:
    return values.float().cpu().numpy()
