"""The pictures are made by commands that the pages show."""

from __future__ import annotations

import ast
import shlex

from tests.docs.pages import REPOSITORY, shell_lines

SCRIPT = REPOSITORY / "docs" / "make_pictures.py"


def commands() -> list[str]:
    for node in ast.parse(SCRIPT.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "COMMANDS":
            return str(ast.literal_eval(node.value)).strip().splitlines()
    raise AssertionError("no COMMANDS")


def test_each_command_stands_on_a_page() -> None:
    shown = [words for _, words in shell_lines("stylize")]
    assert [line for line in commands() if shlex.split(line)[1:] not in shown] == []
