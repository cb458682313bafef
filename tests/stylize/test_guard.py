"""The content score: light and colour may change, the scene may not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stylize.guard import LEAST_SCORE, Reference, content_score
from stylize.scenes import Condition, Scene, labels, render


def street(seed: int = 7) -> np.ndarray:
    return render(Scene.sample(seed), Condition.sample("day", seed), 96, 128)


STREET = street()
LIGHT = STREET / 255


def picture(light: np.ndarray) -> np.ndarray:
    return (np.clip(light, 0, 1) * 255).round().astype(np.uint8)


def test_a_picture_keeps_all_of_itself_at_any_size() -> None:
    assert content_score(STREET, STREET) > 0.99
    large = np.asarray(Image.fromarray(STREET).resize((640, 320), Image.Resampling.BICUBIC))
    assert content_score(STREET, large) > 0.95


@pytest.mark.parametrize(
    "changed",
    [
        LIGHT * 0.3,
        LIGHT**1.8,
        LIGHT**0.6,
        LIGHT * (0.5, 0.4, 0.3),
        LIGHT * 0.5 + 0.4,
        LIGHT * 0.5 + np.linspace(0.4, 0, 96)[:, None, None],  # haze towards the horizon
        LIGHT.mean(2, keepdims=True).repeat(3, 2) * (1, 0.7, 0.5),
    ],
    ids=["darker", "steeper", "flatter", "tinted", "haze", "haze above", "sepia"],
)
def test_changes_of_light_and_colour_cost_little(changed: np.ndarray) -> None:
    assert content_score(STREET, picture(changed)) > 0.75


def test_damage_costs_more_than_the_threshold_allows() -> None:
    rng = np.random.default_rng(0)
    offsets = rng.uniform(-0.8, 0.8, (256, 3))[labels(Scene.sample(7), 96, 128)]
    damaged = {
        "black": LIGHT - 0.85,
        "white": LIGHT + 0.9,
        "fog": LIGHT * 0.01 + 0.7,
        "negative": 1 - LIGHT,
        "another street": street(8) / 255,
        "moved": np.roll(LIGHT, 15, axis=1),
        "a ghost": LIGHT * 0.35 + street(8) / 255 * 0.65,
        "objects that change places in brightness": LIGHT + offsets,
    }
    scores = {name: content_score(STREET, picture(light)) for name, light in damaged.items()}
    assert {name: score for name, score in scores.items() if score >= LEAST_SCORE} == {}


def test_more_of_the_same_damage_scores_lower() -> None:
    y, x = np.mgrid[0:96, 0:128]
    spots = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 98) for a, b in ((20, 30), (70, 60), (40, 100)))[..., None]
    blotched = [content_score(STREET, picture(LIGHT * 0.6 + share * spots)) for share in (0, 0.2, 0.5, 1)]
    fogged = [content_score(STREET, picture(LIGHT * (1 - share) + share * 0.7)) for share in (0.5, 0.9, 0.98, 1)]
    assert blotched == sorted(blotched, reverse=True)
    assert fogged == sorted(fogged, reverse=True)
    assert fogged[-1] == 0


def test_a_reference_gives_every_copy_the_same_score_however_often() -> None:
    reference = Reference(STREET)
    dark = picture(LIGHT * 0.2)
    assert reference.score(dark) == reference.score(dark) == content_score(STREET, dark)


def test_a_blank_source_has_nothing_to_lose() -> None:
    blank = np.full((30, 40, 3), 90, np.uint8)
    assert content_score(blank, STREET) == content_score(blank, blank) == 1
    assert content_score(STREET, blank) == 0
