from __future__ import annotations

from typing import Any

import pytest

from stylize.errors import ConfigurationError
from stylize.training.config import LIGHT, PAPER


def test_the_paper_stands_as_published() -> None:
    published = {
        "mse": 1.0, "perceptual": 10.0, "adversarial": 0.1, "feature_matching": 0.2, "r1": 0.1, "r1_every": 16,
        "noise": 0.1, "latent": 0.1, "latent_fade": (200_000, 500_000), "generated": 0.5, "optimizer": "ranger",
        "lr": 1e-4, "lr_end": 1e-5, "mask_ratio": 0.25, "mask_patch": 4, "mask_replacement": "normal",
        "l1": 0.0, "swap": 0.0, "relight": False,
    }  # fmt: skip
    configured = PAPER.as_dict()
    assert {name: configured[name] for name in published} == published
    assert PAPER.encoder.blocks == (3, 4, 6, 3)
    assert not PAPER.encoder.normalize_noise


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "sgd"}, "'sgd' is not one of adam, ranger"),
        ({"mask_ratio": 1.0}, r"not in \[0, 1\)"),
        ({"mask_replacement": "mean"}, "'mean' is not normal or zeros"),
        ({"generated": 1.0}, "share in"),
        ({"crop": 0.0}, "share in"),
        ({"batch": 0}, "at least 1"),
        ({"l1": 0, "mse": 0, "perceptual": 0}, "must have a weight"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LIGHT.with_(**changes)


def test_settings_survive_lists() -> None:
    assert LIGHT.with_(betas=[0.5, 0.99], latent_fade=[200_000, 500_000]) == LIGHT
