"""Scores that were measured elsewhere: a JSON file or object, or a CSV file, of models and targets."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping
from typing import Any

from stylize.errors import BadInput, ConfigurationError
from stylize.evaluation.tables import file_at
from stylize.ranking import Scores, known

Table = str | os.PathLike[str] | Mapping[str, Any]


def read_scores(
    table: Table, kind: str, models: tuple[str, ...], storage_options: Mapping[str, Any] | None
) -> dict[str, Scores]:
    """Return scores by target ("" for the only one, unnamed), of these models; a table may know further ones.

    When any value exceeds 1 all are percent and are divided by 100. Raises ConfigurationError for what is no table of
    numbers, or when a model has no score.
    """
    where = "the table" if isinstance(table, Mapping) else os.fspath(table)
    rows = table if isinstance(table, Mapping) else _read(table, storage_options)
    try:
        by_target = _by_target(rows)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{kind} scores in {where}: {error}") from error
    values = [value for scores in by_target.values() for value in scores.values()]
    unit = 100 if max(values) > 1 else 1
    found = {}
    for target, scores in by_target.items():
        if missing := [model for model in models if model not in scores]:
            of = f" of {target}" if target else ""
            raise ConfigurationError(f"{where} has no {kind} score{of} for the model {missing[0]!r}: add it")
        found[target] = known({model: scores[model] / unit for model in models})
    return found


def _read(where: str | os.PathLike[str], storage_options: Mapping[str, Any] | None) -> Mapping[str, Any]:
    storage, name = file_at(where, storage_options)
    try:
        if not name.lower().endswith(".csv"):
            rows = storage.read_json(name)
            return rows if isinstance(rows, Mapping) else {}
        lines = csv.DictReader(io.StringIO(storage.read_text(name)))
        if not lines.fieldnames or lines.fieldnames[0] != "model":
            raise ConfigurationError(f"{where}: the first column must be `model`, the others are targets")
        return {line.pop("model"): line for line in lines}
    except BadInput as error:
        raise ConfigurationError(error.reason) from error


def _by_target(rows: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Turn model -> score, or model -> target -> score, into target -> model -> score."""
    found: dict[str, dict[str, float]] = {}
    for model, entry in rows.items():
        scores = entry if isinstance(entry, Mapping) else {"": entry}
        for target, value in scores.items():
            number = float(value)
            if not math.isfinite(number) or number < 0 or number > 100:
                raise ValueError(f"{value!r} of {model} is no mean IoU")
            found.setdefault(str(target), {})[str(model)] = number
    if not found:
        raise ValueError('write {"model": 0.42, ...}, {"model": {"fog": 0.42, ...}, ...} or CSV')
    return found
