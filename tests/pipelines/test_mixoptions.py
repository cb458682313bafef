"""The options of a mix: what is refused before anything is read, and what run.json says of them."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from typing import Any

import pytest

from pipelines.mix import mix
from pipelines.mixoptions import TAKEN, MixOptions, added, taken
from stylize.errors import ConfigurationError
from stylize.strength import parse_strength

NAMES = {field.name for field in fields(MixOptions)}


def options(**given: Any) -> MixOptions:
    """The options of `mix` with its defaults."""
    defaults = {name: p.default for name, p in inspect.signature(mix).parameters.items() if name in NAMES}
    chosen = defaults | taken(0.0, **dict.fromkeys(TAKEN)) | given
    return MixOptions(**chosen | {"strength": parse_strength(chosen["strength"])})


def test_every_option_is_an_argument_of_mix() -> None:
    assert set(inspect.signature(mix).parameters) >= NAMES


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"per_image": 0}, "the number of copies per image must be at least 1, not 0"),
        ({"batch_size": 0}, "the batch size must be at least 1, not 0"),
        ({"limit": 0}, "the limit must be at least 1, not 0"),
        ({"grain": 1.5}, "the grain is between 0 .* not 1.5"),
        ({"haze": -0.1}, "the haze is between 0 .* not -0.1"),
        ({"min_content_score": 2}, "the least content score is between 0 .* not 2"),
        ({"size": "huge"}, "size is source or model, not 'huge'"),
        ({"format": "zip"}, "format is tree, webdataset, parquet, not 'zip'"),
        ({"method": "magic"}, "method 'magic' is unknown: choose one of stylization"),
        ({"method": "fda", "layers": "0-3"}, "layers means nothing to the method fda"),
        ({"method": "fda", "size": "model"}, "size model means nothing to the method fda"),
        ({"method": "fda", "batch_size": 4}, "a batch size means nothing to the method fda"),
        ({"method": "fda", "precision": "bf16"}, "a precision means nothing to the method fda"),
        ({"method": "fda", "strength": "0.5-1.2"}, "only stylization goes beyond, not 0.5-1.2"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        options(**given)


def test_each_part_of_the_weather_is_as_much_as_all_or_what_it_was_given() -> None:
    assert taken(0.5, haze=None, cover=0.0, blur=None, grain=1.0) == {
        "haze": 0.5,
        "cover": 0.0,
        "blur": 0.5,
        "grain": 1.0,
    }
    with pytest.raises(ConfigurationError, match=r"the weather is between 0 .* not 1.5"):
        taken(1.5, **dict.fromkeys(TAKEN, 1.0))


def test_a_report_says_in_short_what_was_done_after_the_colours() -> None:
    assert added({"haze": 1.0, "grain": 0.5, "blur": 0.0}) == [("haze", 1.0), ("grain", 0.5)]
    assert added({**dict.fromkeys(TAKEN, 0.5), "uneven": 0.1}) == [("weather", 0.5), ("uneven", 0.1)]
    assert added(dict.fromkeys(TAKEN, 0.0)) == added({}) == []


def test_run_json_holds_one_spelling_of_equal_options() -> None:
    spelled = options(strength="0.5", grain=1, haze=0, min_content_score=0, layers="3,0-2")
    other = options(strength=0.5, grain=1.0, haze=0.0, min_content_score=0.0, layers="0-3")
    assert json.dumps(spelled.configuration(10)) == json.dumps(other.configuration(10))
    assert spelled.configuration(10)["strength"] == 0.5
    assert spelled.configuration(10)["layers"] == (0, 1, 2, 3)
    assert options(strength="0.5-1").configuration(10)["strength"] == (0.5, 1.0)


def test_a_baseline_computes_in_no_precision_and_a_batch_size_is_no_part_of_a_run() -> None:
    assert options().configuration(10)["precision"] == "fp32"
    assert options(method="fda").configuration(10)["precision"] is None
    assert options(batch_size=3).configuration(10) == options().configuration(10)


def test_without_a_guard_the_plan_keeps_no_exemplars_in_reserve() -> None:
    assert options(min_content_score=0).plan.reserve == 0
    assert options(min_content_score=0.5).plan.reserve > 0
