"""Text can never become markup."""

from __future__ import annotations

from stylize.markup import Html, join, tag, trusted


def test_text_and_attributes_are_escaped() -> None:
    assert tag("p", "<b> & 'c'", title='"x" <y>') == (
        '<p title="&quot;x&quot; &lt;y&gt;">&lt;b&gt; &amp; &#x27;c&#x27;</p>'
    )


def test_elements_lists_and_nothing() -> None:
    assert tag("p", ["a", tag("b", "<"), None], [["c"]]) == "<p>a<b>&lt;</b>c</p>"
    assert join(trusted("<hr>"), "<hr>") == "<hr>&lt;hr&gt;"


def test_attributes() -> None:
    assert tag("img", src="a.png", alt="", hidden=True, class_="x", data_y="1", title=None, lazy=False) == (
        '<img src="a.png" alt="" hidden class="x" data-y="1">'
    )


def test_a_plain_string_made_of_markup_is_no_markup() -> None:
    assert not isinstance(tag("b", "x") + "y", Html)
    assert tag("p", str(tag("b", "x"))) == "<p>&lt;b&gt;x&lt;/b&gt;</p>"
