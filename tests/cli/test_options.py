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
