"""The pages of the project as tests see them: blocks of code, spans of code, links, headings, rows of tables."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = tuple(
    path.relative_to(REPOSITORY).as_posix()
    for path in (
        REPOSITORY / "README.md",
        *sorted((REPOSITORY / "docs").glob("*.md")),
        *sorted((REPOSITORY / "docker").glob("*.md")),
        *sorted((REPOSITORY / "stylize" / "assets").glob("*.md")),
    )
)
SHELL = {"", "sh", "bash", "console"}


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of code, indented or fenced, without its indentation and fences."""

    page: str
    line: int
    language: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page taken apart; `prose` are its lines with those of blocks left blank, so that numbers stay."""

    name: str
    prose: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def headings(self) -> list[str]:
        return [line.lstrip("#").strip() for line in self.prose if re.match(r"#{1,6} ", line)]

    @property
    def anchors(self) -> set[str]:
        """The anchors that GitHub gives the headings."""
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in self.headings}

    def spans(self) -> Iterator[tuple[int, str]]:
        """Yield each span of code with its line; one that goes over the end of a line belongs to its first."""
        text = "\n".join(self.prose)
        for found in re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", text, re.DOTALL):
            yield text.count("\n", 0, found.start()) + 1, " ".join(found[2].split())

    def links(self) -> Iterator[tuple[int, str]]:
        """Yield the target of each link and picture with its line."""
        text = "\n".join(self.prose)
        for found in re.finditer(r"\]\(([^()\s]+)\)", text):
            yield text.count("\n", 0, found.start()) + 1, found[1]

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row of a table, the lines under titles left out."""
        for line in self.prose:
            if line.startswith("|") and not re.fullmatch(r"[|:\- ]+", line):
                yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


@cache
def page(name: str) -> Page:
    """Read a page by its path in the repository."""
    prose: list[str] = []
    blocks: list[Block] = []
    held: list[str] = []
    language: str | None = None  # of the fence that is open
    start = 0

    def finish(kind: str) -> None:
        text = "\n".join(held).strip("\n")
        if text:
            blocks.append(Block(page=name, line=start, language=kind, text=text + "\n"))
        held.clear()

    for number, line in enumerate((REPOSITORY / name).read_text("utf-8").splitlines(), start=1):
        fence = re.match(r"\s*```(\w*)\s*$", line)
        indented = language is None and (line.startswith("    ") or (bool(held) and not line.strip()))
        if fence and language is None:
            finish("")
            language, start = fence[1], number + 1
        elif fence:
            finish(language or "")
            language = None
        elif language is not None:
            held.append(line)
        elif indented and (held or not prose or not prose[-1].strip()):
            start = start if held else number
            held.append(line[4:])
        else:
            finish("")
            prose.append(line)
            continue
        prose.append("")
    finish("")
    return Page(name=name, prose=tuple(prose), blocks=tuple(blocks))


def all_blocks() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for name in PAGES for block in page(name).blocks]


def shell_lines(program: str) -> list[tuple[str, list[str]]]:
    """Return `(place, words)` of each shell line of all pages that runs a program; words begin after its name."""
    found = []
    for block in all_blocks():
        if block.language not in SHELL:
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            words = [*line.removeprefix("$ ").split(maxsplit=1), ""]
            if words[:1] == [program]:
                taken = itertools.takewhile(
                    lambda word: word not in (">", "|", "&&"), shlex.split(words[1], comments=True)
                )
                found.append((f"{block.page}:{block.line}: {line}", list(taken)))
    return found
