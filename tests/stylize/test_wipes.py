"""Cards hold both pictures, can be used without a mouse, and say what they show."""

from __future__ import annotations

from stylize.reporting import Shown, page
from stylize.wipes import Wipe, wipes
from tests.pages import Page
from tests.pipelines.helpers import picture


def card(number: int) -> Wipe:
    return Wipe(
        left=Shown(picture=picture(number), alt=f"content <{number}>"),
        right=Shown(picture=picture(number + 100), alt=f"result {number}"),
        caption="a & b",
        beside=[Shown(picture=picture(9), caption="Exemplar", alt="exemplar e")],
        facts=[("moved by", "<1>")],
    )


def test_every_card_has_its_pictures_and_texts() -> None:
    made = Page(page("wipes", wipes([card(1), card(2)], ("Before", "After"))))
    assert made.is_self_contained()
    assert made.tags.count("article") == 2
    assert len(made.sources) == 6
    for expected in ("Before", "Half and half", "After", "a & b", "Exemplar", "moved by", "<1>"):
        assert expected in made.text


def test_a_card_is_for_everybody() -> None:
    markup = wipes([card(1)], ("Before", "After"))
    assert 'type="range"' in markup
    assert 'aria-label="Before against After: content &lt;1&gt;"' in markup
    assert 'alt="result 1"' in markup
    assert 'aria-label="Show in all pictures"' in markup


def test_a_card_without_more_is_two_pictures() -> None:
    plain = Wipe(left=Shown(picture=picture(1)), right=Shown(picture=picture(2)))
    made = Page(page("wipes", wipes([plain], ("Before", "After"))))
    assert len(made.sources) == 2
    assert not {"dl", "figure"} & set(made.tags)
