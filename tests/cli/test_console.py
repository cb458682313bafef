"""Progress is right from the first unit on, also after a resume, on terminals and in logs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli import console
from cli.console import BarMeter, LineMeter, Pace, RunListener, TrainingListener
from pipelines.events import Note, RunStarted, StageStarted, UnitDone, UnitRetried, WorkersChanged
from pipelines.units import Failure, Outcome
from stylize.training.events import TrainingEvent


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def outcome(rows: int, *failed: str) -> UnitDone:
    failures = tuple(Failure(id=name, kind="bad-input", reason="truncated: no end") for name in failed)
    return UnitDone(outcome=Outcome(unit=0, rows=rows, bytes=1, failures=failures))


def test_pace_after_a_resume_counts_this_session_only() -> None:
    clock = Clock()
    pace = Pace(100, before=80, clock=clock)
    assert (pace.done, pace.rate, pace.left) == (80, None, None)
    clock.now += 2
    pace.add(10)
    assert (pace.done, pace.rate, pace.left) == (90, 5.0, 2.0)
    clock.now += 0.5
    assert pace.left == 1.5
    clock.now += 60
    assert pace.left == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (8.24, "8.2 s"), (48, "48 s"), (59.7, "1 min 00 s"), (250, "4 min 10 s"), (7500, "2 h 05 min")],
)
def test_spell(seconds: float, text: str) -> None:
    assert console.spell(seconds) == text


def test_what_came_to_its_end_is_told_before_the_next_note(capsys: pytest.CaptureFixture[str]) -> None:
    meter = LineMeter(clock=Clock())
    pace = Pace(2, clock=Clock())
    meter.start("invert", "images", pace)
    for note in ("half-way", "verified"):
        pace.add(1)
        meter.update()
        meter.note(note)
    meter.close()
    assert capsys.readouterr().err.splitlines() == ["half-way", "invert: 2 of 2 images", "verified"]


def test_lines_come_once_per_interval_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    pace = Pace(40, clock=clock)
    meter = LineMeter(clock=clock)
    meter.start("invert", "images", pace)
    for _ in range(3):
        clock.now += 4
        pace.add(10)
        meter.update()
    clock.now += 2
    pace.add(10)
    meter.update()
    meter.close()
    meter.close()
    assert capsys.readouterr().err.splitlines() == [
        "invert: 30 of 40 images, 2.5/s, 4.0 s left",
        "invert: 40 of 40 images, 2.9/s",
    ]


def test_slow_work_is_told_in_seconds_each() -> None:
    clock = Clock()
    pace = Pace(3, clock=clock)
    assert console.describe(pace, "images") == "images"
    clock.now += 20
    pace.add(1)
    assert console.describe(pace, "images") == "images, 20.0 s each, 40 s left"


def test_bar_shows_count_rate_and_time_left() -> None:
    screen = io.StringIO()
    clock = Clock()
    pace = Pace(40, before=10, clock=clock)
    meter = BarMeter(Console(file=screen, force_terminal=True, width=120, color_system=None))
    meter.start("mix", "images", pace)
    clock.now += 2
    pace.add(10)
    meter.update()
    meter.note("failed: [a]: truncated")
    meter.close()
    last = screen.getvalue().splitlines()[-2]  # the very last only shows the cursor again
    assert "mix" in last
    assert "20/40" in last
    assert "images, 5.0/s, 4.0 s left" in last
    assert "failed: [a]: truncated" in screen.getvalue()


def test_the_meter_suits_the_stream(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with console.meter() as shown:
        assert isinstance(shown, LineMeter)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with console.meter() as shown:
        assert isinstance(shown, BarMeter)


def test_a_run_is_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    with console.listening() as tell:
        tell(StageStarted(number=3, total=7, text="invert: pictures into codes"))
        tell(Note(text="layout camvid"))
        tell(RunStarted(kind="invert", units=4, done=2, todo=2, inputs=40))
        tell(WorkersChanged(workers=4))
        tell(UnitRetried(unit=3, attempt=1, wait=2.0, reason="OSError: gone"))
        tell(outcome(9, "val/a"))
        tell(outcome(10))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:-1] == [
        "[3/7] invert: pictures into codes",
        "layout camvid",
        "invert: 2 of 4 units are done already, 2 to do",
        "unit 3 died (OSError: gone); attempt 2 in 2.0 s",
        "failed: val/a: truncated: no end",
    ]
    assert lines[-1].startswith("invert: 40 of 40 images, ")
    assert lines[-1].endswith(", 4 workers")


def test_the_start_of_workers_does_not_count_as_work() -> None:
    clock = Clock()
    pace = Pace(40, clock=clock)
    clock.now += 60
    pace.restart()
    clock.now += 2
    pace.add(10)
    assert pace.rate == 5.0


def test_a_finished_run_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with console.listening() as tell:
        tell(RunStarted(kind="mix", units=4, done=4, todo=0, inputs=40))
    assert capsys.readouterr().err == "mix: 4 of 4 units are done already, nothing to do\n"


def test_failures_do_not_flood_the_screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "SHOWN_FAILURES", 2)
    listener = RunListener(LineMeter())
    listener(RunStarted(kind="invert", units=1, done=0, todo=1, inputs=4))
    listener(outcome(0, "a", "b", "c", "d"))
    assert capsys.readouterr().err.splitlines() == [
        "failed: a: truncated: no end",
        "failed: b: truncated: no end",
        "failed: further inputs, listed in manifest.json at the end",
    ]


def test_training_progress_starts_where_the_checkpoint_was(capsys: pytest.CaptureFixture[str]) -> None:
    meter = LineMeter()
    listener = TrainingListener(meter, "train-encoder")

    def event(images: int, message: str = "") -> TrainingEvent:
        return TrainingEvent(
            images=images,
            total=1000,
            images_per_second=10,
            figures={"l1": 0.12345, "feature_matching": 0.5},
            message=message,
        )

    listener(event(0, "read 9 of 9 pictures"))
    listener(event(640))
    listener(event(960))
    meter.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "read 9 of 9 pictures"
    assert lines[1].startswith("train-encoder: 960 of 1000 images, ")
    assert lines[1].endswith(" left, l1 0.123, feature matching 0.5")
