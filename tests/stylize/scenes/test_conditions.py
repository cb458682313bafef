"""Presets of light and weather, and their variations."""

from __future__ import annotations

import dataclasses

import pytest

from stylize.scenes import CONDITIONS, Condition


def test_presets() -> None:
    assert CONDITIONS == ("day", "dusk", "night", "fog", "rain", "snow")


@pytest.mark.parametrize("name", CONDITIONS)
def test_samples_vary_a_little_and_repeat(name: str) -> None:
    first, second = Condition.sample(name, 1), Condition.sample(name, 2)
    assert first.name == name
    assert first == Condition.sample(name, 1)
    assert first != second
    assert 0.7 < first.exposure / second.exposure < 1.4


@pytest.mark.parametrize("name", CONDITIONS)
def test_samples_are_plain_numbers_in_range(name: str) -> None:
    for seed in range(20):
        values = dataclasses.asdict(Condition.sample(name, seed))
        flat = [v for value in values.values() for v in (value if isinstance(value, tuple) else (value,))]
        assert {type(value) for value in flat} <= {float, int, str}
        for share in ("cloud_cover", "wetness", "snow", "windows"):
            assert 0 <= values[share] <= 1


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown condition 'hail'.*day, dusk, night"):
        Condition.sample("hail", 0)
