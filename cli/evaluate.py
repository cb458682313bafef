"""`stylize evaluate`: how good reconstructions, stylized pictures and segmentations are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cli import options

if TYPE_CHECKING:
    from pipelines.evaluate_segmentation import SegmentationScore
    from pipelines.evaluation import Evaluation

json_file = click.option("--json", metavar="FILE", help="Write the result to this file or URL as well.")
csv_file = click.option("--csv", metavar="FILE", help="Write a table of one row per picture to this file or URL.")

# How label pictures and predictions are read; `proxy rank` reads them alike.
reading = options.combined(
    click.option(
        "--classes",
        metavar="SET",
        help="Label set to score: camvid11, cityscapes19, cityscapes34 or a classes.json.  [default: what the "
        "mappings or the dataset say]",
    ),
    click.option(
        "--label-kind",
        metavar="KIND",
        help="Which labels to take where a picture has several, such as gtFine_labelIds.  [default: train ids, else "
        "the only ones]",
    ),
    click.option(
        "--label-mapping",
        metavar="MAPPING",
        help="From the ids of the labels to those of --classes: cityscapes19:camvid11, or a JSON file such as "
        '{"7": 0, "8": "pavement", "0": null}.  [default: by the dataset]',
    ),
    click.option(
        "--prediction-mapping",
        metavar="MAPPING",
        help="The same for the predictions.  [default: their ids are those of --classes]",
    ),
    click.option(
        "--ignore",
        metavar="ID",
        type=int,
        multiple=True,
        default=(),
        help="A further id of the labels that does not count.  [default: none]",
    ),
    click.option(
        "--ignore-unknown",
        is_flag=True,
        help="Take ids that no mapping knows as of no class, instead of refusing them.",
    ),
    click.option(
        "--resize", is_flag=True, help="Bring predictions of another size to their label's (nearest neighbour)."
    ),
)


@click.group("evaluate", epilog="\b\nExamples:\n  stylize evaluate segmentation predictions ~/data/camvid --split val")
def command() -> None:
    """Measure reconstructions, stylized pictures and segmentations."""


@options.command(
    "segmentation",
    "stylize evaluate segmentation predictions ~/data/camvid --split val",
    "stylize evaluate segmentation predictions ~/data/cityscapes --split val --classes camvid11",
    "stylize evaluate segmentation predictions ~/data/mine --classes classes.json --label-mapping ids.json",
    "stylize evaluate segmentation predictions stylized --ignore 250 --json score.json --csv by-picture.csv",
)
@click.argument("predictions", metavar="PREDICTIONS")
@click.argument("dataset", metavar="DATASET")
@options.layout
@options.split
@options.limit
@reading
@json_file
@csv_file
@options.max_failures
@options.storage_options
def segmentation(predictions: str, dataset: str, **more: Any) -> int:
    """Score predicted label pictures against a dataset's labels: IoU of each class, mean IoU, accuracy.

    PREDICTIONS is a folder or URL of label pictures, found by the names of the dataset's pictures or labels. DATASET is
    any labelled dataset, also one that `mix` wrote. Pictures without a prediction are named and do not count.
    """
    from cli.console import listening
    from pipelines.evaluate_segmentation import evaluate_segmentation

    with listening() as tell:
        score = evaluate_segmentation(predictions, dataset, on_event=tell, **more)
    click.echo(f"{score.predictions}: {score.pictures} pictures scored on {score.label_set}")
    _show_classes(score)
    return _end(score, f"mean IoU {_percent(score.mean_iou)}, accuracy {_percent(score.accuracy)}")


def _show_classes(score: SegmentationScore) -> None:
    width = max(len(one.name) for one in score.by_class)
    click.echo(f"  {'':{width}}    IoU  recall  precision  of all")
    for one in score.by_class:
        figures = f"{_cell(one.iou)}  {_cell(one.recall)}     {_cell(one.precision)}  {_cell(one.share)}"
        click.echo(f"  {one.name:{width}}  {figures}")


def _end(evaluation: Evaluation, *lines: str) -> int:
    """Print the last lines of an evaluation and return its exit code."""
    for line in (*lines, *_failures(evaluation)):
        click.echo(f"  {line}")
    return evaluation.exit_code


def _failures(evaluation: Evaluation) -> Sequence[str]:
    if not evaluation.failed:
        return ()
    causes = ", ".join(f"{number} {cause}" for cause, number in evaluation.causes.items())
    remedy = "" if evaluation.exit_code == 0 else "; mend them, or allow them with --max-failures"
    return (f"{evaluation.failed} of {evaluation.failed + evaluation.pictures} failed ({causes}){remedy}",)


def _percent(share: float) -> str:
    return "none" if math.isnan(share) else f"{100 * share:.1f} %"


def _cell(share: float) -> str:
    return "     -" if math.isnan(share) else f"{100 * share:6.1f}"


command.add_command(segmentation)
