"""`stylize train-encoder`: learn to invert pictures into a generator's codes and noise maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli import options

SIZE_STEP = 32  # a generator of the light configuration doubles its constant five times


@options.command(
    "train-encoder",
    "stylize train-encoder ~/data/cityscapes run --generator gen.safetensors --preset paper",
    "stylize train-encoder ~/data/camvid run --new-generator 96x128 --tune-generator",
    "stylize train-encoder ~/data/night run --init camvid --tune-generator --images 20000",
)
@click.argument("dataset", metavar="DATASET")
@click.argument("out", metavar="OUT")
@click.option("--generator", metavar="FILE", help="Invert this generator: a file that `stylize convert` wrote.")
@click.option("--init", metavar="BUNDLE", help="Continue from a model bundle: a bundled name, a path or a URL.")
@click.option(
    "--new-generator",
    type=options.Size(multiple=SIZE_STEP),
    metavar="HxW",
    help="Make a new small generator of this picture size.",
)
@click.option("--tune-generator", is_flag=True, help="Train the synthesis network along with the encoder.")
@click.option(
    "--preset",
    type=click.Choice(["light", "paper"]),
    default="light",
    show_default=True,
    help="Configuration to start from: one for small machines, or the published one.",
)
@click.option(
    "--images", metavar="N", type=click.IntRange(1), help="Training images to see in all.  [default: the preset's]"
)
@click.option("--batch-size", metavar="N", type=click.IntRange(1), help="Images per step.  [default: the preset's]")
@click.option(
    "--lr", metavar="RATE", type=click.FloatRange(0, min_open=True), help="Learning rate.  [default: the preset's]"
)
@click.option(
    "--mask-ratio",
    metavar="SHARE",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the noise maps that is masked.  [default: the preset's]",
)
@click.option("--lpips-trunk", metavar="FILE", type=click.Path(path_type=Path), help="VGG16 weights for LPIPS.")
@click.option("--holdout", metavar="PATTERN", help="Keep picture ids like this out of training; report their PSNR.")
@click.option(
    "--checkpoint-minutes",
    metavar="MINUTES",
    type=click.FloatRange(0, min_open=True),
    default=3.0,
    show_default=True,
    help="Time between two checkpoints.",
)
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
    images: int | None,
    batch_size: int | None,
    lr: float | None,
    mask_ratio: float | None,
    seed: int,
    new_generator: tuple[int, int] | None,
    **more: Any,
) -> None:
    """Train the masked noise encoder for a generator and write a model bundle into OUT.

    DATASET is a folder or URL of pictures; labels are not looked at. The same command again continues from the last
    checkpoint. Give exactly one of --generator, --init and --new-generator.
    """
    from cli.console import TrainingListener, meter
    from stylize.models.generator import GeneratorConfig
    from stylize.training.config import PRESETS
    from stylize.training.encoder import train_encoder

    changes = {"images": images, "batch": batch_size, "lr": lr, "mask_ratio": mask_ratio, "seed": seed}
    training = PRESETS[preset].with_(**{name: value for name, value in changes.items() if value is not None})
    size = new_generator and (new_generator[0] // SIZE_STEP, new_generator[1] // SIZE_STEP)
    with meter() as shown:
        summary = train_encoder(
            dataset,
            out,
            training=training,
            new_generator=GeneratorConfig(const_size=size) if size else None,
            on_event=TrainingListener(shown),
            **more,
        )
    for name, reason in summary.unreadable:
        click.echo(f"failed: {name}: {reason}", err=True)
    quality = "" if summary.heldout_psnr is None else f", held-out PSNR {summary.heldout_psnr:.2f} dB"
    click.echo(f"{summary.bundle}: trained on {summary.images} images{quality}")
    click.echo(f"next: stylize invert DATASET CACHE --model {summary.bundle}")
