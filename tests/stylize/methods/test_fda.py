"""Fourier domain adaptation against the whole spectrum, centred and complex, as the paper describes it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stylize.methods.fda import transfer
from tests.pipelines.helpers import picture


def straightforward(content: np.ndarray, exemplar: np.ndarray, beta: float) -> np.ndarray:
    """Exchange the amplitude in the middle of the shifted spectrum of all channels, by the full transform."""
    height, width = content.shape[:2]
    exemplar = np.asarray(Image.fromarray(exemplar).resize((width, height), Image.Resampling.BICUBIC))
    spectra = [np.fft.fftshift(np.fft.fft2(rgb.astype(float), axes=(0, 1)), axes=(0, 1)) for rgb in (content, exemplar)]
    amplitude, phase = abs(spectra[0]), np.angle(spectra[0])
    reach, middle = int(min(height, width) * beta), (height // 2, width // 2)
    square = tuple(slice(place - reach, place + reach + 1) for place in middle)
    amplitude[square] = abs(spectra[1])[square]
    mixed = np.fft.ifftshift(amplitude * np.exp(1j * phase), axes=(0, 1))
    return np.rint(np.fft.ifft2(mixed, axes=(0, 1)).real).clip(0, 255)


@pytest.mark.parametrize(("height", "width"), [(40, 60), (41, 33)])
@pytest.mark.parametrize("beta", [0.01, 0.05, 0.1])
def test_it_exchanges_the_square_of_low_frequencies(height: int, width: int, beta: float) -> None:
    content, exemplar = picture(1, height, width), picture(2, 30, 50)
    result = transfer(content, exemplar, beta=beta)
    assert result.shape == content.shape
    assert result.dtype == np.uint8
    assert abs(result - straightforward(content, exemplar, beta)).max() <= 1
    assert abs(result.astype(int) - content).max() > 5


def test_a_picture_is_its_own_exemplar() -> None:
    content = picture(3, 120, 160)
    assert abs(transfer(content, content).astype(int) - content).max() <= 1


def test_the_mean_is_the_exemplars_and_the_texture_the_contents() -> None:
    rng = np.random.default_rng(0)
    content = (128 + rng.integers(-20, 21, (100, 100, 3))).astype(np.uint8)
    result = transfer(content, np.full((50, 50, 3), (60, 100, 140), np.uint8)).astype(float)
    assert abs(result.mean((0, 1)) - (60, 100, 140)).max() < 0.5
    before, after = (rgb - rgb.mean((0, 1)) for rgb in (content, result))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99
