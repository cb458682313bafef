"""`stylize train-generator`: learn a StyleGAN2 generator from pictures."""

from __future__ import annotations

from typing import Any

import click

from cli import options


@options.command(
    "train-generator",
    "stylize train-generator ~/data/cityscapes run --preset paper",
    "stylize train-generator ~/data/camvid run --size 96x128",
    "stylize train-generator ~/data/night run --init gen.safetensors --images 100000",
)
@click.argument("dataset", metavar="DATASET")
@click.argument("out", metavar="OUT")
@click.option("--init", metavar="FILE", help="Continue from this generator or model bundle, in its shape.")
@click.option("--size", type=options.Size(), metavar="HxW", help="Size of the pictures.  [default: the preset's]")
@options.preset
@options.images
@options.batch
@options.lr
@click.option(
    "--r1", metavar="W", type=click.FloatRange(0), help="Weight of the gradient penalty.  [default: the preset's]"
)
@click.option(
    "--path-length",
    metavar="W",
    type=click.FloatRange(0),
    help="Weight of the penalty of uneven steps in w space.  [default: the preset's]",
)
@options.checkpoint_minutes
@options.layout
@options.split
@options.limit
@options.seed
@options.device
@options.overwrite
@options.storage_options
def command(
    dataset: str,
    out: str,
    preset: str,
    size: tuple[int, int] | None,
    images: int | None,
    batch_size: int | None,
    lr: float | None,
    r1: float | None,
    path_length: float | None,
    seed: int,
    **more: Any,
) -> None:
    """Train a StyleGAN2 generator on pictures and write it into OUT.

    DATASET is a folder or URL of pictures; labels are not looked at. The same command again continues from the last
    checkpoint. It takes a large data set and a GPU; on a small machine use `train-encoder --tune-generator` instead.
    """
    from cli.console import TrainingListener, meter
    from cli.summaries import show_unreadable
    from stylize.training.generator import train_generator
    from stylize.training.generator_config import PRESETS, generator_for

    if size and more["init"]:
        raise click.UsageError("--size does not go with --init: the generator keeps its size")
    generator = generator_for(size, preset) if size else None
    given = options.changes(images=images, batch=batch_size, lr=lr, r1=r1, path_length=path_length, generator=generator)
    with meter() as shown:
        summary = train_generator(
            dataset,
            out,
            training=PRESETS[preset].with_(**given, seed=seed),
            on_event=TrainingListener(shown, "train-generator"),
            **more,
        )
    show_unreadable(summary.unreadable)
    click.echo(f"{summary.generator}: trained on {summary.images} images")
    click.echo(f"next: stylize train-encoder DATASET OUT --generator {summary.generator}")
