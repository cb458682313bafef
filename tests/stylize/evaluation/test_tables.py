from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from stylize.errors import ConfigurationError
from stylize.evaluation.tables import Distribution, finite, publish_json, table


def test_a_distribution_is_numpys_to_within_a_step() -> None:
    values = np.random.default_rng(0).normal(20, 3, 5000)
    found = Distribution(0.01)
    for value in values:
        found.add(float(value))
    found.add(math.inf)
    found.add(math.nan)
    assert found.count == 5000
    assert found.mean == pytest.approx(values.mean(), abs=1e-9)
    for percent in (5, 50, 95):
        assert found.percentile(percent) == pytest.approx(np.percentile(values, percent), abs=0.02)
    assert found.as_dict()["min"] == pytest.approx(values.min(), rel=1e-5)
    assert len(found._bins) < 3000  # steps, not values


def test_an_empty_distribution_has_no_figures() -> None:
    assert set(Distribution(1).as_dict().values()) == {None}


def test_percentiles_stay_between_the_ends() -> None:
    found = Distribution(1)
    found.add(0.6)
    assert [found.percentile(p) for p in (0, 50, 100)] == [0.6, 0.6, 0.6]


def test_a_table_is_published_when_its_block_ends_well(tmp_path: Path) -> None:
    where = tmp_path / "new" / "rows.csv"
    with table(where, ("id", "a", "b"), None) as add:
        add({"id": "one, two", "a": 1 / 3, "b": 2})
        add({"id": "three", "a": math.nan, "b": 1})
        assert not where.exists()
    rows = list(csv.DictReader(where.read_text().splitlines()))
    assert rows == [{"id": "one, two", "a": "0.333333", "b": "2"}, {"id": "three", "a": "", "b": "1"}]


def test_a_table_whose_block_fails_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in fieldnames"), table(tmp_path / "rows.csv", ("id",), None) as add:
        add({"other": "one"})
    assert list(tmp_path.iterdir()) == []


def test_a_table_without_a_place_is_thrown_away(tmp_path: Path) -> None:
    with table(None, ("id",), None) as add:
        add({"id": "one"})


def test_results_hold_no_numbers_that_json_has_not(tmp_path: Path) -> None:
    publish_json(str(tmp_path / "a.json"), finite({"x": math.nan, "y": 0.12345678, "z": math.inf}), None)
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": None, "y": 0.123457, "z": None}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give the file a name"):
        publish_json(f"{tmp_path}/", {}, None)
