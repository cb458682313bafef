"""`stylize train-encoder`: learn to invert pictures into a generator's codes and noise maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cli import options, trainingoptions

# Spelled here because the modules that own these words take a second to import; a test compares the two.
REPLACEMENTS = ("normal", "zeros")
NOISE_SCALES = ("2", "4", "8")
STYLEGAN2 = "stylegan2"


@options.command(
    "train-encoder",
    "stylize train-encoder ~/data/cityscapes run --generator gen.safetensors --preset paper",
    "stylize train-encoder ~/data/camvid run --new-generator 96x128 --tune-generator",
    "stylize train-encoder ~/data/camvid run --new-generator 96x128 --generator-kind decoder --tune-generator",
    "stylize train-encoder ~/data/night run --init camvid --tune-generator --images 20000",
    "stylize train-encoder ~/data/camvid run --init camvid --size 128x160 --tune-generator --extra ~/photos/fog",
)
@click.argument("dataset", metavar="DATASET")
@click.argument("out", metavar="OUT")
@click.option("--generator", metavar="FILE", help="Invert this generator: a file that `stylize convert` wrote.")
@click.option("--init", metavar="BUNDLE", help="Continue from a model bundle: a bundled name, a path or a URL.")
@click.option("--new-generator", type=options.Size(), metavar="HxW", help="Make a new generator of this picture size.")
@click.option(
    "--generator-kind",
    metavar="KIND",
    default=STYLEGAN2,
    show_default=True,
    help="What the new generator is: stylegan2, decoder (convolutions and adaptive instance norm), or a kind that an "
    "installed package brings.",
)
@click.option("--size", type=options.Size(), metavar="HxW", help="Bring the model of --init to this picture size.")
@click.option(
    "--noise-downscale",
    type=click.Choice(NOISE_SCALES),
    help="Noise maps at 1/2, 1/4 or 1/8 of the picture; not with --init.  [default: 4]",
)
@click.option("--tune-generator", is_flag=True, help="Train the synthesis network along with the encoder.")
@click.option(
    "--extra",
    metavar="DATASET",
    multiple=True,
    default=(),
    help="Train on these pictures too, such as style exemplars; may be given several times.  [default: none]",
)
@trainingoptions.schedule
@click.option(
    "--mask-ratio",
    metavar="SHARE",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the noise maps that is masked.  [default: the preset's]",
)
@click.option(
    "--mask-patch",
    metavar="N",
    type=click.IntRange(1),
    help="Side of a masked patch, in pixels of the noise maps.  [default: the preset's]",
)
@click.option(
    "--mask-replacement",
    type=click.Choice(REPLACEMENTS),
    help="What masked patches hold.  [default: the preset's]",
)
@click.option("--lpips-trunk", metavar="FILE", type=click.Path(path_type=Path), help="VGG16 weights for LPIPS.")
@click.option("--holdout", metavar="PATTERN", help="Keep picture ids like this out of training; report their PSNR.")
@trainingoptions.run
def command(
    dataset: str,
    out: str,
    preset: str,
    images: int | None,
    batch_size: int | None,
    lr: float | None,
    mask_ratio: float | None,
    mask_patch: int | None,
    mask_replacement: str | None,
    noise_downscale: str | None,
    seed: int,
    new_generator: tuple[int, int] | None,
    generator_kind: str,
    **more: Any,
) -> None:
    """Train the encoder of a generator and write a model bundle into OUT.

    DATASET is a folder or URL of pictures; labels are not looked at. The same command again continues from the last
    checkpoint, with any number of workers. Give exactly one of --generator, --init and --new-generator.
    """
    from cli.console import TrainingListener, meter
    from cli.summaries import show_unreadable
    from pipelines.training import train_encoder
    from stylize.models.kinds import new_config
    from stylize.training.config import PRESETS

    given = trainingoptions.changes(
        images=images,
        batch=batch_size,
        lr=lr,
        mask_ratio=mask_ratio,
        mask_patch=mask_patch,
        mask_replacement=mask_replacement,
    )
    training = PRESETS[preset].with_(**given, seed=seed)
    if noise_downscale:
        if more["init"]:
            raise click.UsageError("--noise-downscale is for a new encoder: that of --init keeps its noise maps' scale")
        training = training.with_(encoder=replace(training.encoder, noise_downscale=int(noise_downscale)))
    if generator_kind != STYLEGAN2 and new_generator is None:
        raise click.UsageError("--generator-kind is for --new-generator: files and bundles say what they hold")
    scale = training.encoder.noise_downscale
    with meter() as shown:
        summary = train_encoder(
            dataset,
            out,
            training=training,
            new_generator=new_config(generator_kind, new_generator, preset, scale) if new_generator else None,
            on_event=TrainingListener(shown, "train-encoder"),
            **more,
        )
    show_unreadable(summary.unreadable)
    quality = "" if summary.heldout_psnr is None else f", held-out PSNR {summary.heldout_psnr:.2f} dB"
    click.echo(f"{summary.bundle}: trained on {summary.images} images{quality}")
    click.echo(f"next: stylize invert DATASET CACHE --model {summary.bundle}")
