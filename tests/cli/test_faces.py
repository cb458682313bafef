"""Each command is a thin face over one function: its options are the function's arguments, with the same defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click
import pytest

from tests.cli.commands import COMMANDS

# command -> (module, function, arguments that only Python code can give)
FACES = {
    "invert": ("pipelines.invert", "invert", {"on_event"}),
    "mix": ("pipelines.mix", "mix", {"on_event"}),
    "evaluate reconstruction": ("pipelines.evaluate_reconstruction", "evaluate_reconstruction", {"on_event"}),
    "evaluate stylization": ("pipelines.evaluate_stylization", "evaluate_stylization", {"on_event"}),
    "evaluate segmentation": ("pipelines.evaluate_segmentation", "evaluate_segmentation", {"on_event"}),
    "proxy build": ("pipelines.proxy", "proxy_build", {"on_event"}),
    "proxy rank": ("pipelines.proxyrank", "proxy_rank", {"on_event"}),
    "status": ("pipelines.status", "status", set()),
    "verify": ("pipelines.verify", "verify", {"engine", "on_event"}),
    "scenes": ("stylize.scenes", "write_dataset", set()),
    "train-encoder": ("pipelines.training", "train_encoder", {"on_event", "training"}),
    "train-generator": ("pipelines.training", "train_generator", {"on_event", "training"}),
    "demo": ("pipelines.demo", "demo", {"on_event"}),
    "report": ("pipelines.report", "report", set()),
    "inspect": ("pipelines.inspect", "inspect", set()),
    "snippet": ("stylize.snippets", "snippet", set()),
    "convert": ("stylize.models.convert", "convert", set()),
    "relight": ("stylize.relit", "relight", {"progress"}),
    "doctor": ("stylize.datasets.doctor", "diagnose", {"progress"}),
}
# Arguments of another name or kind on the command line.
RENAMED = {
    "scenes": {"out": "target", "size": None},
    "demo": {"size": None},
    # These are fields of the training configuration.
    "train-generator": dict.fromkeys(("preset", "images", "batch_size", "lr", "r1", "path_length", "seed", "size"))
    | dict.fromkeys(("style_mixing", "ema_images", "ada_target", "ada_images", "precision", "frechet_pictures")),
    "train-encoder": dict.fromkeys(
        ("preset", "images", "batch_size", "lr", "seed", "noise_downscale", "generator_kind")
    )
    | dict.fromkeys(("mask_ratio", "mask_patch", "mask_replacement")),
    # These open the dataset, or say how to print.
    "doctor": dict.fromkeys(("layout", "split", "storage_options", "as_json")),
}
MADE_HERE = {"demo": {"height", "width"}, "scenes": {"height", "width"}}
# A default that the command line spells out although the function leaves it open.
SPELLED = {("invert", "model"), *((name, "workers") for name in COMMANDS), ("scenes", "count")}


def function(name: str) -> Callable[..., Any]:
    module, attribute, _ = FACES[name]
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


def params(name: str) -> list[click.Parameter]:
    return [param for param in COMMANDS[name].params if param.expose_value]


def test_every_command_has_its_function() -> None:
    assert sorted(FACES) == sorted(COMMANDS)


@pytest.mark.parametrize("name", list(FACES))
def test_options_are_the_arguments(name: str) -> None:
    renamed = RENAMED.get(name, {})
    given = {renamed.get(str(p.name), p.name) for p in params(name)} - {None}
    given |= MADE_HERE.get(name, set()) | FACES[name][2]
    assert given == set(inspect.signature(function(name)).parameters)


@pytest.mark.parametrize("name", list(FACES))
def test_defaults_agree(name: str) -> None:
    arguments = inspect.signature(function(name)).parameters
    for param in params(name):
        argument = arguments.get(str(param.name))
        default = param.to_info_dict().get("default")
        if argument is None or isinstance(param, click.Argument) or (name, param.name) in SPELLED:
            continue
        if param.required and argument.default is inspect.Parameter.empty:
            continue
        assert default == argument.default or (default is None and argument.default is None), param.name
