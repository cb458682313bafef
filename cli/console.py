"""What a user sees while something runs: a bar on a terminal, a line now and then elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from pipelines.events import Event, Note, RunStarted, StageStarted, UnitDone, UnitRetried, WorkersChanged
from stylize.spelling import spell as spell

if TYPE_CHECKING:
    from stylize.training.events import TrainingEvent

INTERVAL = 10.0  # seconds between two plain lines
SHOWN_FAILURES = 100  # as many as a summary keeps; all of them are in the manifest


class Pace:
    """Counts work, so that rate and time left are right from the first piece of a session on, also after a resume.

    `before` pieces of `total` were done earlier and say nothing about today's speed.
    """

    def __init__(self, total: int, before: int = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.before, self.today = total, before, 0
        self.detail = ""  # what else to show, such as losses
        self._clock = clock
        self._start = self._last = clock()

    def restart(self) -> None:
        """Begin to take the time now."""
        self._start = self._last = self._clock()

    def add(self, count: int) -> None:
        """Count pieces as done now."""
        self.today += count
        self._last = self._clock()

    @property
    def done(self) -> int:
        """Pieces done in all sessions."""
        return min(self.before + self.today, self.total)

    @property
    def rate(self) -> float | None:
        """Pieces per second in this session; None before the first."""
        seconds = self._last - self._start
        return self.today / seconds if self.today and seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds to the end at this rate; None before the first piece."""
        if self.rate is None:
            return None
        return max(0.0, (self.total - self.done) / self.rate - (self._clock() - self._last))


class Meter(Protocol):
    """Shows the progress of one thing after the other."""

    def start(self, label: str, noun: str, pace: Pace) -> None:
        """Begin to show `pace`, whose pieces are called `noun` (plural)."""

    def update(self) -> None:
        """Show that the pace has changed."""

    def note(self, line: str) -> None:
        """Show a line that stays."""

    def close(self) -> None:
        """Leave the screen tidy."""


class LineMeter:
    """For logs and pipes: one plain line per interval, and one at the end."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pace: Pace | None = None
        self._label = self._noun = ""
        self._told = clock()
        self._pending = False

    def start(self, label: str, noun: str, pace: Pace) -> None:
        """Begin to show `pace`, whose pieces are called `noun` (plural)."""
        self.close()
        self._label, self._noun, self._pace = label, noun, pace
        self._told = self._clock()

    def update(self) -> None:
        """Print a line when the last is an interval old."""
        self._pending = True
        if self._clock() - self._told >= INTERVAL:
            self._tell()

    def note(self, line: str) -> None:
        """Print a line, after the last one on what came to its end before it."""
        if self._pending and self._pace is not None and self._pace.done >= self._pace.total:
            self._tell()
        click.echo(line, err=True)

    def close(self) -> None:
        """Print where it ended, unless the last line said so."""
        if self._pending:
            self._tell()

    def _tell(self) -> None:
        if self._pace is not None:
            click.echo(
                f"{self._label}: {self._pace.done} of {self._pace.total} {describe(self._pace, self._noun)}", err=True
            )
        self._told, self._pending = self._clock(), False


class BarMeter:
    """For terminals: a bar with rate and time left."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            PaceColumn(),
            console=console or Console(stderr=True),
            refresh_per_second=4,
        )
        self._progress.start()
        self._task: tuple[Pace, TaskID] | None = None

    def start(self, label: str, noun: str, pace: Pace) -> None:
        """Begin a bar for `pace`, whose pieces are called `noun` (plural)."""
        task = self._progress.add_task(label, total=pace.total, completed=pace.done, pace=pace, noun=noun)
        self._task = pace, task

    def update(self) -> None:
        """Move the bar to where the pace is."""
        if self._task is not None:
            pace, task = self._task
            self._progress.update(task, completed=pace.done)

    def note(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(Text(line))

    def close(self) -> None:
        """Stop drawing; the bar stays as it is."""
        self._progress.stop()


class PaceColumn(ProgressColumn):
    """Rate and time left of a task's `pace` field."""

    def render(self, task: Task) -> Text:
        """Render the column."""
        return Text(describe(task.fields["pace"], task.fields["noun"]), style="cyan")


def describe(pace: Pace, noun: str) -> str:
    """Say what the pieces are, how fast they come and how long it takes: `images, 12.3/s, 4 min left`."""
    detail = f", {pace.detail}" if pace.detail else ""
    if pace.rate is None or pace.left is None:
        return noun + detail
    rate = f"{pace.rate:.1f}/s" if pace.rate >= 1 else f"{1 / pace.rate:.1f} s each"
    return f"{noun}, {rate}" + (f", {spell(pace.left)} left" if pace.done < pace.total else "") + detail


@contextmanager
def meter() -> Iterator[Meter]:
    """Give the meter that suits stderr, and close it at the end, also of a failure."""
    shown: Meter = BarMeter() if sys.stderr.isatty() else LineMeter()
    try:
        yield shown
    finally:
        shown.close()


class RunListener:
    """Shows the events of a run on a meter: progress, and one line per failed input."""

    def __init__(self, shown: Meter, noun: str = "images") -> None:
        self._shown, self._noun = shown, noun
        self._pace = Pace(0)
        self._failures = 0

    def __call__(self, event: Event) -> None:
        """Take an event."""
        match event:
            case Note():
                self._shown.note(event.text)
            case StageStarted():
                self._shown.note(f"[{event.number}/{event.total}] {event.text}")
            case RunStarted():
                self._begin(event)
            case WorkersChanged():
                self._crew(event)
            case UnitDone():
                self._count(event)
            case UnitRetried():
                self._shown.note(
                    f"unit {event.unit} died ({event.reason}); attempt {event.attempt + 1} in {spell(event.wait)}"
                )

    def _begin(self, event: RunStarted) -> None:
        before = round(event.inputs * event.done / event.units) if event.units else 0
        if event.done:
            ahead = f"{event.todo} to do" if event.todo else "nothing to do"
            self._shown.note(f"{event.kind}: {event.done} of {event.units} units are done already, {ahead}")
        self._pace = Pace(event.inputs, before)
        if event.todo:
            self._shown.start(event.kind, self._noun, self._pace)

    def _crew(self, event: WorkersChanged) -> None:
        """Show how many are at work. Until the first unit they were loading weights, which says nothing about speed."""
        self._pace.detail = f"{event.workers} worker{'' if event.workers == 1 else 's'}"
        if not self._pace.today:
            self._pace.restart()
        self._shown.update()

    def _count(self, event: UnitDone) -> None:
        outcome = event.outcome
        for failure in outcome.failures:
            self._failures += 1
            if self._failures <= SHOWN_FAILURES:
                self._shown.note(f"failed: {failure.id}: {failure.reason}")
            elif self._failures == SHOWN_FAILURES + 1:
                self._shown.note("failed: further inputs, listed in manifest.json at the end")
        self._pace.add(outcome.rows + len(outcome.failures))
        self._shown.update()


class TrainingListener:
    """Shows the progress and the losses of a training on a meter."""

    def __init__(self, shown: Meter, label: str) -> None:
        self._shown, self._label = shown, label
        self._pace: Pace | None = None

    def __call__(self, event: TrainingEvent) -> None:
        """Take an event."""
        if event.message:
            self._shown.note(event.message)
            return
        if self._pace is None:
            self._pace = Pace(event.total, event.images)
            self._shown.start(self._label, "images", self._pace)
        self._pace.add(event.images - self._pace.done)
        self._pace.detail = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in event.figures.items())
        self._shown.update()


@contextmanager
def listening(noun: str = "images") -> Iterator[RunListener]:
    """Give the `on_event` of a run."""
    with meter() as shown:
        yield RunListener(shown, noun)
