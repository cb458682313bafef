"""`stylize train-generator`: learn a StyleGAN2 generator from pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli import options, trainingoptions


@options.command(
    "train-generator",
    "stylize train-generator ~/data/cityscapes run --preset paper",
    "stylize train-generator ~/data/camvid run --size 96x128",
    "stylize train-generator ~/data/night run --init gen.safetensors --images 100000",
    "stylize train-generator s3://bucket/bdd100k s3://bucket/run --preset paper --address head:6379 --workers 8 "
    "--precision bf16",
)
@click.argument("dataset", metavar="DATASET")
@click.argument("out", metavar="OUT")
@click.option("--init", metavar="FILE", help="Continue from this generator or model bundle, in its shape.")
@click.option("--size", type=options.Size(), metavar="HxW", help="Size of the pictures.  [default: the preset's]")
@trainingoptions.schedule
@click.option(
    "--r1", metavar="W", type=click.FloatRange(0), help="Weight of the gradient penalty.  [default: the preset's]"
)
@click.option(
    "--path-length",
    metavar="W",
    type=click.FloatRange(0),
    help="Weight of the penalty of uneven steps in w space.  [default: the preset's]",
)
@click.option(
    "--style-mixing",
    metavar="SHARE",
    type=click.FloatRange(0, 1),
    help="Share of the generated pictures that take two latents.  [default: the preset's]",
)
@click.option(
    "--ema-images",
    metavar="N",
    type=click.IntRange(1),
    help="Half-life of the averaged weights, in images.  [default: the preset's]",
)
@click.option(
    "--ada-target",
    metavar="T",
    type=click.FloatRange(0, 1, max_open=True),
    help="Augment what the discriminator sees, real and made, as much as keeps the mean sign of its logits of real "
    "pictures at T; 0: never.  [default: the preset's, 0.6]",
)
@click.option(
    "--ada-images",
    metavar="N",
    type=click.IntRange(1),
    help="Images in which augmentation may go from none to all.  [default: the preset's]",
)
@click.option(
    "--precision",
    type=click.Choice(options.TRAINING_PRECISIONS),
    help="What GPUs convolve in: bf16 where they have it, fp16 on older ones.  [default: fp32]",
)
@click.option(
    "--frechet-pictures",
    metavar="N",
    type=click.IntRange(0),
    help="Pictures on each side of the Frechet distance in frechet.csv and curves.svg; 0: none.  [default: the "
    "preset's]",
)
@click.option(
    "--inception",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The network that FID is defined with, inception-2015-12-05.pt.  [default: a Frechet distance on "
    "EfficientNet-Lite0 features]",
)
@trainingoptions.run
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
    style_mixing: float | None,
    ema_images: int | None,
    ada_target: float | None,
    ada_images: int | None,
    precision: str | None,
    frechet_pictures: int | None,
    seed: int,
    **more: Any,
) -> None:
    """Train a StyleGAN2 generator on pictures and write it into OUT.

    DATASET is a folder or URL of pictures; labels are not looked at. The same command again continues from the last
    checkpoint, with any number of workers. It takes a large data set and a GPU; on a small machine use `train-encoder
    --tune-generator` instead.

    generator.safetensors, which `train-encoder --generator` takes, is renewed some thirty times on the way, with a grid
    of samples and the Frechet distance.
    """
    from cli.console import TrainingListener, meter
    from cli.summaries import show_unreadable
    from pipelines.training import train_generator
    from stylize.training.generator_config import PRESETS, generator_for

    if size and more["init"]:
        raise click.UsageError("--size does not go with --init: the generator keeps its size")
    generator = generator_for(size, preset) if size else None
    given = trainingoptions.changes(
        generator=generator,
        images=images,
        batch=batch_size,
        lr=lr,
        r1=r1,
        path_length=path_length,
        style_mixing=style_mixing,
        ema_images=ema_images,
        ada_target=ada_target,
        ada_images=ada_images,
        precision=precision,
        frechet_pictures=frechet_pictures,
    )
    with meter() as shown:
        summary = train_generator(
            dataset,
            out,
            training=PRESETS[preset].with_(**given, seed=seed),
            on_event=TrainingListener(shown, "train-generator"),
            **more,
        )
    show_unreadable(summary.unreadable)
    quality = "" if summary.distance is None else f", Frechet distance {summary.distance:.3g} ({summary.features})"
    click.echo(f"{summary.generator}: trained on {summary.images} images{quality}")
    click.echo(f"next: stylize train-encoder DATASET OUT --generator {summary.generator}")
