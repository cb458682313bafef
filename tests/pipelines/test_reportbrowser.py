"""Reports in a real browser: scripts run, nothing is loaded or refused, and lines move by mouse, finger and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.report import report
from tests.browser import PROGRAM, Browser
from tests.pipelines.helpers import write_dataset

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here")

LINE = "document.querySelector('.wipe').style.getPropertyValue('--at')"
LONG = "a_name_without_any_place_to_break_it_" * 4


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> dict[str, Path]:
    """The reports of a cache and of a mix, with a name that is far too long and one that does not come out."""
    root = tmp_path_factory.mktemp("pages")
    data = write_dataset(root / "data", [LONG, *(f"0001TP_{number}" for number in range(5)), "broken"])
    (data / "train/broken.png").write_bytes(b"")
    invert(data, root / "cache", model=tiny_model, unit_size=4, device="cpu")
    mix(root / "cache", root / "out", per_image=2, device="cpu")
    return {name: Path(report(root / name, out=root / f"{name}.html")) for name in ("cache", "out")}


@pytest.fixture(scope="module")
def desktop() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def phone() -> Iterator[Browser]:
    with Browser(width=390, height=844, dark=True, touch=True) as browser:
        yield browser


def line(browser: Browser) -> float:
    return float(browser.value(LINE).removesuffix("%"))


@pytest.mark.parametrize("name", ["cache", "out"])
def test_a_page_opens_whole(name: str, pages: dict[str, Path], desktop: Browser) -> None:
    desktop.open(pages[name])
    assert desktop.problems == []
    assert desktop.value("document.documentElement.classList.contains('scripted')")
    wipes, told = desktop.value(
        "[document.querySelectorAll('.wipe').length, document.querySelectorAll('.wipe input[aria-valuetext]').length]"
    )
    assert wipes == told > 5
    assert desktop.value("[...document.images].every(image => image.naturalWidth > 0)")
    assert (
        desktop.value("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") == 0
    )


def test_the_mouse_moves_the_line(pages: dict[str, Path], desktop: Browser) -> None:
    desktop.open(pages["out"])
    assert line(desktop) == 50
    box = desktop.box(".wipe")
    middle = box["top"] + box["height"] / 2
    at = [(box["left"] + share * box["width"], middle) for share in (0.3, 0.6, 0.8)]
    desktop.drag(*at)
    assert line(desktop) == pytest.approx(80, abs=1.5)
    desktop.drag(at[0])
    assert line(desktop) == pytest.approx(30, abs=1.5)
    shown = desktop.value("getComputedStyle(document.querySelector('.wipe img.right')).clipPath")
    assert float(shown.rpartition(" ")[2].removesuffix("%)")) == pytest.approx(30, abs=1.5)


def test_keys_move_the_line_and_say_so(pages: dict[str, Path], desktop: Browser) -> None:
    desktop.open(pages["out"])
    desktop.value("document.querySelector('.wipe input').focus()")
    desktop.press("ArrowRight", 39)
    desktop.press("ArrowRight", 39)
    desktop.press("ArrowLeft", 37)
    assert line(desktop) == 55
    told = desktop.value("document.querySelector('.wipe input').getAttribute('aria-valuetext')")
    assert told == "55 % Content, 45 % Result"
    desktop.press("Home", 36)
    assert line(desktop) == 0


def test_a_button_moves_all_lines(pages: dict[str, Path], desktop: Browser) -> None:
    desktop.open(pages["out"])
    desktop.value("[...document.querySelectorAll('.together button')].find(b => b.textContent == 'Content').click()")
    group = "[...document.querySelector('.wipes').querySelectorAll('.wipe')]"
    assert set(desktop.value(f"{group}.map(wipe => wipe.style.getPropertyValue('--at'))")) == {"100%"}
    pressed = "document.querySelector('.together [aria-pressed=true]').textContent"
    assert desktop.value(pressed) == "Content"


def test_a_finger_moves_the_line(pages: dict[str, Path], phone: Browser) -> None:
    phone.open(pages["out"])
    box = phone.box(".wipe")
    middle = box["top"] + box["height"] / 2
    phone.swipe(*((box["left"] + share * box["width"], middle) for share in (0.5, 0.4, 0.3, 0.2)))
    assert line(phone) == pytest.approx(20, abs=3)


@pytest.mark.parametrize("name", ["cache", "out"])
def test_a_phone_shows_all_of_it(name: str, pages: dict[str, Path], phone: Browser) -> None:
    phone.open(pages[name])
    assert phone.problems == []
    assert phone.value("document.documentElement.scrollWidth") == 390
    assert phone.value("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    smallest = phone.value(
        "Math.min(...[...document.querySelectorAll('p, td, dd, figcaption, summary, button')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 12


def test_without_scripts_pictures_stand_side_by_side(pages: dict[str, Path], desktop: Browser, tmp_path: Path) -> None:
    text = pages["out"].read_text("utf-8")
    start, end = text.rindex("<script>"), text.rindex("</script>")
    (tmp_path / "plain.html").write_text(text[:start] + text[end + len("</script>") :], "utf-8")
    desktop.open(tmp_path / "plain.html")
    left, right, shown = desktop.value(
        "(() => { const [a, b] = document.querySelectorAll('.wipe img'); const x = a.getBoundingClientRect(),"
        " y = b.getBoundingClientRect(); return [x.right, y.left, y.width] })()"
    )
    assert left <= right
    assert shown > 200
    assert desktop.value("getComputedStyle(document.querySelector('.together')).display") == "none"


def test_other_scripts_are_refused(pages: dict[str, Path], tmp_path: Path) -> None:
    text = pages["out"].read_text("utf-8").replace("<main>", "<main><script>document.title = 'evil'</script>")
    (tmp_path / "evil.html").write_text(text, "utf-8")
    with Browser() as browser:
        browser.open(tmp_path / "evil.html")
        assert browser.value("document.title").startswith("mix: ")
        assert any("Content Security Policy" in problem for problem in browser.problems)
