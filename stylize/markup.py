"""HTML by function calls: whatever text goes in is escaped, only what was made here passes as markup."""

from __future__ import annotations

import html
from collections.abc import Iterable

VOID = frozenset({"br", "img", "input", "meta"})


class Html(str):
    """Markup that is safe to embed. Only `tag`, `join` and `trusted` make it."""

    __slots__ = ()


Child = str | Html | Iterable["Child"] | None


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Html:
    """Return an element. Text is escaped, lists are flattened, None is left out.

    Attributes: `class_` is class, `data_x` is data-x; None and False leave the attribute out, True gives its bare name.
    """
    opening = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{opening}>")
    return Html(f"<{name}{opening}>{join(children)}</{name}>")


def join(*children: Child) -> Html:
    """Return children one after the other, without an element around them."""
    return Html("".join(_render(child) for child in children))


def trusted(text: str) -> Html:
    """Take a text as markup: for what the package brings itself, never for names or messages."""
    return Html(text)


def _render(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return str(child)
    if isinstance(child, str):
        return html.escape(child)
    return "".join(_render(part) for part in child)


def _attribute(key: str, value: str | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(value)}"'
