"""The help texts are part of the contract: a change of the command line shows up here.

After a deliberate change run `make help-texts` (or this file with STYLIZE_UPDATE_HELP=1) and commit the new texts.
Only the words are compared, so that another version of click may break lines elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS, group

TEXTS = Path(__file__).parent / "help"


def context(name: str) -> click.Context:
    parent = group.make_context("stylize", [name], terminal_width=100, resilient_parsing=True)
    if name == "stylize":
        return parent
    command = group.get_command(parent, name)
    assert command is not None
    return command.make_context(name, [], parent=parent, terminal_width=100, resilient_parsing=True)


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("name", ["stylize", *COMMANDS])
def test_help_text_is_the_agreed_one(name: str) -> None:
    text = context(name).get_help() + "\n"
    path = TEXTS / f"{name}.txt"
    if os.environ.get("STYLIZE_UPDATE_HELP"):
        path.write_text(text, "utf-8")
    assert words(text) == words(path.read_text("utf-8")), "a deliberate change? run: make help-texts"


def test_no_text_is_left_of_a_command_that_is_gone() -> None:
    assert sorted(path.stem for path in TEXTS.glob("*.txt")) == sorted(["stylize", *COMMANDS])


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
