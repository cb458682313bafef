"""`stylize snippet`: code that reads an output of `mix`, ready to paste."""

from __future__ import annotations

from typing import Any

import click

from cli import options

# Spelled here because the module that owns the words takes a second to import; a test compares the two.
FRAMEWORKS = ("torch", "mmsegmentation", "webdataset", "datasets")


@options.command(
    "snippet",
    "stylize snippet stylized",
    "stylize snippet stylized --for mmsegmentation > configs/_base_/stylized.py",
    "stylize snippet shards --for webdataset",
)
@click.argument("out", metavar="OUT")
@click.option(
    "--for",
    "framework",
    type=click.Choice(FRAMEWORKS),
    default="torch",
    show_default=True,
    help="Who shall read it: a PyTorch dataset of originals and copies, a configuration of mmsegmentation with both, "
    "or the packages that open shards.",
)
@click.option("--dataset", metavar="DATASET", help="Where the originals are now.  [default: where they were]")
@options.layout
@options.split
@click.option("--label-kind", metavar="KIND", help="Which labels, such as gtFine_labelIds.  [default: the only kind]")
@options.storage_options
def command(out: str, **more: Any) -> None:
    """Print code that reads the copies in OUT, which `mix` wrote.

    Paths, file endings, labels and classes are those of OUT and of the dataset that it was made of.
    """
    from stylize.snippets import snippet

    click.echo(snippet(out, **more), nl=False)
