"""`stylize invert`: every image of a dataset once, into a cache."""

from __future__ import annotations

from typing import Any

import click

from cli import options


@options.command(
    "invert",
    "stylize invert ~/data/camvid cache --split train",
    "stylize invert ~/data/dusk dusk-cache --layout folder",
    "stylize invert s3://bucket/cityscapes s3://bucket/cache --model bundle.safetensors",
)
@click.argument("dataset", metavar="DATASET")
@click.argument("cache", metavar="CACHE")
@options.model
@options.layout
@options.split
@options.limit
@click.option(
    "--noise",
    type=click.Choice(options.NOISE_MODES),
    default="int8",
    show_default=True,
    help="How the noise maps are stored: quantised to 8 bits, or as half floats.",
)
@options.unit_size
@options.batch_size(8)
@options.precision
@options.session
def command(dataset: str, cache: str, **more: Any) -> int:
    """Invert every image of a dataset into a cache of style codes and noise maps.

    DATASET and CACHE are folders or URLs. The same command again goes on where it was interrupted; an image that cannot
    be read is recorded with its reason and the rest is done.
    """
    from cli.console import listening
    from cli.summaries import show_run
    from pipelines.invert import describe, invert, usage

    with listening() as tell:
        summary = invert(dataset, cache, on_event=tell, **more)
    return show_run(summary, describe(summary), then=usage(cache, more["storage_options"]))
