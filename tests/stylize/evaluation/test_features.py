from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stylize.errors import FatalError
from stylize.evaluation.features import Inception


class StandIn(nn.Module):
    """Answers like the network of FID: 2048 features of 8-bit pictures."""

    def __init__(self, features: int = 2048) -> None:
        super().__init__()
        self.features = features

    def forward(self, img: Tensor, return_features: bool = False) -> Tensor:
        assert img.dtype == torch.uint8
        assert return_features
        return img.float().mean(dim=(1, 2, 3))[:, None].expand(len(img), self.features)


def saved(path: Path, network: nn.Module) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network).save(path)
    return path


def test_inception_gets_8_bit_pictures(tmp_path: Path) -> None:
    network = Inception(saved(tmp_path / "inception.pt", StandIn()), torch.device("cpu"))
    features = network(torch.tensor([-1.0, 0.0, 1.5])[:, None, None, None].expand(3, 3, 8, 8))
    assert features.shape == (3, 2048)
    np.testing.assert_array_equal(features[:, 0], [0, 128, 255])


def test_another_network_is_not_called_fid(tmp_path: Path) -> None:
    device = torch.device("cpu")
    with pytest.raises(FatalError, match=r"not the network of FID \(its features are \[2, 64\]\)"):
        Inception(saved(tmp_path / "small.pt", StandIn(64)), device)(torch.zeros(2, 3, 8, 8))
    with pytest.raises(FatalError, match="not the network of FID"):
        Inception(saved(tmp_path / "identity.pt", nn.Identity()), device)(torch.zeros(2, 3, 8, 8))
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    for name in ("broken.pt", "missing.pt"):
        with pytest.raises(FatalError, match=rf"{name} is not the network of FID .*: pass inception-2015-12-05\.pt"):
            Inception(tmp_path / name, device)
