"""Reports: the blocks that one self-contained HTML page is built of, pictures and style sheet included."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from PIL import Image

from stylize.images import Pixels, encode
from stylize.markup import Child, Html, join, tag, trusted

QUALITY = 84  # of the JPEG pictures in a page


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture in a page: [H, W, 3] uint8 of any size, a caption, and a class of the style sheet for its frame."""

    picture: Pixels
    caption: Child = ""
    alt: str = ""
    mark: str = ""


def page(title: str, *blocks: Child) -> bytes:
    """Return a whole page as UTF-8; it loads nothing from anywhere and runs no script."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", trusted(_style())),
    )
    body = tag("body", tag("main", *blocks))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n".encode()


def masthead(kicker: str, title: str, lead: Child, *, badge: str = "", fine: bool = True) -> Html:
    """Return the page's head; `badge` is a short state, shown as good or as worth a look."""
    state = tag("span", badge, class_="badge good" if fine else "badge warn") if badge else None
    return tag("header", tag("p", kicker, state, class_="kicker"), tag("h1", title), tag("p", lead, class_="lead"))


def section(title: str, *blocks: Child, lead: Child = None) -> Html:
    """Return a titled part of the page."""
    return tag("section", tag("h2", title), tag("p", lead, class_="about") if lead else None, *blocks)


def subtitle(text: Child) -> Html:
    """Return a title within a section."""
    return tag("h3", text)


def text(*children: Child) -> Html:
    """Return a paragraph."""
    return tag("p", *children)


def code(content: str) -> Html:
    """Return a piece of code within a text."""
    return tag("code", content)


def tiles(figures: Sequence[tuple[str, str]]) -> Html:
    """Return a row of large figures, each (value, what it is)."""
    cells = [tag("div", tag("strong", value), tag("span", name), class_="tile") for value, name in figures]
    return tag("div", *cells, class_="tiles")


def gallery(shown: Sequence[Shown], columns: int) -> Html:
    """Return pictures in rows of `columns` on a wide screen, two to a row on a phone."""
    return tag("div", *(figure(item) for item in shown), class_=f"gallery of{columns}")


def rows(titles: Sequence[str], pictures: Sequence[Sequence[Shown]]) -> Html:
    """Return rows of pictures under column titles, as content, exemplar and result."""
    columns = len(titles)
    head = tag("div", *(tag("span", title) for title in titles), class_=f"titles of{columns}")
    # On a phone the titles are out of sight above two columns, so every picture carries its own there.
    lines = [
        tag("div", *(figure(item, title) for item, title in zip(row, titles, strict=True)), class_=f"row of{columns}")
        for row in pictures
    ]
    return tag("div", head, *lines, class_="rows")


def figure(shown: Shown, title: str = "") -> Html:
    """Return one picture with its caption, which `title` precedes on narrow screens."""
    image = tag("img", src=data_uri(shown.picture), alt=shown.alt or title, loading="lazy", decoding="async")
    prefix = tag("b", title, class_="narrow") if title else None
    return tag("figure", image, tag("figcaption", prefix, shown.caption), class_=shown.mark or None)


def data_uri(picture_HWC: Pixels) -> str:
    """Return a picture as a JPEG in a URI."""
    return "data:image/jpeg;base64," + base64.b64encode(encode(picture_HWC, "jpeg", quality=QUALITY)).decode()


def fitted(picture_HWC: Pixels, width: int) -> Pixels:
    """Return a picture no wider than `width` pixels and no taller than twice that, aspect kept."""
    scale = min(1.0, width / picture_HWC.shape[1], 2 * width / picture_HWC.shape[0])
    if scale == 1.0:
        return picture_HWC
    size = (max(1, round(picture_HWC.shape[1] * scale)), max(1, round(picture_HWC.shape[0] * scale)))
    return np.asarray(Image.fromarray(picture_HWC).resize(size, Image.Resampling.LANCZOS))


def table(head: Sequence[str], body: Sequence[Sequence[Child]], *, numeric: bool = True) -> Html:
    """Return a table; with `numeric` all columns but the first are set to the right."""
    lines = [tag("tr", *(tag("td", cell) for cell in line)) for line in body]
    top = tag("thead", tag("tr", *(tag("th", name) for name in head))) if head else None
    return tag("div", tag("table", top, tag("tbody", *lines), class_="numbers" if numeric else None), class_="scroll")


def commands(*lines: str) -> Html:
    """Return command lines to copy; those that start with `#` are remarks."""
    spans = [tag("span", line, class_="remark" if line.startswith("#") else "command") for line in lines]
    return tag("pre", *(join(span, "\n") for span in spans))


def remark(*children: Child) -> Html:
    """Return a paragraph that is set apart: something that is not as it should be, or worth knowing."""
    return tag("p", *children, class_="remark")


def footer(*children: Child) -> Html:
    """Return the small print at the end."""
    return tag("footer", *children)


@cache
def _style() -> str:
    return (resources.files("stylize") / "assets" / "report.css").read_text("utf-8")
