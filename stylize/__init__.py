"""Exemplar-based style synthesis for labelled street scenes: the library's face, loaded name by name on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.demo import demo
    from pipelines.evaluate_reconstruction import evaluate_reconstruction
    from pipelines.evaluate_segmentation import evaluate_segmentation
    from pipelines.evaluate_stylization import evaluate_stylization
    from pipelines.inspect import inspect
    from pipelines.invert import invert
    from pipelines.mix import mix
    from pipelines.proxy import proxy_build
    from pipelines.proxyrank import proxy_rank
    from pipelines.report import report
    from pipelines.status import status
    from pipelines.training import train_encoder, train_generator
    from pipelines.verify import verify
    from stylize.datasets.base import Dataset, Sample, open_dataset
    from stylize.datasets.doctor import diagnose
    from stylize.errors import BadInput, ConfigurationError, FatalError, StylizeError, TransientError
    from stylize.models.bundle import Bundle, load_bundle, load_generator
    from stylize.models.convert import convert
    from stylize.models.encoder import Codes
    from stylize.models.generator import Generator
    from stylize.readers import MixedDataset
    from stylize.relit import relight
    from stylize.snippets import snippet

__version__ = "0.1.0"

# Where each public name lives. Torch and Ray cost seconds to import: nothing is loaded until asked for (PEP 562).
# The names under `pipelines` are here so that `stylize.invert(...)` is the same call as the command `stylize invert`.
_HOMES = {
    "BadInput": "stylize.errors",
    "Bundle": "stylize.models.bundle",
    "Codes": "stylize.models.encoder",
    "ConfigurationError": "stylize.errors",
    "Dataset": "stylize.datasets.base",
    "FatalError": "stylize.errors",
    "Generator": "stylize.models.generator",
    "MixedDataset": "stylize.readers",
    "Sample": "stylize.datasets.base",
    "StylizeError": "stylize.errors",
    "TransientError": "stylize.errors",
    "convert": "stylize.models.convert",
    "demo": "pipelines.demo",
    "diagnose": "stylize.datasets.doctor",
    "evaluate_reconstruction": "pipelines.evaluate_reconstruction",
    "evaluate_segmentation": "pipelines.evaluate_segmentation",
    "evaluate_stylization": "pipelines.evaluate_stylization",
    "inspect": "pipelines.inspect",
    "invert": "pipelines.invert",
    "load_bundle": "stylize.models.bundle",
    "load_generator": "stylize.models.bundle",
    "mix": "pipelines.mix",
    "open_dataset": "stylize.datasets.base",
    "proxy_build": "pipelines.proxy",
    "proxy_rank": "pipelines.proxyrank",
    "relight": "stylize.relit",
    "report": "pipelines.report",
    "snippet": "stylize.snippets",
    "status": "pipelines.status",
    "train_encoder": "pipelines.training",
    "train_generator": "pipelines.training",
    "verify": "pipelines.verify",
}

__all__ = [
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


def __getattr__(name: str) -> Any:
    """Load the public name `name` from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stylize' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names beside what is already loaded."""
    return sorted({*globals(), *__all__})
