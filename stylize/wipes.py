"""Blocks of a report that lay two pictures of one scene on top of one another, with a line between them to move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stylize.markup import Child, Html, tag
from stylize.reporting import Shown, figure, image

HALF = 50


@dataclass(frozen=True, kw_only=True)
class Wipe:
    """What is compared: the left picture, the right one in its frame, and what is said and shown below.

    `beside` are smaller pictures below, such as the exemplar; `facts` are (name, value) pairs.
    """

    left: Shown
    right: Shown
    caption: Child = ""
    beside: Sequence[Shown] = ()
    facts: Sequence[tuple[str, Child]] = ()


def wipes(items: Sequence[Wipe], names: tuple[str, str], *, columns: int = 2) -> Html:
    """Return cards in rows of `columns` on a wide screen, one to a row on a phone; `names` are those of the two sides.

    Above them are buttons that move all lines at once. The line moves by mouse, by touch and by the arrow keys.
    """
    cards = [_card(item, names) for item in items]
    return tag("div", _together(names), tag("div", *cards, class_=f"cards of{columns}"), class_="wipes")


def _together(names: tuple[str, str]) -> Html:
    choices = ((names[0], 100), ("Half and half", HALF), (names[1], 0))
    buttons = [
        tag("button", name, type="button", data_at=str(at), aria_pressed="true" if at == HALF else "false")
        for name, at in choices
    ]
    return tag("div", *buttons, class_="together", role="group", aria_label="Show in all pictures")


def _card(item: Wipe, names: tuple[str, str]) -> Html:
    facts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in item.facts]
    below = [
        *(figure(shown) for shown in item.beside),
        tag("div", tag("p", item.caption) if item.caption else None, tag("dl", *facts) if facts else None),
    ]
    return tag("article", _wipe(item, names), tag("div", *below, class_="below"), class_="card")


def _wipe(item: Wipe, names: tuple[str, str]) -> Html:
    left, right = names
    height, width = item.left.picture.shape[:2]
    handle = tag(
        "input",
        type="range",
        min="0",
        max="100",
        value=str(HALF),
        aria_label=f"{left} against {right}: {item.left.alt}",
    )
    return tag(
        "div",
        image(item.left.picture, item.left.alt or left, class_="left"),
        image(item.right.picture, item.right.alt or right, class_="right"),
        tag("span", left, class_="name left", aria_hidden="true"),
        tag("span", right, class_="name right", aria_hidden="true"),
        tag("span", class_="line", aria_hidden="true"),
        handle,
        class_="wipe",
        data_left=left,
        data_right=right,
        style=f"--at:{HALF}%;--shape:{width}/{height}",
    )
