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
    "stylize report proxy --ranking ranking.json",
)
@click.argument("run", metavar="RUN")
@click.option("--out", metavar="FILE", help="Where the page goes, a file or URL.  [default: report.html in RUN]")
@click.option(
    "--ranking",
    metavar="FILE",
    help="With proxy sets, what proxy rank --json wrote.  [default: ranking.json in RUN, if it is there]",
)
@options.moved("--model", "the model bundle of a cache", "BUNDLE")
@options.moved("--dataset", "the dataset of the contents")
@options.moved("--styles-dataset", "the dataset of a mix's exemplars")
@options.storage_options
def command(run: str, **more: Any) -> None:
    """Show a run on one HTML page, with plenty of pictures.

    RUN is what `invert`, `mix` or `proxy build` wrote or is still writing. A cache is shown by its reconstructions, the
    worst and the best; a stylized dataset by contents over results, what they kept and how far each condition moved;
    proxy sets by all targets side by side. The page needs nothing else, so it can be sent around.
    """
    from pipelines.report import report

    click.echo(f"report: {report(run, **more)}")
