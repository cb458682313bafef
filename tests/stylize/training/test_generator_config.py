from __future__ import annotations

from typing import Any

import pytest

from stylize.errors import ConfigurationError
from stylize.models.generator import GeneratorConfig
from stylize.training.generator_config import LIGHT, PAPER, GeneratorTraining, generator_for


@pytest.mark.parametrize(
    ("size", "const"),
    [((96, 128), (3, 4)), ((64, 128), (4, 8)), ((128, 256), (4, 8)), ((192, 640), (3, 10)), ((32, 32), (4, 4))],
)
def test_a_picture_size_gives_a_generator_of_that_size(size: tuple[int, int], const: tuple[int, int]) -> None:
    config = generator_for(size)
    assert config.image_size == size
    assert config.const_size == const
    assert config.noise_shapes[0] == (96, size[0] // 4, size[1] // 4)


@pytest.mark.parametrize(("downscale", "channels"), [(2, 48), (8, 128)])
@pytest.mark.parametrize("preset", ["light", "paper"])
def test_the_noise_maps_come_at_the_scale_asked_for(preset: str, downscale: int, channels: int) -> None:
    config = generator_for((96, 128), preset, downscale)
    width = channels if preset == "light" else {2: 128, 8: 512}[downscale]
    assert config.noise_shapes == ((width, 96 // downscale, 128 // downscale),) * 2


def test_the_light_generator_is_the_default_one() -> None:
    assert generator_for((96, 128)) == GeneratorConfig() == LIGHT.generator


def test_the_paper_generator_takes_the_noise_maps_of_the_paper() -> None:
    config = PAPER.generator
    assert config.image_size == (256, 512)
    assert config.noise_shapes == ((256, 64, 128),) * 2
    assert (config.w_dim, config.mapping_layers) == (512, 8)


@pytest.mark.parametrize("size", [(90, 120), (16, 16), (360, 640), (97, 128)])
def test_sizes_that_cannot_be_doubled_to_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ConfigurationError, match="multiples of 32"):
        generator_for(size)


def test_classes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="without classes"):
        LIGHT.with_(generator=GeneratorConfig(c_dim=3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ada_target": 1.0}, "target of augmentation 1.0 is not in"),
        ({"ada_images": 0}, "at least 1"),
        ({"frechet_pictures": 1}, "two pictures or more, or 0"),
        ({"style_mixing": 1.5}, "not a share"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LIGHT.with_(**changes)


def test_settings_that_came_later_stay_out_of_the_record_while_they_change_nothing() -> None:
    later = {"ada_target", "ada_images", "precision", "frechet_pictures"}
    assert not later & GeneratorTraining().as_dict().keys()
    assert later - LIGHT.as_dict().keys() == {"precision"}
    assert GeneratorTraining(precision="bf16").as_dict()["precision"] == "bf16"


def test_both_presets_augment_and_measure() -> None:
    assert LIGHT.ada_target == PAPER.ada_target == 0.6
    assert LIGHT.frechet_pictures < PAPER.frechet_pictures
