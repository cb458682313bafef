"""`stylize inspect`: what is in a cache, one picture of it, and its codes to take along."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cli import options

if TYPE_CHECKING:
    from pipelines.inspect import Inspection
    from stylize.cache import CacheInfo

BAR = 40  # signs of the longest bar
BINS = 12


@options.command(
    "inspect",
    "stylize inspect cache",
    "stylize inspect cache train/0001TP_006690 --output frame.png",
    "stylize inspect cache train/0001TP_006690 --export frame.npz",
    "stylize inspect s3://bucket/cache --export codes.npz --limit 1000",
)
@click.argument("cache", metavar="CACHE")
@click.argument("id", metavar="[ID]", required=False)
@click.option(
    "--output",
    metavar="FILE",
    help="Where the picture of ID goes: source, reconstruction and difference as PNG, a file or URL.  [default: ID.png "
    "with _ for /, or none with --export]",
)
@click.option(
    "--export",
    metavar="FILE",
    help="Write w+ codes and noise maps as a NumPy archive (.npz), of ID or of the whole cache.",
)
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Export only the first N pictures.  [default: all]")
@options.moved("--model", "the cache's model bundle", "BUNDLE")
@options.moved("--dataset", "the cache's dataset")
@options.storage_options
def command(cache: str, id: str | None, **more: Any) -> None:
    """Say what a cache holds, show one picture of it, hand out codes.

    Without ID: pictures, shapes, model, how well pictures come back, some ids. With ID (or the picture's file name):
    its row, and a picture of source, reconstruction and difference.

    An export holds ids, images (their files), psnr, w_plus [N, layers, numbers], noise_0 and noise_1 [N, channels,
    height, width] as float32, and model_sha256; numpy.load opens it.
    """
    from pipelines.inspect import inspect

    for line in describe(inspect(cache, id, **more)):
        click.echo(line)


def describe(found: Inspection) -> list[str]:
    """Return what was found, in lines for people."""
    from stylize.spelling import count

    lines = _overview(found) if found.row is None else _row(found)
    if found.picture:
        lines.append(f"picture: {found.picture}")
    lines += [f"note: {note}" for note in found.notes]
    if found.exported:
        lines.append(f"export: {found.exported}, {count(found.rows_exported, 'picture')}")
    return lines


def _overview(found: Inspection) -> list[str]:
    from cli.summaries import count, size
    from pipelines.survey import distribution

    survey, info = found.survey, found.info
    total, sources, configuration = survey.total, survey.run["sources"], survey.run["configuration"]
    units = f"in {count(total.units, 'unit')}"
    each = f", {size(total.bytes / total.rows)} each" if total.rows else ""
    splits = f", split {configuration['split']}" if configuration.get("split") else ""
    lines = [
        f"{survey.storage.url}: {survey.state}",
        f"  pictures  {total.rows} of {survey.run['inputs']['rows']} {units}, {size(total.bytes)}{each}",
        f"  dataset   {sources.get('dataset')}, layout {configuration.get('layout')}{splits}",
        *_shapes(info, str(sources.get("model"))),
    ]
    if total.failed:
        lines.append(f"  failed    {total.failed}: `stylize status {survey.storage.url}` lists them")
    if psnr := distribution(total.figures, "psnr"):
        low, high = total.percentile("psnr", 5), total.percentile("psnr", 95)
        lines.append(f"  PSNR      {total.mean('psnr'):.1f} dB on average, 9 in 10 between {low:.1f} and {high:.1f} dB")
        lines += [f"            {line}" for line in histogram(psnr)]
    lines += _named("lowest", [f"{name}  {value:.1f} dB" for name, value in found.lowest])
    return lines + _named("ids", found.ids)


def _row(found: Inspection) -> list[str]:
    row, info = found.row, found.info
    assert row is not None
    codes = row.codes(info)
    return [
        f"{found.survey.storage.url}: {row.id}",
        f"  image     {row.image}, {row.width} x {row.height}, sha256 {row.source_sha256[:12]}",
        f"  labels    {', '.join(row.labels) or 'none'}",
        f"  split     {row.split or 'none'}; key {row.key}",
        *_shapes(info, str(found.survey.run["sources"].get("model"))),
        f"  values    w+ from {codes.min():.2f} to {codes.max():.2f}; noise maps deviate by {_spread(found)}",
        f"  PSNR      {row.psnr:.2f} dB, of which quantisation made {row.psnr - row.psnr_fp32:+.3f} dB",
    ]


def _spread(found: Inspection) -> str:
    assert found.row is not None
    return " and ".join(f"{noise.std():.2f}" for noise in found.row.noise(found.info))


def _shapes(info: CacheInfo, model: str) -> list[str]:
    maps = " and ".join(dict.fromkeys(" x ".join(map(str, shape)) for shape in info.noise_shapes))
    return [
        f"  model     {model} ({info.model_sha256[:12]}), pictures of {info.width} x {info.height}",
        f"  codes     w+ of {info.num_ws} x {info.w_dim} as float32; two noise maps of {maps} as {info.noise}",
    ]


def _named(title: str, lines: Any) -> list[str]:
    return [f"  {title if place == 0 else '':<9} {line}" for place, line in enumerate(lines)]


def histogram(counts: Mapping[float, float]) -> list[str]:
    """Return a histogram of values in dB, in bins of whole dB."""
    low, high = math.floor(min(counts)), math.floor(max(counts))
    width = max(1, math.ceil((high - low + 1) / BINS))
    bins: Counter[int] = Counter()
    for value, number in counts.items():
        bins[(math.floor(value) - low) // width] += int(number)
    most = max(bins.values())
    lines = []
    for place in range(max(bins) + 1):
        first, number = low + place * width, bins[place]
        lines.append(f"{first:>3}-{first + width:<3} {number:>7}  {'#' * math.ceil(BAR * number / most)}".rstrip())
    return lines
