"""`stylize status`: how far a run is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli import options

if TYPE_CHECKING:
    from pipelines.status import Status


@options.command("status", "stylize status cache", "stylize status s3://bucket/stylized")
@click.argument("run", metavar="RUN")
@options.storage_options
def command(run: str, **more: Any) -> None:
    """Say how far a run is, what failed and how long it still takes.

    RUN is what `invert` or `mix` writes. The answer comes from its commit records, so any machine can ask.
    """
    from pipelines.status import status

    for line in describe(status(run, **more)):
        click.echo(line)


def describe(status: Status) -> list[str]:
    """Return where a run stands, in lines for people."""
    from cli.console import spell
    from cli.summaries import failures, size

    done = status.done
    lines = [
        f"{status.kind} in {status.url}: {_state(status)}",
        f"  {done.rows} of {status.inputs} images in {done.units} of {status.total_units} units, {size(done.bytes)}",
    ]
    if status.rate and not status.finished:
        lines.append(f"  {status.rate:.1f} images/s lately, {spell(status.remaining)} left at that rate")
    lines += [f"  {line}" for line in failures(done)]
    lines += [f"  failed: {failure.id}: {failure.reason}" for failure in done.failures]
    return lines


def _state(status: Status) -> str:
    from cli.console import spell

    if status.finished:
        return "finished"
    if status.active:
        return "running, " + (f"last unit {spell(status.silent)} ago" if status.done.units else "no unit yet")
    since = f" since {spell(status.silent)}" if status.done.units else ", no unit yet"
    return f"stands still{since}; the same command again goes on"
