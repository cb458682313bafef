"""The engine that a command's `--engine` and `--workers` ask for."""

from __future__ import annotations

import os

from pipelines.engine_local import LocalEngine
from pipelines.units import Engine
from stylize.errors import ConfigurationError

ENGINES = ("auto", "local")


def make_engine(name: str = "auto", *, workers: int | None = None) -> Engine:
    """Return the engine of a name in `ENGINES`; `workers` is the number of units in flight (default: one per core,
    2 to 8, since a unit computes on one thread and the memory for its pictures counts as often).
    """
    if name not in ENGINES:
        raise ConfigurationError(f"engine {name!r} is unknown: choose one of {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise ConfigurationError(f"workers must be at least 1, not {workers}")
    return LocalEngine(workers=workers or max(2, min(8, os.cpu_count() or 1)))
