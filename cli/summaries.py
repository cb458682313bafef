"""The last lines of a run, on stdout: what was written and where, its figures, the command to run next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from stylize.spelling import count as count
from stylize.spelling import size as size
from stylize.spelling import spell

if TYPE_CHECKING:
    from pipelines.summary import Summary


def show_run(summary: Summary, figures: Sequence[str], *, then: str) -> int:
    """Print what came of a run and return its exit code; `then` is the command that uses the result."""
    click.echo(f"{summary.url}: {summary.rows} images in {count(summary.units, 'unit')}, {size(summary.bytes)}")
    for line in (*figures, *_times(summary), *failures(summary)):
        click.echo(f"  {line}")
    click.echo(f"next: {then}")
    return summary.exit_code


def show_unreadable(pictures: Sequence[tuple[str, str]]) -> None:
    """Print a line on stderr for each `(id, reason)` that a training had to leave out."""
    for name, reason in pictures:
        click.echo(f"failed: {name}: {reason}", err=True)


def _times(summary: Summary) -> list[str]:
    """Say how long this session took, and how the work of all sessions divides among its stages."""
    total = sum(summary.seconds.values())
    if not total or summary.skipped == summary.units:
        return []
    stages = sorted(summary.seconds.items(), key=lambda item: -item[1])
    shares = ", ".join(f"{name} {100 * seconds / total:.0f} %" for name, seconds in stages)
    return [f"{spell(summary.elapsed)} in this session; the work of all: {shares}"]


def failures(summary: Summary) -> list[str]:
    """Say how many inputs failed and why, and the remedy when there are too many; nothing when all is well."""
    if not summary.failed:
        return []
    causes = ", ".join(f"{number} {cause}" for cause, number in summary.causes.items())
    remedy = "" if summary.exit_code == 0 else "; mend them and add --retry-failed, or allow them with --max-failures"
    return [f"{count(summary.failed, 'input')} failed ({causes}){remedy}"]
