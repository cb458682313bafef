"""The help texts are part of the contract: a change of the command line shows up here.

After a deliberate change run `make help-texts` (or this file with STYLIZE_UPDATE_HELP=1) and commit the new texts.
Only the words are compared, so that another version of click may break lines elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from cli.main import group
from tests.cli.commands import COMMANDS, GROUPS

TEXTS = Path(__file__).parent / "help"


def context(name: str) -> click.Context:
    """Return the context of a command by its words, such as `evaluate segmentation`."""
    found = group.make_context("stylize", ["x"], terminal_width=100, resilient_parsing=True)
    for word in [] if name == "stylize" else name.split():
        parent = found.command
        assert isinstance(parent, click.Group)
        command = parent.get_command(found, word)
        assert command is not None
        found = command.make_context(word, [], parent=found, terminal_width=100, resilient_parsing=True)
    return found


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("name", ["stylize", *GROUPS, *COMMANDS])
def test_help_text_is_the_agreed_one(name: str) -> None:
    text = context(name).get_help() + "\n"
    path = TEXTS / f"{name.replace(' ', '-')}.txt"
    if os.environ.get("STYLIZE_UPDATE_HELP"):
        path.write_text(text, "utf-8")
    assert words(text) == words(path.read_text("utf-8")), "a deliberate change? run: make help-texts"


def test_no_text_is_left_of_a_command_that_is_gone() -> None:
    assert sorted(path.stem for path in TEXTS.glob("*.txt")) == sorted(
        name.replace(" ", "-") for name in ("stylize", *GROUPS, *COMMANDS)
    )


@pytest.mark.parametrize("name", list(COMMANDS))
def test_manners(name: str) -> None:
    command = context(name).command
    assert command.help, "a command says what it does"
    assert command.epilog, "a command shows examples"
    assert f"stylize {name}" in command.epilog
    for param in command.params:
        if isinstance(param, click.Argument):
            assert param.metavar, f"{param.name} is shown by a word"
            continue
        assert isinstance(param, click.Option)
        assert param.help, f"{param.name} says what it does"
        assert param.help[0].isupper(), param.help
        if not param.is_flag:
            choice = isinstance(param.type, click.Choice)
            assert choice or param.metavar, f"{param.name} needs a metavar"
            told = param.show_default or "[default:" in param.help or param.required
            assert told or param.to_info_dict()["default"] is None, f"{param.name} shows its default"
