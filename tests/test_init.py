"""The public face of the library: a closed list of names, each of which loads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import stylize

PUBLIC = [
    "BadInput",
    "Bundle",
    "Codes",
    "ConfigurationError",
    "Dataset",
    "FatalError",
    "Generator",
    "MixedDataset",
    "Sample",
    "StylizeError",
    "TransientError",
    "__version__",
    "convert",
    "demo",
    "diagnose",
    "evaluate_reconstruction",
    "evaluate_segmentation",
    "evaluate_stylization",
    "inspect",
    "invert",
    "load_bundle",
    "load_generator",
    "mix",
    "open_dataset",
    "proxy_build",
    "proxy_rank",
    "relight",
    "report",
    "snippet",
    "status",
    "train_encoder",
    "train_generator",
    "verify",
]


def test_all_is_the_agreed_list() -> None:
    assert stylize.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_loads(name: str) -> None:
    assert getattr(stylize, name) is not None
    assert name in dir(stylize)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'inverse'"):
        _ = stylize.inverse


def test_type_checkers_see_the_same_homes() -> None:
    tree = ast.parse(Path(stylize.__file__).read_text("utf-8"))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == stylize._HOMES
