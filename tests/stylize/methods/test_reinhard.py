"""Reinhard's colour transfer against the paper's formulas written out, and at its edges."""

from __future__ import annotations

import numpy as np

from stylize.methods.reinhard import transfer
from tests.pipelines.helpers import picture


def straightforward(content: np.ndarray, exemplar: np.ndarray) -> np.ndarray:
    """The paper pixel by pixel, with base-10 logarithms in double precision."""
    lms = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
    scale, signs = np.diag([3**-0.5, 6**-0.5, 2**-0.5]), np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
    first, second = (
        np.log10(np.maximum(rgb.reshape(-1, 3) / 255 @ lms.T, 1 / 255)) @ (scale @ signs).T
        for rgb in (content, exemplar)
    )
    moved = (first - first.mean(0)) * second.std(0) / first.std(0) + second.mean(0)
    rgb = 10 ** (moved @ np.linalg.inv(scale @ signs).T) @ np.linalg.inv(lms).T
    return np.rint(rgb.clip(0, 1) * 255).reshape(content.shape)


def test_it_is_the_papers_formula() -> None:
    for seed in range(4):
        content, exemplar = picture(seed, 40, 50), picture(seed + 10, 30, 70)
        result = transfer(content, exemplar)
        assert result.shape == content.shape
        assert result.dtype == np.uint8
        assert abs(result - straightforward(content, exemplar)).max() <= 1


def test_a_picture_is_its_own_exemplar() -> None:
    content = picture(1).clip(20)  # below, cone responses are cut
    assert abs(transfer(content, content).astype(int) - content).max() <= 1


def test_a_blank_content_takes_the_exemplars_mean_and_no_noise() -> None:
    blank = np.full((8, 9, 3), 128, np.uint8)
    result = transfer(blank, np.full((5, 5, 3), (10, 200, 90), np.uint8))
    assert abs(result.astype(int) - (10, 200, 90)).max() <= 1
    assert len(np.unique(transfer(np.zeros((8, 9, 3), np.uint8), picture(3)).reshape(-1, 3), axis=0)) == 1


def test_inputs_are_left_alone() -> None:
    content, exemplar = picture(1), picture(2)
    content.flags.writeable = exemplar.flags.writeable = False
    transfer(content, exemplar)
