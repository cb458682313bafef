"""The demo on tiny streets: the whole story once, again, interrupted, mended, refused, and its own commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.main import run as stylize
from pipelines import demo as module
from pipelines.demo import DemoSummary, demo
from pipelines.demoscenes import Cast
from pipelines.events import Event, RunStarted, StageStarted
from stylize.errors import ConfigurationError, FatalError
from stylize.images import decode_rgb
from stylize.scenes import Condition, Scene, render
from tests.pages import Page
from tests.pipelines.helpers import tree

SIZE: dict[str, Any] = {"scenes": 2, "height": 24, "width": 32}
STAGES = ["render", "doctor", "invert", "mix", "verify", "measure", "report"]
# Places and times differ between two demos of the same settings, and so does whatever holds one.
VARYING = ("cache/day/commits", "cache/weather/commits", "stylized/commits", "figures.json", "report.html")


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


def test_every_street_takes_the_style_of_every_exemplar(summary: DemoSummary, made: Path) -> None:
    assert (summary.contents, summary.exemplars, summary.pictures) == (2, 10, 20)
    assert summary.verdict.pairs == 20
    assert {name: verdict.pairs for name, verdict in summary.conditions.items()} == dict.fromkeys(
        ("dusk", "night", "fog", "rain", "snow"), 4
    )
    assert len(list((made / "stylized" / "train").iterdir())) == 20
    for number in (100, 101):
        label = (made / f"data/day/trainannot/scene00{number}_day.png").read_bytes()
        copies = list((made / "stylized" / "trainannot").glob(f"scene00{number}*"))
        assert [path.read_bytes() for path in copies] == [label] * 10
        assert set(np.unique(np.asarray(Image.open(copies[0])))) <= set(range(12))


def test_the_truth_is_the_content_in_the_exemplars_weather(made: Path) -> None:
    exemplar = decode_rgb((made / "data/weather/fog/scene00504_fog.png").read_bytes())
    truth = decode_rgb((made / "data/truth/scene00101_fog00504.png").read_bytes())
    weather = Condition.sample("fog", 504)
    assert np.array_equal(exemplar, render(Scene.sample(504), weather, 24, 32))
    assert np.array_equal(truth, render(Scene.sample(101), weather, 24, 32))


@pytest.mark.parametrize(("seed", "scenes"), [(0, 1), (0, 8), (3, 8), (57, 20), (5, 400)])
def test_no_street_of_the_demo_was_trained_on_and_none_is_both(seed: int, scenes: int) -> None:
    cast = Cast.choose(seed, scenes)
    contents, exemplars = set(cast.contents), {exemplar.scene for exemplar in cast.exemplars}
    assert (len(contents), len(exemplars)) == (scenes, 10)
    assert not contents & exemplars
    assert max(contents | exemplars) < 1000


def test_another_seed_shows_other_streets() -> None:
    first, second = Cast.choose(0, 8), Cast.choose(1, 8)
    assert not set(first.contents) & set(second.contents)
    assert not set(first.exemplars) & set(second.exemplars)


def test_stages_are_told_in_their_order(summary: DemoSummary, told: list[Event]) -> None:
    stages = [event for event in told if isinstance(event, StageStarted)]
    assert [(s.number, s.total, s.text.partition(":")[0]) for s in stages] == [
        (place, 7, name) for place, name in enumerate(STAGES, 1)
    ]
    assert list(summary.seconds) == STAGES


def test_the_page_is_whole_and_needs_nothing(summary: DemoSummary) -> None:
    page = Page(Path(summary.report).read_bytes())
    assert page.is_self_contained()
    assert len(page.sources) >= 6 + 5 + 5 * 2 * 4 + 3
    for expected in ("2 → 20", "At night", "Where it works least", "Labels travel along"):
        assert expected in page.text


def test_the_commands_on_the_page_give_what_the_demo_gave(
    summary: DemoSummary, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = Page(Path(summary.report).read_bytes()).commands
    own = [line for line in commands if "~" not in line and "frames" not in line]
    assert [line.split()[1] for line in own] == ["doctor", "invert", "invert", "mix", "verify"]
    monkeypatch.chdir(copy)
    before = lasting(copy)
    for line in own:
        assert stylize(line.split()[1:]) == 0, line
    assert capsys.readouterr().err.count("nothing to do") == 3
    assert lasting(copy) == before


def test_a_second_session_finds_everything_done(copy: Path, tiny_model: str, summary: DemoSummary) -> None:
    before = {path: path.stat().st_mtime_ns for folder in ("data", "cache") for path in (copy / folder).rglob("*.p*")}
    events: list[Event] = []
    again = demo(copy, model=tiny_model, on_event=events.append, **SIZE)
    assert [event.todo for event in events if isinstance(event, RunStarted)] == [0] * 5
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert again.verdict == summary.verdict
    assert again.seconds["render"] == summary.seconds["render"], "the time of the session that did the work"


def test_interrupted_sessions_go_on_to_the_same_end(made: Path, tmp_path: Path, tiny_model: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(made / "data", out / "data")
    shutil.copy(made / "demo.json", out)
    for stage in ("invert", "mix", "measure"):

        def interrupt(event: Event, stage: str = stage) -> None:
            if isinstance(event, RunStarted) and event.kind == stage:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            demo(out, model=tiny_model, on_event=interrupt, **SIZE)
    demo(out, model=tiny_model, **SIZE)
    assert lasting(out) == lasting(made)


def test_rendering_goes_on_where_it_was(copy: Path, made: Path, tiny_model: str) -> None:
    gone = ["data/day/trainannot/scene00100_day.png", "data/truth/scene00101_fog00504.png", "data/day/classes.json"]
    for path in gone:
        (copy / path).unlink()
    events: list[Event] = []
    demo(copy, model=tiny_model, on_event=events.append, **SIZE)
    assert next(event.todo for event in events if isinstance(event, RunStarted)) == 2
    assert lasting(copy) == lasting(made)


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
        ({"scenes": 0}, "number of scenes must be 1 to 400, not 0"),
        ({"scenes": 401}, "not 401"),
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
