"""`stylize scenes`: a procedural dataset, to try things on."""

from __future__ import annotations

import click

from cli import options

# Spelled here because the renderer takes a while to import; a test compares the two.
CONDITIONS = ("day", "dusk", "night", "fog", "rain", "snow")


@options.command(
    "scenes",
    "stylize scenes streets --count 100",
    "stylize scenes streets --count 20 --split val --seed 1000",
    "stylize scenes night --count 20 --seed 2000 --condition night --no-labels",
)
@click.argument("out", metavar="FOLDER")
@click.option(
    "--count",
    metavar="N",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Scenes, each in every condition.",
)
@click.option(
    "--size", type=options.Size(), metavar="HxW", default="192x256", show_default=True, help="Size of the pictures."
)
@click.option(
    "--condition",
    "conditions",
    type=click.Choice(CONDITIONS),
    multiple=True,
    default=("day",),
    show_default=True,
    help="Weather and light; give it several times to render the same scenes in each.",
)
@click.option("--split", metavar="NAME", default="train", show_default=True, help="Folder the pictures go into.")
@click.option("--labels/--no-labels", "with_labels", default=True, show_default=True, help="Write a label per picture.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0), default=0, show_default=True, help="Number of the first scene."
)
def command(
    out: str, count: int, size: tuple[int, int], conditions: tuple[str, ...], split: str, with_labels: bool, seed: int
) -> None:
    """Render procedural street scenes with exact labels, in CamVid layout.

    FOLDER is on this machine's disk. The same scene number is the same street in every condition; ranges of numbers
    that do not overlap share no street.
    """
    from cli.summaries import count as spell_count
    from stylize.scenes import write_dataset

    if "://" in out:
        raise click.BadParameter(f"{out} is a URL, and scenes are written to a local folder", param_hint="FOLDER")
    height, width = size
    written = write_dataset(
        out,
        count=count,
        height=height,
        width=width,
        conditions=conditions,
        split=split,
        seed=seed,
        with_labels=with_labels,
    )
    click.echo(f"{out}: {spell_count(len(written), 'picture')} of {spell_count(count, 'scene')}, {height}x{width}")
    click.echo(f"next: stylize invert {out} CACHE --model streets")
