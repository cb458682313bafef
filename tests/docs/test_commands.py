"""Each command line on a page is one that the command line would take, and each option named there exists."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from pathlib import Path

import click
import pytest

from cli import options
from cli.main import group
from tests.cli.commands import COMMANDS, GROUPS
from tests.docs.pages import PAGES, REPOSITORY, page, shell_lines

LINES = shell_lines("stylize")
FOREIGN = {"--head"}  # options of other programs that pages name by themselves


def parse(words: list[str]) -> None:
    """Have click parse a command line to its end, and run nothing."""
    context = group.make_context("stylize", list(words), resilient_parsing=False)
    rest = [*context._protected_args, *context.args]
    command: click.Command = group
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        context = command.make_context(name, rest, parent=context)
        rest = [*context._protected_args, *context.args] if isinstance(command, click.Group) else []


def test_there_are_command_lines() -> None:
    assert len(LINES) > 40


@pytest.mark.parametrize(("place", "words"), LINES, ids=[place for place, _ in LINES])
def test_a_command_line_is_taken(place: str, words: list[str]) -> None:
    try:
        parse(words)
    except click.exceptions.Exit:
        pass  # --help, --version
    except click.ClickException as error:
        pytest.fail(f"{place}\n{error.format_message()}")


@pytest.mark.parametrize(
    "line",
    [
        "mix cache out --stiles other",
        "mix cache out --strength 3",
        "mix cache",
        "invert data cache --layout kitti",
        "proxy build cache out",
        "remix cache out",
    ],
)
def test_a_wrong_one_is_not(line: str) -> None:
    with pytest.raises(click.ClickException):
        parse(shlex.split(line))


def known_options() -> set[str]:
    return {
        word
        for command in COMMANDS.values()
        for param in command.params
        for word in (*param.opts, *param.secondary_opts)
    }


@pytest.mark.parametrize("name", PAGES)
def test_commands_and_options_in_the_text_exist(name: str) -> None:
    anywhere = known_options() | {"--help", "--version"} | FOREIGN
    for line, span in page(name).spans():
        words = span.split()
        if words[0] == "stylize" and len(words) > 1:
            assert unknown(words[1:]) == [], f"{name}:{line}: `{span}`"
        elif words[0].startswith("--") and words[0] != "--":
            assert words[0].partition("=")[0] in anywhere, f"{name}:{line}: no command has {words[0]}"


def unknown(words: list[str]) -> list[str]:
    """Return the words of `stylize ...` that are neither commands nor options nor what an option or command takes."""
    if words[0].startswith("-"):
        return [] if words[0] in ("--help", "-h", "--version") else words[:1]
    if words[0] in GROUPS and len(words) == 1:
        return []
    name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
    if "|" in name:  # one of several, such as `stylize evaluate reconstruction|stylization`
        return [part for part in words[1].split("|") if f"{words[0]} {part}" not in COMMANDS]
    if name not in COMMANDS:
        return [name]
    has = {option for param in COMMANDS[name].params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    return [word for word in words if word.startswith("--") and word.strip("[]") not in has]


def test_the_table_lists_exactly_the_commands() -> None:
    told = {}
    for cells in page("README.md").rows():
        span = re.fullmatch(r"`stylize (.+)`", cells[0])
        if span:
            words = span[1].split()
            length = 2 if words[0] in GROUPS else 1
            told[" ".join(words[:length])] = words[length:]
    assert set(told) == set(COMMANDS)
    for name, arguments in told.items():
        wanted = [param.metavar for param in COMMANDS[name].params if isinstance(param, click.Argument)]
        assert arguments == wanted, f"stylize {name}"


SCRIPTS = [(place, words) for place, words in shell_lines("python") if words[0] not in ("-c", "-m")]


def parser_of(script: Path) -> argparse.ArgumentParser:
    """Build the parser that a script builds, from its text: running it would import all that it needs."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            names = [ast.literal_eval(name) for name in node.args]
            plain = {k.arg: k.value for k in node.keywords if k.arg in ("nargs", "action", "required")}
            parser.add_argument(*names, **{str(name): ast.literal_eval(value) for name, value in plain.items()})
    return parser


@pytest.mark.parametrize(("place", "words"), SCRIPTS, ids=[place for place, _ in SCRIPTS])
def test_scripts_take_their_arguments(place: str, words: list[str]) -> None:
    _, unknown = parser_of(REPOSITORY / words[0]).parse_known_args(words[1:])
    assert unknown == []


@pytest.mark.parametrize(("place", "words"), shell_lines("make"), ids=lambda value: str(value))
def test_targets_exist(place: str, words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert [word for word in words if "=" not in word and word not in targets] == [], place


def test_every_layout_and_method_is_told_of() -> None:
    layouts = " ".join(heading.lower() for heading in page("docs/datasets.md").headings)
    assert [name for name in options.LAYOUTS if name != "auto" and name not in layouts] == []
    methods = [cells[0].strip("`") for cells in page("docs/method.md").rows() if cells[0].strip("`") in options.METHODS]
    assert methods == list(options.METHODS)
