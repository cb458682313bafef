"""Training the small segmentation network: it learns, goes on where it was, and crops keep labels on their pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from stylize.labelsets import IGNORE
from stylize.models.segmenter import Segmenter, initial
from stylize.training.segmenter import Frames, Recipe, Training, class_weights, predict

HEIGHT, WIDTH = 32, 48
Pairs = list[tuple[np.ndarray, np.ndarray]]


def pairs(number: int, *, seed: int = 0, dark: float = 1.0) -> Pairs:
    """Pictures of a red rectangle on blue; the label is the rectangle, its lowest row is ignored."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        image, label = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
        top, left = rng.integers(0, HEIGHT // 2), rng.integers(0, WIDTH // 2)
        label[top : top + 14, left : left + 18] = 1
        image[..., 0], image[..., 2] = 200 * dark * label, 200 * dark * (1 - label)
        label[-1] = IGNORE
        found.append((image, label))
    return found


def tiny(seed: int = 0) -> Segmenter:
    return initial(2, seed, (8, 8, 8, 8), 8)


def right(network: Segmenter, shown: Pairs) -> float:
    counted = [(predict(network, image, HEIGHT) == label)[label != IGNORE] for image, label in shown]
    return float(np.concatenate(counted).mean())


@pytest.fixture(scope="module")
def trained() -> Training:
    training = Training(tiny(), Frames.of(pairs(6), HEIGHT), None, Recipe(steps=40, rate=1e-2), seed=1)
    list(training.steps())
    return training


def test_it_learns_what_it_is_shown(trained: Training) -> None:
    assert right(tiny().eval(), pairs(4, seed=9)) < 0.8
    assert right(trained.network, pairs(4, seed=9)) > 0.95


def test_an_interrupted_training_ends_in_the_same_weights(trained: Training) -> None:
    def begin() -> Training:
        return Training(tiny(), Frames.of(pairs(6), HEIGHT), None, Recipe(steps=40, rate=1e-2), seed=1)

    first = begin()
    for _ in first.steps():
        if first.step == 17:
            break
    kept = io.BytesIO()
    torch.save(first.state(), kept)
    kept.seek(0)
    second = begin()
    second.load(torch.load(kept, weights_only=True))
    assert len(list(second.steps())) == 40 - 17
    for name, value in trained.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name


def test_another_seed_takes_other_steps() -> None:
    frames = Frames.of(pairs(6), HEIGHT)
    losses = [list(Training(tiny(), frames, None, Recipe(steps=2), seed).steps()) for seed in (1, 1, 2)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_copies_are_drawn_as_often_as_told() -> None:
    day, night = Frames.of(pairs(3), HEIGHT), Frames.of(pairs(3, dark=0.1), HEIGHT)
    for share in (0.0, 0.5, 1.0):
        training = Training(tiny(), day, night, Recipe(copies=share, batch=64), seed=0)
        images_BCHW, _ = training._batch()
        dark = float((images_BCHW.amax((1, 2, 3)) < -0.5).float().mean())
        assert dark == share if share != 0.5 else 0.3 < dark < 0.7


def test_crops_keep_labels_on_their_pixels() -> None:
    training = Training(tiny(), Frames.of(pairs(4), HEIGHT), None, Recipe(batch=32, zoom=0.5), seed=3)
    images_BCHW, labels_BHW = training._batch()
    assert labels_BHW.unique().tolist() == [0, 1, IGNORE]
    red_BHW = images_BCHW[:, 0] > 0
    agree = (red_BHW == (labels_BHW == 1))[labels_BHW != IGNORE]
    assert agree.float().mean() > 0.97, "all but the seams"


def test_relit_pictures_have_another_light_and_the_same_labels() -> None:
    frames = Frames.of(pairs(4), HEIGHT)
    plain, relit = (Training(tiny(), frames, None, Recipe(relit=relit), seed=3)._batch() for relit in (False, True))
    assert torch.equal(plain[1], relit[1])
    assert not torch.equal(plain[0], relit[0])


def test_rare_classes_weigh_more_and_pixels_one_on_average() -> None:
    labels = torch.zeros(1, 10, 10, dtype=torch.uint8)
    labels[0, 0] = 1
    labels[0, 1] = IGNORE
    frames = Frames(images_NCHW=torch.zeros(1, 3, 10, 10, dtype=torch.uint8), labels_NHW=labels)
    weights_C = class_weights(frames, 2, 0.5)
    assert float(weights_C[1] / weights_C[0]) == pytest.approx(8**0.5)
    assert float(weights_C[0] * 80 + weights_C[1] * 10) / 90 == pytest.approx(1)
    assert class_weights(frames, 2, 0.0).tolist() == [1, 1]
