"""`stylize evaluate`: how good reconstructions, stylized pictures and segmentations are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cli import options

if TYPE_CHECKING:
    from pipelines.evaluate_segmentation import SegmentationScore
    from pipelines.evaluate_stylization import StylizationScore
    from pipelines.evaluation import Evaluation
    from stylize.evaluation.tables import Distribution

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


EXAMPLES = """\b
Examples:
  stylize evaluate reconstruction cache
  stylize evaluate stylization stylized --csv by-picture.csv
  stylize evaluate segmentation predictions ~/data/camvid --split val
"""
# measure -> its name on the screen and the digits of its figures
MEASURES = {
    "mse": ("mean squared error", 4),
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "lpips_vgg": ("LPIPS, VGG", 3),
    "efficientnet_distance": ("EfficientNet distance", 3),
    "content_score": ("content score of the guard", 3),
    "structure": ("structure kept", 3),
    "edges": ("edges kept", 3),
    "agreement": ("segmenter agrees", 3),
    "colour_content": ("colours: content to exemplar, Lab", 2),
    "colour_output": ("colours: output to exemplar, Lab", 2),
    "colour_exemplars": ("colours: exemplar to exemplar, Lab", 2),
    "colour_reached": ("colours: share of the way", 3),
    "features_content": ("features: content to exemplar", 3),
    "features_output": ("features: output to exemplar", 3),
    "features_exemplars": ("features: exemplar to exemplar", 3),
    "features_reached": ("features: share of the way", 3),
}
COLUMNS = {"mean": "mean", "p05": "5 %", "p50": "median", "p95": "95 %"}
WIDTH = 36


@click.group("evaluate", cls=options.Group, epilog=EXAMPLES)
def command() -> None:
    """Measure reconstructions, stylized pictures and segmentations."""


@options.command(
    "reconstruction",
    "stylize evaluate reconstruction cache",
    "stylize evaluate reconstruction cache --lpips-trunk vgg16-397923af.pth --csv by-picture.csv",
    "stylize evaluate reconstruction s3://bucket/cache --split val --limit 500 --json reconstruction.json",
)
@click.argument("cache", metavar="CACHE")
@options.moved("--dataset", "the cache's dataset")
@options.moved("--model", "the cache's model bundle", "BUNDLE")
@options.split
@options.limit
@click.option(
    "--lpips-trunk",
    metavar="FILE",
    help="VGG16 weights for LPIPS, vgg16-397923af.pth.  [default: the distance of EfficientNet-Lite0 features]",
)
@click.option(
    "--inception",
    metavar="FILE",
    help="The network that FID is defined with, inception-2015-12-05.pt.  [default: a Frechet distance on "
    "EfficientNet-Lite0 features, which is no FID]",
)
@options.batch_size(8)
@options.device
@json_file
@csv_file
@options.max_failures
@options.storage_options
def reconstruction(cache: str, **more: Any) -> int:
    """Compare the pictures of a cache with what the model makes of their codes and noise maps.

    CACHE is what `invert` wrote. Gives mean squared error, PSNR, SSIM and a perceptual distance of each picture, at the
    size of the model, and the Frechet distance between all pictures and all reconstructions.
    """
    from cli.console import listening
    from pipelines.evaluate_reconstruction import evaluate_reconstruction

    with listening() as tell:
        score = evaluate_reconstruction(cache, on_event=tell, **more)
    height, width = score.size
    click.echo(f"{score.cache}: {score.pictures} pictures against their reconstructions at {width}x{height}")
    _show_measures(score.measures)
    distances = [f"Frechet distance of the sets: {value:.1f} ({name})" for name, value in score.frechet.items()]
    return _end(score, *distances)


@options.command(
    "stylization",
    "stylize evaluate stylization stylized",
    "stylize evaluate stylization stylized --limit 200 --csv by-picture.csv",
    "stylize evaluate stylization stylized --predictions-before day-predictions --predictions-after predictions",
)
@click.argument("out", metavar="OUT")
@options.moved("--dataset", "the contents' dataset")
@options.moved("--exemplars", "the exemplars' dataset")
@click.option(
    "--predictions-before",
    metavar="DIR",
    help="A segmenter's label pictures of the contents, to compare with --predictions-after.  [default: no comparison]",
)
@click.option(
    "--predictions-after",
    metavar="DIR",
    help="The same segmenter's label pictures of the outputs.  [default: no comparison]",
)
@options.limit
@click.option(
    "--height",
    metavar="N",
    type=click.IntRange(32),
    default=192,
    show_default=True,
    help="Compare pictures that are so many pixels high, or less if they are; large ones show blur and grain too.",
)
@options.batch_size(8)
@options.device
@json_file
@csv_file
@options.max_failures
@options.storage_options
def stylization(out: str, **more: Any) -> int:
    """Measure what stylized pictures kept of their contents, and how far they came towards their exemplars.

    OUT is what `mix` wrote, by whatever method. Kept: structure, edges, the guard's content score, and on request what
    a segmenter sees. Reached: the share of the way from the content to the exemplar, in colours and in network
    features, picture by picture, and the Frechet distance of the whole sets to the exemplars.
    """
    from cli.console import listening
    from pipelines.evaluate_stylization import evaluate_stylization

    with listening() as tell:
        score = evaluate_stylization(out, on_event=tell, **more)
    height, width = score.size
    click.echo(f"{score.out}: {score.pictures} pictures against contents and exemplars at {width}x{height}")
    _show_measures(score.measures)
    return _end(score, *_style(score))


def _style(score: StylizationScore) -> list[str]:
    from stylize.evaluation.features import Backbone

    shares = ", ".join(f"{_percent(share)} in {kind}" for kind, share in score.reached.items())
    lines = [f"style reached, of the mean distances: {shares}"]
    if score.frechet:
        content, output = score.frechet["content"], score.frechet["output"]
        lines.append(f"Frechet distance to the exemplars: {content:.1f} before, {output:.1f} after ({Backbone.name})")
    if score.agreement is not None:
        same, iou = _percent(score.agreement.accuracy()), _percent(score.agreement.mean_iou())
        lines.append(f"segmenter: {same} of the pixels as before, mean IoU of before and after {iou}")
    return lines


def _show_measures(measures: Mapping[str, Distribution]) -> None:
    click.echo("  " + " " * WIDTH + "".join(f"{title:>9}" for title in COLUMNS.values()))
    for name, values in measures.items():
        title, digits = MEASURES[name]
        figures = values.as_dict()
        cells = (figures[column] for column in COLUMNS)
        click.echo(f"  {title:{WIDTH}}" + "".join("        -" if x is None else f"{x:9.{digits}f}" for x in cells))


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


for _member in (reconstruction, stylization, segmentation):
    command.add_command(_member)
