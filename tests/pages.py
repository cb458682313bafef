"""What a test wants to know of an HTML page: that it is whole, that it loads nothing, its texts and its pictures."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"br", "img", "input", "meta"}


class Page(HTMLParser):
    """Parses a page and keeps its texts, tags and pictures; fails on anything left open or closed out of turn."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.sources: list[str] = []
        self.commands: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(data.decode())
        self.close()
        assert self._open == [], "an element is left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        assert not given.keys() & {"srcset", "onload", "onerror"}, given
        assert str(given.get("href", "#")).startswith("#"), given
        assert tag != "script" or not given, given
        if tag == "img":
            assert given.get("alt"), "a picture without a text for those who cannot see it"
        if "src" in given:
            self.sources.append(str(given["src"]))
        if tag not in VOID:
            self._open.append((tag, given.get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] == "style":
            assert "url(" not in data
            assert "@import" not in data
            return
        if self._open and self._open[-1][0] == "script":
            return
        self.texts.append(data)
        if self._open and self._open[-1] == ("span", "command"):
            self.commands.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def is_self_contained(self) -> bool:
        return not {"link", "iframe", "object"} & set(self.tags) and all(
            source.startswith("data:image/jpeg;base64,") for source in self.sources
        )
