"""Reports: the blocks that one self-contained HTML page is built of; pictures, style sheet and script are in it.

However large a dataset, a page stays below `LIMIT`: builders show `MOST_PICTURES` at most, and no picture takes more
than `MOST_BYTES`, for which its quality is lowered first and its size then.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from PIL import Image

from stylize.images import Pixels, encode
from stylize.markup import Child, Html, join, tag, trusted

LIMIT = 15_000_000  # bytes of a page
MOST_PICTURES = 120
MOST_BYTES = 84_000  # of a picture as a file; a third more in the page
QUALITIES = (84, 72, 58, 44, 30)  # of JPEG: the first that is small enough
FINE, FINE_PIXELS = 93, 50_000  # the quality to begin with for pictures so small that they are shown enlarged
PER_PIXEL, LEAST_BYTES = 0.4, 4000  # bytes that a picture may take by its size


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture in a page: [H, W, 3] uint8 of any size, a caption, and a class of the style sheet for its frame."""

    picture: Pixels
    caption: Child = ""
    alt: str = ""
    mark: str = ""


def page(title: str, *blocks: Child) -> bytes:
    """Return a whole page as UTF-8: it loads nothing from anywhere, and browsers let it run its own script alone."""
    digest = base64.b64encode(hashlib.sha256(_asset("report.js").encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", trusted(_asset("report.css"))),
    )
    body = tag("body", tag("main", *blocks), tag("script", trusted(_asset("report.js"))))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n".encode()


def masthead(kicker: str, title: str, lead: Child, *, badge: str = "", fine: bool = True) -> Html:
    """Return the page's head; `badge` is a short state, shown as good or as worth a look."""
    state = tag("span", badge, class_="badge good" if fine else "badge warn") if badge else None
    return tag("header", tag("p", kicker, state, class_="kicker"), tag("h1", title), tag("p", lead, class_="lead"))


def section(title: str, *blocks: Child, lead: Child = None, name: str | None = None) -> Html:
    """Return a titled part of the page; `name` is what `links` may refer to."""
    return tag("section", tag("h2", title), tag("p", lead, class_="about") if lead else None, *blocks, id=name)


def links(names: Mapping[str, Child]) -> Html:
    """Return links to sections by their name."""
    return tag("nav", *(tag("a", shown, href=f"#{name}") for name, shown in names.items()), aria_label="On this page")


def folded(summary: Child, *blocks: Child) -> Html:
    """Return blocks that are out of sight until somebody asks for them."""
    return tag("details", tag("summary", summary), *blocks)


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
    prefix = tag("b", title, class_="narrow") if title else None
    caption = tag("figcaption", prefix, shown.caption) if prefix or shown.caption else None
    spoken = shown.alt or (str(shown.caption) if isinstance(shown.caption, str) else "") or title
    return tag("figure", image(shown.picture, spoken), caption, class_=shown.mark or None)


def image(picture_HWC: Pixels, alt: str, *, class_: str | None = None) -> Html:
    """Return a picture by itself, with its size, so that the page does not move while it is decoded."""
    height, width = picture_HWC.shape[:2]
    size = {"width": str(width), "height": str(height)}
    return tag("img", src=data_uri(picture_HWC), alt=alt, **size, decoding="async", class_=class_)


def data_uri(picture_HWC: Pixels) -> str:
    """Return a picture as a JPEG in a URI, coarser or smaller than it is where it would take too many bytes."""
    pixels = picture_HWC.shape[0] * picture_HWC.shape[1]
    most = min(MOST_BYTES, LEAST_BYTES + PER_PIXEL * pixels)
    for quality in (FINE, *QUALITIES) if pixels <= FINE_PIXELS else QUALITIES:
        data = encode(picture_HWC, "jpeg", quality=quality)
        if len(data) <= most:
            return "data:image/jpeg;base64," + base64.b64encode(data).decode()
    return data_uri(fitted(picture_HWC, max(1, picture_HWC.shape[1] // 2)))


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
def _asset(name: str) -> str:
    return (resources.files("stylize") / "assets" / name).read_text("utf-8")
