"""`stylize convert`: a foreign StyleGAN2 as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from cli import options

if TYPE_CHECKING:
    from stylize.models.convert import ConvertSummary


@options.command(
    "convert",
    "stylize convert network-snapshot-025000.pkl gen.safetensors",
    "stylize convert 550000.pt s3://bucket/gen.safetensors --overwrite",
)
@click.argument("src", metavar="SRC")
@click.argument("dst", metavar="DST")
@click.option("--overwrite", is_flag=True, help="Replace DST if it exists.")
@options.storage_options
def command(src: str, dst: str, overwrite: bool, storage_options: Mapping[str, Any] | None) -> None:
    """Convert a foreign StyleGAN2 into a safetensors file.

    SRC is a .pkl of stylegan2-ada-pytorch or of stylegan3's StyleGAN2 configurations, or a .pt of rosinality. It is
    read as data, and nothing it brings is run: a file that asks for more than tensors and plain values is refused.
    """
    from stylize.models.convert import convert

    for line in describe(convert(src, dst, overwrite=overwrite, storage_options=storage_options)):
        click.echo(line)


def describe(summary: ConvertSummary) -> list[str]:
    """Return what was converted, in lines for people."""
    from cli.summaries import size

    height, width = summary.image_size
    extent = f"{summary.parameters / 1e6:.1f} M parameters, {size(summary.bytes)}"
    codes = f"{summary.num_ws} codes of {summary.w_dim}" + (f", {summary.c_dim} classes" if summary.c_dim else "")
    return [
        f"{summary.dst}: {height}x{width} generator, {extent}",
        f"  {summary.layout} layout, {summary.architecture} architecture, {codes}",
        *(f"  {note}" for note in summary.notes),
        f"next: stylize train-encoder DATASET OUT --generator {summary.dst}",
    ]
