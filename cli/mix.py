"""`stylize mix`: a cache's images in the style of others, written as a dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from cli import options

# What `proxy build` has as well.
per_image = click.option(
    "--per-image",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Copies of each image, each with an exemplar of its own.",
)
method = click.option(
    "--method",
    metavar="METHOD",
    type=click.Choice(options.METHODS),
    default="stylization",
    show_default=True,
    help="Stylization by the model, or a baseline to compare it with on the same pairs of images: "
    f"{', '.join(options.METHODS[1:])}.",
)
strength = click.option(
    "--strength",
    metavar="S",
    type=options.StrengthRange(),
    default=1.0,
    show_default=True,
    help="How far to move the style from the image's own (0) to the exemplar's (1), and beyond it up to 2 (only "
    "stylization); a range such as 0.5-1.2 gives each copy its own.",
)
layers = click.option(
    "--layers", metavar="LIST", help="Move only the codes of these layers, such as 0-3,7.  [default: all]"
)
style = options.combined(method, strength, layers)


_uneven = click.option(
    "--uneven",
    metavar="U",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="How much the style varies over an image, in random shapes: the standard deviation of its strength.",
)


def weather(share: float) -> Callable[[options.F], options.F]:
    """Make the options of what is carried over beside colours, by default this share of it."""
    return options.combined(
        click.option(
            "--weather",
            metavar="W",
            type=click.FloatRange(0, 1),
            default=share,
            show_default=True,
            help="How much of what the exemplar has beside its colours to take on, 0 none to 1 all: haze, cover, blur "
            "and grain, each of which the next options set apart.",
        ),
        _share("--haze", "H", "Contrast that fades towards the end of a street."),
        _share("--cover", "C", "Clouds in the sky, snow or wet on the ground."),
        _share("--blur", "B", "Softness, of a lens in the dark, of motion."),
        _share("--grain", "G", "Sensor noise, streaks of rain, flakes."),
        _uneven,
    )


def _share(option: str, metavar: str, what: str) -> Callable[[options.F], options.F]:
    return click.option(
        option, metavar=metavar, type=click.FloatRange(0, 1), help=f"{what}  [default: as much as --weather]"
    )


size = click.option(
    "--size",
    type=click.Choice(options.SIZES),
    default="source",
    show_default=True,
    help="Recolour the source at its own size, or write the small synthesis itself.",
)


@options.command(
    "mix",
    "stylize mix cache stylized",
    "stylize mix cache stylized --styles dusk-cache --weather 1 --per-image 2 --seed 1",
    "stylize mix cache preview --limit 12 --strength 0.7 --size model",
    "stylize mix cache shards --per-image 4 --format webdataset",
    "stylize mix cache baseline --styles dusk-cache --method fda --strength 0.5-1",
)
@click.argument("cache", metavar="CACHE")
@click.argument("out", metavar="OUT")
@click.option("--styles", metavar="CACHE2", help="Take the exemplars from this cache.  [default: CACHE itself]")
@options.moved("--dataset", "the cache's dataset")
@options.moved("--styles-dataset", "the dataset of CACHE2")
@options.moved("--model", "the cache's model bundle", "BUNDLE")
@options.split
@options.limit
@per_image
@click.option(
    "--even", is_flag=True, help="Use every exemplar equally often, as validation sets should, instead of drawing them."
)
@style
@weather(0.0)
@click.option(
    "--min-content-score",
    metavar="X",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Draw copies that show less of their scene (0-1) again with other exemplars; flag those that stay below. "
    "0: off.",
)
@size
@click.option(
    "--format",
    type=click.Choice(options.FORMATS),
    default="tree",
    show_default=True,
    help="How the dataset is written: in the folders and under the file names of its source, or as shards that the "
    "packages webdataset and datasets open.",
)
@options.seed
@options.batch_size(8)
@options.precision
@options.session
def command(cache: str, out: str, **more: Any) -> int:
    """Write stylized copies of a cache's images, with their labels.

    CACHE is what `invert` wrote; OUT gets the dataset's own folders and file names, labels byte for byte. Without
    --styles every image takes the style of another one of CACHE.
    """
    from cli.console import listening
    from cli.summaries import show_run
    from pipelines.mix import describe, mix

    with listening() as tell:
        summary = mix(cache, out, on_event=tell, **more)
    return show_run(summary, describe(summary), then=f"stylize verify {out}")
