"""What `train-generator` and `train-encoder` share: options whose default is the preset's, and how a training runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli import options

preset = click.option(
    "--preset",
    type=click.Choice(options.PRESETS),
    default="light",
    show_default=True,
    help="Configuration to start from: one for small machines, or the published one.",
)
images = click.option(
    "--images", metavar="N", type=click.IntRange(1), help="Training images to see in all.  [default: the preset's]"
)
batch = click.option(
    "--batch-size", metavar="N", type=click.IntRange(1), help="Images per step.  [default: the preset's]"
)
lr = click.option(
    "--lr", metavar="RATE", type=click.FloatRange(0, min_open=True), help="Learning rate.  [default: the preset's]"
)
# What to start from, and how long and fast to go on. What is not given comes from the preset.
schedule = options.combined(preset, images, batch, lr)
picture_cache = click.option(
    "--picture-cache",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where decoded pictures are kept, for this run and others of the same size.  [default: in OUT, or in the "
    "user's cache folder when OUT is a URL]",
)
checkpoint_minutes = click.option(
    "--checkpoint-minutes",
    metavar="MINUTES",
    type=click.FloatRange(0, min_open=True),
    default=3.0,
    show_default=True,
    help="Time between two checkpoints.",
)
# A training takes steps, not units of work: its workers share every batch.
engine = options.combined(
    click.option(
        "--engine",
        type=click.Choice(options.ENGINES),
        default="auto",
        show_default=True,
        help="Train in this process, or in several of a Ray cluster that share each batch; auto is ray when a cluster "
        "is named, by --address or RAY_ADDRESS, or --workers is above 1, or --gpus-per-worker is given.",
    ),
    options.address,
    click.option(
        "--workers",
        metavar="N",
        type=click.IntRange(1),
        help="Processes that share each batch, which N must divide.  [default: one per GPU of the cluster, or 1]",
    ),
    click.option(
        "--gpus-per-worker",
        metavar="N",
        type=click.FloatRange(0, 1),
        help="GPUs of each Ray process, such as 1, 0.5 or 0.  [default: 1 if the cluster has any]",
    ),
)
run = options.combined(
    picture_cache,
    checkpoint_minutes,
    engine,
    options.layout,
    options.split,
    options.limit,
    options.seed,
    options.device,
    options.overwrite,
    options.storage_options,
)


def changes(**settings: Any) -> dict[str, Any]:
    """Return the settings that were given: those that change a preset."""
    return {name: value for name, value in settings.items() if value is not None}
