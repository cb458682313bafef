"""Links lead somewhere, pictures exist, files that are named are there, and no page is left out."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from tests.docs.pages import PAGES, REPOSITORY, page

FOLDERS = "benchmarks|cli|docker|docs|pipelines|stylize|tests"
PICTURES = {".png", ".jpg", ".svg"}


def target(name: str, link: str) -> tuple[str, str]:
    """Return the file in the repository that a page's link leads to, and its anchor."""
    path, _, anchor = link.partition("#")
    if not path:
        return name, anchor
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / path).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts), anchor


def internal(name: str) -> list[tuple[int, str]]:
    return [(line, link) for line, link in page(name).links() if not re.match(r"https?://|mailto:", link)]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for line, link in internal(name):
        path, anchor = target(name, link)
        assert (REPOSITORY / path).exists(), f"{name}:{line}: {link}"
        if anchor:
            assert anchor in page(path).anchors, f"{name}:{line}: {link}: no such heading"


@pytest.mark.parametrize("name", PAGES)
def test_files_in_the_text_exist(name: str) -> None:
    for line, span in page(name).spans():
        path = re.fullmatch(rf"(?:python )?((?:{FOLDERS})/[\w\-./*]+)(?: .*)?", span)
        if path:
            assert any(REPOSITORY.glob(path[1].rstrip("/"))), f"{name}:{line}: `{span}`"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = {"README.md"}, ["README.md"]
    while todo:
        here = todo.pop()
        for _, link in internal(here):
            path, _ = target(here, link)
            if path in PAGES and path not in reached:
                reached.add(path)
                todo.append(path)
    assert reached == set(PAGES)


def test_every_picture_is_shown() -> None:
    shown = {target(name, link)[0] for name in PAGES for _, link in internal(name)}
    drawn = {f"docs/{path.name}" for path in (REPOSITORY / "docs").iterdir() if path.suffix in PICTURES}
    assert drawn - shown == set()


def test_anchors_are_those_of_github() -> None:
    assert "what-mix---grain-adds-in-rain" not in page("README.md").anchors
    assert "in-five-minutes" in page("README.md").anchors
