"""The demo on tiny streets: the whole story once, again, interrupted, mended, refused, its commands and its page."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.main import run as stylize
from pipelines import demo as module
from pipelines import demonetworks
from pipelines.demo import DemoSummary, demo
from pipelines.demonetworks import ARMS
from pipelines.demoscenes import KINDS, RANGES, Cast
from pipelines.events import Event, RunStarted, StageStarted, UnitDone
from stylize.errors import ConfigurationError, FatalError
from stylize.images import decode_rgb
from stylize.scenes import Condition, Scene, render
from tests.browser import PROGRAM, Browser
from tests.pages import Page
from tests.pipelines.helpers import tree

SIZE: dict[str, Any] = {"scenes": 2, "height": 24, "width": 32, "steps": 3}
STAGES = ["render", "doctor", "invert", "mix", "verify", "measure", "train", "proxies", "predict", "score", "report"]
RUNS = ("intra", "stylized", *(f"cache/{name}" for name in ("day", "weather", *KINDS)), *(f"proxy/{k}" for k in KINDS))
# Places and times differ between two demos of the same settings, and so does whatever holds one.
VARYING = (*(f"{run}/commits" for run in RUNS), "figures.json", "report.html", "ranking.json", "proxy/proxy.json")


@pytest.fixture(scope="module")
def told() -> list[Event]:
    """The events of the first session."""
    return []


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory, tiny_model: str, told: list[Event]) -> DemoSummary:
    """The first session; its folder is not changed by any test."""
    out = tmp_path_factory.mktemp("demo") / "out"
    return demo(out, model=tiny_model, on_event=told.append, **SIZE)


@pytest.fixture(scope="module")
def made(summary: DemoSummary) -> Path:
    return Path(summary.url)


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of the finished demo to do things to."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def lasting(root: Path) -> dict[str, bytes]:
    files = tree(root, without=VARYING)
    return {path: data for path, data in files.items() if not path.endswith("run.json")}


def test_every_street_gives_copies_with_its_labels(summary: DemoSummary, made: Path) -> None:
    assert (summary.contents, summary.exemplars, summary.pictures) == (2, 10, 10)
    assert summary.verdict.pairs == 10
    assert len(list((made / "stylized" / "train").iterdir())) == 10
    assert len(list((made / "intra" / "train").iterdir())) == 2
    for number in (100, 101):
        label = (made / f"data/day/trainannot/scene00{number}_day.png").read_bytes()
        copies = list((made / "stylized" / "trainannot").glob(f"scene00{number}*"))
        assert [path.read_bytes() for path in copies] == [label] * 5
        assert set(np.unique(np.asarray(Image.open(copies[0])))) <= set(range(12))


def test_the_truth_is_the_content_in_the_exemplars_weather(made: Path) -> None:
    exemplar = decode_rgb((made / "data/weather/fog/scene00504_fog.png").read_bytes())
    weather = Condition.sample("fog", 504)
    assert np.array_equal(exemplar, render(Scene.sample(504), weather, 24, 32))
    true = sorted((made / "data" / "truth").iterdir())[0]
    scene, light = int(true.stem[5:10]), int(true.stem[-5:])
    condition = Condition.sample(true.stem[11:-5], light)
    assert np.array_equal(decode_rgb(true.read_bytes()), render(Scene.sample(scene), condition, 24, 32))


@pytest.mark.parametrize(("seed", "scenes"), [(0, 1), (0, 40), (3, 40), (57, 20), (5, 240)])
def test_no_street_has_two_purposes_and_none_was_trained_on_by_the_model(seed: int, scenes: int) -> None:
    cast = Cast.choose(seed, scenes)
    purposes = [cast.contents, cast.validation, cast.tests]
    purposes += [tuple(one.scene for one in streets) for streets in (cast.exemplars, cast.targets)]
    every = [scene for purpose in purposes for scene in purpose]
    assert len(cast.contents) == scenes
    assert len(set(every)) == len(every)
    assert 0 <= min(every) <= max(every) < 1000
    ends = sorted((one.first, one.first + one.length) for one in RANGES.values())
    assert all(before[1] <= after[0] for before, after in pairwise(ends))


def test_no_network_meets_the_labels_it_is_tested_with(made: Path) -> None:
    shown = {path.name[:10] for folder in ("data/day/train", "stylized/train") for path in (made / folder).iterdir()}
    tested = {path.name[:10] for path in (made / "data" / "test").rglob("*.png")}
    assert tested
    assert not shown & tested


def test_another_seed_shows_other_streets() -> None:
    first, second = Cast.choose(0, 8), Cast.choose(1, 8)
    assert not set(first.contents) & set(second.contents)
    assert not set(first.exemplars) & set(second.exemplars)


def test_stages_are_told_in_their_order(summary: DemoSummary, told: list[Event]) -> None:
    stages = [event for event in told if isinstance(event, StageStarted)]
    assert [(s.number, s.total, s.text.partition(":")[0]) for s in stages] == [
        (place, 11, name) for place, name in enumerate(STAGES, 1)
    ]
    assert list(summary.seconds) == STAGES


def test_every_stage_prints_what_a_user_would_type(told: list[Event]) -> None:
    notes = [event.text for event in told if hasattr(event, "text")]
    for line in ("  $ stylize doctor data/day", "  $ stylize verify stylized"):
        assert line in notes
    rank = next(note for note in notes if "proxy rank" in note)
    assert all(len(line) < 110 for line in rank.splitlines())


def test_the_page_is_whole_and_needs_nothing(summary: DemoSummary) -> None:
    page = Page(Path(summary.report).read_bytes())
    assert page.is_self_contained()
    assert 50 < len(page.sources) < 120
    assert Path(summary.report).stat().st_size < 15_000_000
    for expected in ("2 + 10", "Does it help?", "Where it works least", "Choosing a network", "Spearman", "Mean IoU"):
        assert expected in page.text
    for kind, before in summary.before.items():
        assert f"{100 * before:.1f} %" in page.text, kind
    for ranked in (summary.ranking.average, summary.ranking.source):
        assert ranked is not None
        for arm in ARMS:
            assert f"{100 * ranked.score(arm.name):.1f} %" in page.text


@pytest.mark.skipif(PROGRAM is None, reason="Chromium is not here")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_browser_shows_the_page_without_trouble(summary: DemoSummary, width: int, dark: bool) -> None:
    with Browser(width=width, height=900, dark=dark) as browser:
        browser.open(Path(summary.report))
        assert browser.value("document.documentElement.scrollWidth") == width, "nothing may stick out"
        assert browser.value("[...document.images].every(image => image.naturalWidth > 0)")
        cut = "[...document.querySelectorAll('.below, .tile')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert browser.value(cut) == 0, "no text is cut"
        box = browser.box("#training .wipe")
        middle = box["top"] + box["height"] / 2
        browser.drag((box["left"] + box["width"] / 2, middle), (box["left"] + box["width"] * 0.1, middle))
        assert float(browser.value("document.querySelector('#training .wipe input').value")) < 15
        assert browser.value("document.querySelectorAll('svg.scatter .point').length") == 2 * len(ARMS)
        assert browser.value(
            "getComputedStyle(document.body).colorScheme + matchMedia('(prefers-color-scheme: dark)').matches"
        )
        paper = browser.value("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(20, 22, 26)") is dark
        assert browser.problems == []


def test_the_commands_on_the_page_give_what_the_demo_gave(
    summary: DemoSummary, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [line.replace("\\\n", " ") for line in Page(Path(summary.report).read_bytes()).commands]
    own = [line for line in commands if "~" not in line and "frames" not in line]
    rendering = [line for line in own if line.startswith("stylize scenes")]
    assert len(rendering) == 5
    monkeypatch.chdir(copy)
    before = lasting(copy)
    for line in own:
        if line not in rendering:
            assert stylize(line.split()[1:]) == 0, line
    printed = capsys.readouterr()
    assert printed.err.count("nothing to do") == 2 + 2 + 5 + 5
    assert f"{100 * summary.after['night']:.2f}" in printed.out or f"{100 * summary.after['night']:.1f}" in printed.out
    assert lasting(copy) == before


def test_the_rendering_commands_give_the_same_streets(
    summary: DemoSummary, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in Page(Path(summary.report).read_bytes()).commands:
        if line.startswith("stylize scenes"):
            assert stylize(line.split()[1:]) == 0
    pictures = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.png")]
    assert len(pictures) == 2 * (2 + 2 + 2) + 2 + 2
    for path in pictures:
        assert np.array_equal(np.asarray(Image.open(tmp_path / path)), np.asarray(Image.open(made / path))), path


def test_a_second_session_finds_everything_done(copy: Path, tiny_model: str, summary: DemoSummary) -> None:
    folders = ("data", "cache", "networks", "predictions")
    files = [path for name in folders for path in (copy / name).rglob("*.*") if path.name != "manifest.json"]
    before = {path: path.stat().st_mtime_ns for path in files}
    events: list[Event] = []
    again = demo(copy, model=tiny_model, on_event=events.append, **SIZE)
    begun = [event for event in events if isinstance(event, RunStarted) and not event.kind.startswith("score")]
    assert {event.kind for event in begun} == {"render", "invert", "mix", "measure", "train", "predict"}
    assert [event.todo for event in begun] == [0] * len(begun)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert again.verdict == summary.verdict
    assert again.after == summary.after
    assert again.seconds["render"] == summary.seconds["render"], "the time of the session that did the work"


def test_interrupted_sessions_go_on_to_the_same_end(made: Path, tmp_path: Path, tiny_model: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(made / "data", out / "data")
    shutil.copy(made / "demo.json", out)
    for stage in ("invert", "mix", "measure", "train", "predict"):

        def interrupt(event: Event, stage: str = stage) -> None:
            if isinstance(event, RunStarted) and event.kind == stage:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            demo(out, model=tiny_model, on_event=interrupt, **SIZE)
    demo(out, model=tiny_model, **SIZE)
    assert lasting(out) == lasting(made)


def test_rendering_goes_on_where_it_was(copy: Path, made: Path, tiny_model: str) -> None:
    true = sorted((made / "data" / "truth").iterdir())[3].name
    gone = ["data/day/trainannot/scene00100_day.png", f"data/truth/{true}", "data/day/classes.json"]
    for path in gone:
        (copy / path).unlink()
    events: list[Event] = []
    demo(copy, model=tiny_model, on_event=events.append, **SIZE)
    assert [event.todo for event in events if isinstance(event, RunStarted) and event.kind == "render"] == [1, 1]
    assert lasting(copy) == lasting(made)


def test_an_interrupted_training_goes_on_at_its_step(
    made: Path, tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demonetworks, "TOLD_EVERY", 1)
    out = tmp_path / "out"
    shutil.copytree(made, out, ignore=shutil.ignore_patterns("networks", "predictions"))
    steps: list[int] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, RunStarted) and event.kind == "train":
            steps.append(0)
        elif isinstance(event, UnitDone) and steps:
            steps[0] += 1
            if steps[0] == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo(out, model=tiny_model, on_event=interrupt, **SIZE)
    assert list((out / "networks").glob("*.unfinished")), "what was learnt so far is kept"
    assert not (out / "predictions").exists()
    demo(out, model=tiny_model, **SIZE)
    assert not list((out / "networks").glob("*.unfinished"))
    assert lasting(out) == lasting(made)


def test_what_was_removed_or_changed_is_made_again(copy: Path, made: Path, tiny_model: str) -> None:
    (copy / "stylized/train/scene00100_day.png").unlink()
    (copy / "cache/weather/shards/00001.parquet").write_bytes(b"damaged")
    demo(copy, model=tiny_model, **SIZE)
    assert lasting(copy) == lasting(made)


def test_another_demo_is_refused_by_what_differs_and_overwritten_on_request(copy: Path, tiny_model: str) -> None:
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"another demo \(seed is 0 there and 1 here\).*--overwrite"):
        demo(copy, model=tiny_model, seed=1, **SIZE)

    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # rendering other streets would take a while
        demo(copy, model=tiny_model, seed=1, overwrite=True, on_event=stop, **SIZE)
    left = tree(copy)
    assert left.keys() == {"demo.json", "notes.txt"}
    assert json.loads(left["demo.json"])["seed"] == 1


def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path: Path, tiny_model: str) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    for overwrite in (False, True):
        with pytest.raises(ConfigurationError, match=r"holds no demo \(first file: holiday.jpg\); name an empty"):
            demo(tmp_path, model=tiny_model, overwrite=overwrite, **SIZE)
    assert tree(tmp_path) == {"holiday.jpg": b"x"}


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, tiny_model: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(FatalError, match=r"cannot write .*file/demo"):
        demo(tmp_path / "file", model=tiny_model, **SIZE)


def test_a_read_only_place_is_one_line(tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # a folder's mode does not stop root
    monkeypatch.setattr(module, "model_sha256", lambda model: "0" * 64)
    with pytest.raises(FatalError, match=r"permission denied .*check owner and mode"):
        demo(tmp_path / "out", model=tiny_model, **SIZE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenes": 0}, "number of scenes must be 1 to 240, not 0"),
        ({"scenes": 241}, "not 241"),
        ({"steps": 0}, "at least 1 step, not 0"),
        ({"height": 8}, "at least 16 pixels a side"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        demo(tmp_path / "out", model="none", **(SIZE | options))
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_missing_is_told_before_anything_is_rendered(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"no model 'nowhere\.safetensors'"):
        demo(tmp_path / "out", model="nowhere.safetensors", **SIZE)
    assert not (tmp_path / "out").exists()


def test_the_mark_says_what_the_demo_is(made: Path) -> None:
    mark = json.loads((made / "demo.json").read_text())
    assert {name: mark[name] for name in (*SIZE, "seed")} == {**SIZE, "seed": 0}
