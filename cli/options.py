"""What commands share: how one is declared, and the options that mean the same everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

# Spelled here because the modules that own these words take a second to import; a test compares the two.
LAYOUTS = ("auto", "camvid", "cityscapes", "acdc", "bdd100k", "folder", "parquet", "webdataset")
NOISE_MODES = ("int8", "fp16")
SIZES = ("source", "model")
FORMATS = ("tree", "webdataset", "parquet")
METHODS = ("stylization", "reinhard", "histogram", "fda", "adain")
ENGINES = ("auto", "local", "ray")
PRESETS = ("light", "paper")
PRECISIONS = ("fp32", "bf16")
TRAINING_PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(kw_only=True)
class State:
    """What the top level must still know when a command has failed."""

    debug: bool = False


class Group(click.Group):
    """A group whose help gives the line of each command whole: click cuts off what one terminal line does not hold."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, wrapped where they are long."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(1000)) for name, command in commands if command])


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object given on the command line."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Parse `value`, or say what is wrong with it."""
        if isinstance(value, dict):
            return value
        try:
            parsed = json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} is not JSON: {error}", param, ctx)
        if not isinstance(parsed, dict):
            self.fail(f'{value!r} is not a JSON object such as {{"anon": true}}', param, ctx)
        return parsed


class Size(click.ParamType[tuple[int, int]]):
    """Height and width in pixels, written 96x128."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse `value`, or say what is wrong with it."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", str(value))
        if match is None:
            self.fail(f"{value!r} is not HEIGHTxWIDTH, such as 96x128", param, ctx)
        return int(match[1]), int(match[2])


class StrengthRange(click.ParamType[Any]):
    """A strength or a range of strengths, such as 0.7 or 0.5-1.2."""

    name = "strength"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number for a number and (low, high) for a range, or say what is wrong with it."""
        from stylize.errors import ConfigurationError
        from stylize.strength import parse_strength

        try:
            low, high = parse_strength(value)
        except ConfigurationError as error:
            self.fail(error.reason, param, ctx)
        return low if low == high else (low, high)


def command(name: str, *examples: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a command whose help ends in a block of examples."""
    epilog = "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)

    def declare(function: Callable[..., Any]) -> click.Command:
        declared = click.command(name, epilog=epilog)(function)
        declared.params.append(_debug())
        return declared

    return declare


def _debug() -> click.Option:
    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            ctx.find_root().ensure_object(State).debug = True

    text = "Show the full traceback of an unexpected error."
    return click.Option(["--debug"], is_flag=True, expose_value=False, callback=remember, help=text)


def combined(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Make one decorator of several; the first named is the first in the help text."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def moved(option: str, what: str, metavar: str = "DATASET") -> Callable[[F], F]:
    """Make an option that says where something is now that an earlier command has noted the place of."""
    return click.option(option, metavar=metavar, help=f"Where {what} is now.  [default: where it was]")


layout = click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default="auto",
    show_default=True,
    help="How the dataset's files are laid out; pictures in Parquet or tar shards are read where they are.",
)
split = click.option("--split", metavar="NAME", help="Take only this split, such as train or val.  [default: all]")
storage_options = click.option(
    "--storage-options",
    type=JsonObject(),
    metavar="JSON",
    help='Settings of the storage behind URLs, such as \'{"endpoint_url": "http://minio:9000"}\'.',
)
model = click.option(
    "--model",
    metavar="BUNDLE",
    default="camvid",
    show_default=True,
    help="Model bundle: the name of a bundled one (camvid, streets), or a path or URL.",
)
device = click.option(
    "--device", metavar="NAME", help="Device that computes: cpu, cuda, cuda:1, mps.  [default: the best here]"
)
seed = click.option("--seed", metavar="N", type=int, default=0, show_default=True, help="Start of all randomness.")
limit = click.option(
    "--limit", metavar="N", type=click.IntRange(1), help="Take only the first N images.  [default: all]"
)
overwrite = click.option("--overwrite", is_flag=True, help="Remove what an earlier run wrote there, and begin anew.")


def batch_size(default: int) -> Callable[[F], F]:
    """Make `--batch-size`; what fits in memory differs between stages, and so does the default."""
    return click.option(
        "--batch-size",
        metavar="N",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help="Images per pass of the model; halved when memory does not suffice.",
    )


precision = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="What the model computes in; bf16 is faster on GPUs and CPUs that have it, and rounds more.",
)
unit_size = click.option(
    "--unit-size", metavar="N", type=click.IntRange(1), default=32, show_default=True, help="Images per unit of work."
)
address = click.option(
    "--address", metavar="HOST:PORT", help="The Ray cluster.  [default: RAY_ADDRESS, or a new one on this machine]"
)
engine = combined(
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="auto",
        show_default=True,
        help="Run in this process, or on a Ray cluster; auto is ray when a cluster is named, by --address or "
        "RAY_ADDRESS, or --gpus-per-worker is given.",
    ),
    address,
)
workers = click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1),
    help="Units in flight here, or Ray processes, each with two.  [default: by the number of cores, or all that the "
    "cluster has room for]",
)
gpus_per_worker = click.option(
    "--gpus-per-worker",
    metavar="N",
    type=click.FloatRange(0),
    help="GPUs of each Ray process, such as 1, 0.5 or 0.  [default: 1 if the cluster has any]",
)
io_threads = click.option(
    "--io-threads",
    metavar="N",
    type=click.IntRange(1),
    help="Threads that read, decode and write.  [default: by the number of cores]",
)
max_failures = click.option(
    "--max-failures",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Exit with 3 when more inputs than this have failed.",
)
retry_failed = click.option(
    "--retry-failed", is_flag=True, help="Also try again the inputs that failed in an earlier session."
)
# How a run is worked on, which may change from one call to the next (`pipelines.session.Session`).
session = combined(
    device, engine, workers, gpus_per_worker, io_threads, max_failures, retry_failed, overwrite, storage_options
)
