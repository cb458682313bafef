"""`stylize verify`: every byte of a run against its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli import options

if TYPE_CHECKING:
    from pipelines.verify import Verdict

SHOWN = 100  # findings listed one by one


@options.command("verify", "stylize verify cache", "stylize verify s3://bucket/stylized --repair")
@click.argument("run", metavar="RUN")
@click.option("--repair", is_flag=True, help="Make again what is missing or wrong, and remove what belongs to no unit.")
@options.workers
@options.storage_options
def command(run: str, **more: Any) -> int:
    """Compare every file of a cache or a stylized dataset with its commit records.

    RUN is what `invert` or `mix` wrote. Exits with 1 when something is wrong and has not been repaired.
    """
    from cli.console import listening
    from pipelines.verify import verify

    with listening() as tell:
        verdict = verify(run, on_event=tell, **more)
    return _show(verdict)


def _show(verdict: Verdict) -> int:
    from cli.summaries import count, size

    for finding in verdict.findings[:SHOWN]:
        click.echo(f"{finding.problem}: {finding.path}: {finding.detail}")
    if len(verdict.findings) > SHOWN:
        click.echo(f"... and {len(verdict.findings) - SHOWN} more")
    compared = f"{count(verdict.units, 'unit')}, {count(verdict.files, 'file')}, {size(verdict.bytes)} compared"
    if not verdict.findings:
        click.echo(f"{verdict.url}: all well ({compared})")
    elif verdict.repaired is not None:
        click.echo(f"{verdict.url}: {count(len(verdict.findings), 'problem')}, repaired ({compared})")
    else:
        click.echo(f"{verdict.url}: {count(len(verdict.findings), 'problem')} ({compared})")
        click.echo(f"next: stylize verify {verdict.url} --repair")
    return verdict.exit_code
