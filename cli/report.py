"""`stylize report`: a run on one page, with pictures."""

from __future__ import annotations

from typing import Any

import click

from cli import options


@options.command(
    "report",
    "stylize report cache",
    "stylize report stylized --out stylized.html",
    "stylize report s3://bucket/stylized --out stylized.html",
)
@click.argument("run", metavar="RUN")
@click.option("--out", metavar="FILE", help="Where the page goes, a file or URL.  [default: report.html in RUN]")
@options.storage_options
def command(run: str, **more: Any) -> None:
    """Show a run on one HTML page, with plenty of pictures.

    RUN is what `invert` or `mix` wrote or is still writing. A cache is shown by its reconstructions, the worst ones
    too; a stylized dataset by contents, exemplars and results. The page needs nothing else, so it can be sent around.
    """
    from pipelines.report import report

    click.echo(f"report: {report(run, **more)}")
