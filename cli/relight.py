"""`stylize relight`: a dataset's own pictures in random light and weather, as exemplars."""

from __future__ import annotations

from typing import Any

import click

from cli import options


@options.command(
    "relight",
    "stylize relight ~/data/camvid relit --split train",
    "stylize relight s3://bucket/cityscapes s3://bucket/relit --split train --seed 1",
)
@click.argument("dataset", metavar="DATASET")
@click.argument("out", metavar="OUT")
@options.layout
@options.split
@options.limit
@options.seed
@options.storage_options
def command(dataset: str, out: str, **more: Any) -> int:
    """Write a dataset's images in random light and weather, as exemplars from no other place.

    Dark, bright, tinted, hazy, noisy: OUT is for `invert`, and then for `mix --styles` with --weather 1. A network
    trained on such copies is ready for much that its source never showed. The same command goes on where it was
    interrupted.
    """
    from cli.summaries import count, show_unreadable
    from stylize.relit import relight

    done = relight(dataset, out, **more)
    click.echo(f"{done.url}: {count(done.pictures, 'picture')} in random light and weather")
    show_unreadable(done.failed)
    click.echo(f"next: stylize invert {out} {out}-cache --layout folder")
    return 3 if done.failed else 0
