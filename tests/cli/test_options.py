"""The shared options parse what they say and agree with the library."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cli import options


@pytest.mark.parametrize("text", ['{"anon": true, "client_kwargs": {"region_name": "x"}}', "{}"])
def test_json_objects_are_parsed(text: str) -> None:
    value = options.JsonObject().convert(text, None, None)
    assert isinstance(value, dict)
    assert options.JsonObject().convert(value, None, None) is value


@pytest.mark.parametrize(("text", "complaint"), [("{anon: true}", "is not JSON"), ("[1]", "is not a JSON object")])
def test_other_json_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(click.BadParameter, match=complaint):
        options.JsonObject().convert(text, None, None)


def test_layouts_are_those_of_the_library() -> None:
    from stylize.datasets.base import LAYOUTS

    assert sorted(options.LAYOUTS) == sorted(["auto", *LAYOUTS])


def test_scene_conditions_are_those_of_the_library() -> None:
    from cli.scenes import CONDITIONS
    from stylize import scenes

    assert CONDITIONS == scenes.CONDITIONS


def test_modes_are_those_of_the_library() -> None:
    from pipelines.mixoptions import FORMATS, SIZES
    from stylize.codec import check_mode
    from stylize.models import bundle
    from stylize.training import config, generator_config

    assert options.SIZES == SIZES
    assert tuple(FORMATS) == options.FORMATS
    assert options.PRECISIONS == bundle.PRECISIONS
    assert options.PRESETS == tuple(config.PRESETS) == tuple(generator_config.PRESETS)
    assert [check_mode(mode) for mode in options.NOISE_MODES] == list(options.NOISE_MODES)


def test_sizes_are_parsed() -> None:
    assert options.Size().convert("96x128", None, None) == (96, 128)
    assert options.Size().convert((96, 128), None, None) == (96, 128)


@pytest.mark.parametrize("text", ["96", "96x", "96x128x3", "0x32", "-96x128", "a x b", "96 x 128"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not HEIGHTxWIDTH, such as 96x128"):
        options.Size().convert(text, None, None)


def test_a_strength_is_a_number_or_a_range() -> None:
    assert options.StrengthRange().convert("0.7", None, None) == 0.7
    assert options.StrengthRange().convert(1.0, None, None) == 1.0
    assert options.StrengthRange().convert("0.5-1.2", None, None) == (0.5, 1.2)
    assert options.StrengthRange().convert((0.5, 1.2), None, None) == (0.5, 1.2)
    with pytest.raises(click.BadParameter, match="a number or a range such as"):
        options.StrengthRange().convert("far", None, None)


def test_options_keep_the_order_they_are_named_in() -> None:
    @options.command("probe", "stylize probe")
    @options.combined(options.layout, options.split)
    def probe(**given: object) -> None:
        """Print what was given."""
        click.echo(sorted(given.items()))

    result = CliRunner().invoke(probe, ["--split", "val"], obj=options.State())
    assert result.output == "[('layout', 'auto'), ('split', 'val')]\n"
    text = CliRunner().invoke(probe, ["--help"]).output
    assert text.index("--layout") < text.index("--split") < text.index("--debug") < text.index("stylize probe")
