"""`stylize doctor`: what is in a dataset and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from cli import options

if TYPE_CHECKING:
    from typing import Any

    from stylize.datasets.doctor import Diagnosis, LabelKind, Problem

SHOWN = 8  # entries of a list that may be long
BAR = 30  # characters of a histogram's bar at 100 %
COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@options.command(
    "doctor",
    "stylize doctor ~/data/camvid",
    "stylize doctor s3://bucket/cityscapes --split val --limit 200",
    "stylize doctor ~/data/mine --json > diagnosis.json",
)
@click.argument("dataset", metavar="DATASET")
@options.layout
@options.split
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Open only N images, spread evenly.  [default: all]")
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Files that are read at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as JSON.")
@options.storage_options
def command(
    dataset: str,
    layout: str,
    split: str | None,
    limit: int | None,
    threads: int,
    as_json: bool,
    storage_options: Mapping[str, Any] | None,
) -> int:
    """Open every image and label of a dataset and say what is wrong with it.

    Shows splits, sizes, which ids the labels hold and how often, and every problem with its remedy. Exits with 1 when
    there is an error among the problems.
    """
    from cli.console import Pace, meter
    from stylize.datasets.base import open_dataset
    from stylize.datasets.doctor import diagnose

    opened = open_dataset(dataset, layout=layout, split=split, storage_options=storage_options)
    with meter() as shown:
        pace = Pace(min(len(opened), limit or len(opened)))
        shown.start("doctor", "images", pace)

        def progress(done: int, _total: int) -> None:
            pace.add(done - pace.today)
            shown.update()

        diagnosis = diagnose(opened, limit=limit, threads=threads, progress=progress)
    if as_json:
        click.echo(json.dumps(diagnosis.to_json(), indent=2))
    else:
        _show(diagnosis)
    return 1 if any(problem.severity == "error" for problem in diagnosis.problems) else 0


def _show(diagnosis: Diagnosis) -> None:
    opened = "" if diagnosis.checked == diagnosis.images else f", {diagnosis.checked} of them opened"
    click.echo(f"{diagnosis.url}: {diagnosis.images} images{opened}")
    click.echo(f"  {diagnosis.note}")
    if any(diagnosis.splits):
        click.echo(f"  splits: {_table(diagnosis.splits)}")
    click.echo(f"  sizes: {_table(diagnosis.sizes)}")
    click.echo(f"  formats: {_table(diagnosis.formats)}")
    for kind in diagnosis.label_kinds:
        _show_labels(kind, diagnosis.class_names)
    for problem in diagnosis.problems:
        _show_problem(problem)
    if diagnosis.healthy:
        click.echo(f"all well; next: stylize invert {diagnosis.url} CACHE")


def _show_labels(kind: LabelKind, names: Mapping[int, str]) -> None:
    click.echo(f"  labels {kind.name}: {kind.files} files, {kind.explanation}")
    width = max((len(name) for name in names.values()), default=0)
    for value, share in kind.shares.items():
        name = names.get(value, "").ljust(width)
        click.echo(f"    {value:5} {name} {100 * share:5.1f} % {'#' * round(BAR * share)}".rstrip())


def _show_problem(problem: Problem) -> None:
    examples = ", ".join(problem.examples) + (", ..." if problem.count > len(problem.examples) else "")
    severity = click.style(f"{problem.severity}:", fg=COLOURS[problem.severity], bold=True)
    click.echo(f"{severity} {problem.message}: {problem.count} ({examples}); {problem.remedy}")


def _table(counts: Mapping[str, int]) -> str:
    shown = [f"{name or 'none'} ({count})" for name, count in list(counts.items())[:SHOWN]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
