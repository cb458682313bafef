"""Each message that the troubleshooting page explains is one that the sources can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from stylize.datasets.doctor import INSIDE
from tests.docs.pages import REPOSITORY, page

LEAST = 12  # letters of a template; shorter ones would fit anything
ANY = "\0"


def messages() -> list[str]:
    """Return what the page quotes: spans of code in bold."""
    text = "\n".join(page("docs/troubleshooting.md").prose)
    return [" ".join(found[1].split()) for found in re.findall(r"\*\*(`+)(.+?)\1\*\*", text, re.DOTALL)]


def template(node: ast.expr) -> str:
    """Return a text of the source with `ANY` where it fills something in; "" for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    return ANY if isinstance(node, ast.FormattedValue) else ""


def templates(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Constant, ast.JoinedStr)):
            text = " ".join(template(node).split())
            if sum(map(str.isalpha, text)) >= LEAST:
                yield text


@cache
def patterns() -> list[re.Pattern[str]]:
    sources = [path for name in ("stylize", "pipelines", "cli") for path in (REPOSITORY / name).rglob("*.py")]
    texts = {text for path in sources for text in templates(path.read_text("utf-8"))}
    return [re.compile(".*".join(map(re.escape, text.split(ANY)))) for text in texts]


def is_said(message: str) -> bool:
    return any(pattern.fullmatch(message) for pattern in patterns())


def test_there_are_messages() -> None:
    assert len(messages()) > 50
    assert len(set(messages())) == len(messages())


@pytest.mark.parametrize("message", messages())
def test_a_message_is_one_of_the_sources(message: str) -> None:
    assert is_said(message)


@pytest.mark.parametrize(
    "message",
    ["no files in …: it is missing; correct the path", "…", "out of memory", "no model …: give a file or URL"],
)
def test_a_message_that_nobody_says_is_seen(message: str) -> None:
    assert not is_said(message)


def test_every_finding_of_doctor_is_told_of() -> None:
    source = (REPOSITORY / "stylize" / "datasets" / "doctor.py").read_text("utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    kinds = {
        call.args[0].value: call.args
        for call in calls
        if getattr(call.func, "id", "") == "_problem" and isinstance(call.args[0], ast.Constant)
    }
    said = [message for _, _, message, _ in INSIDE] + [template(args[3]) for args in kinds.values()]
    told = " ".join(" ".join(page("docs/datasets.md").prose).split())
    assert len(said) == len(INSIDE) + 7
    assert [text for text in said if not any(part in told for part in [text.partition(ANY)[0]])] == []
