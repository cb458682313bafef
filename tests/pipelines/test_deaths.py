"""A unit's third death gives it up; errors that no retry mends stop the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.deaths import Deaths, one_line
from pipelines.units import Outcome, Unit
from stylize.errors import ConfigurationError, FatalError, TransientError
from stylize.storage import Storage
from tests.pipelines.helpers import CountingSpec

ERROR = TransientError("the storage said 503")


@pytest.fixture
def deaths(tmp_path: Path) -> Deaths:
    return Deaths(CountingSpec(Storage(tmp_path), "r", {}), first_wait=1.0)


def test_waits_grow_and_the_third_death_gives_up_with_the_inputs_named(deaths: Deaths) -> None:
    unit = Unit(index=7)
    for count in (1, 2):
        verdict = deaths.died(unit, ERROR)
        assert not isinstance(verdict, Outcome)
        assert verdict[0] == count
        assert 2 ** (count - 1) <= verdict[1] <= 1.5 * 2 ** (count - 1)
    outcome = deaths.died(unit, ERROR)
    assert isinstance(outcome, Outcome)
    assert outcome.poisoned
    assert [failure.id for failure in outcome.failures] == ["7a", "7b"]
    assert "503" in outcome.failures[0].reason
    assert outcome.failures[0].cause == "unit died 3 times"


def test_units_die_apart_and_success_clears_the_slate(deaths: Deaths) -> None:
    for index in range(20):
        assert not isinstance(deaths.died(Unit(index=index), ERROR), Outcome)
        assert not isinstance(deaths.died(Unit(index=index), ERROR), Outcome)
    deaths.survived(Unit(index=3))
    assert deaths.died(Unit(index=3), ERROR)[0] == 1  # type: ignore[index]


def test_many_units_given_up_in_a_row_stop_the_run(deaths: Deaths) -> None:
    def give_up(index: int) -> object:
        return [deaths.died(Unit(index=index), ERROR) for _ in range(3)][-1]

    assert all(isinstance(give_up(index), Outcome) for index in range(4))
    deaths.survived(Unit(index=99))
    assert all(isinstance(give_up(index), Outcome) for index in range(10, 14))
    with pytest.raises(FatalError, match="5 units in a row"):
        give_up(14)


@pytest.mark.parametrize("error", [FatalError("disk full"), ConfigurationError("wrong")])
def test_what_no_retry_mends_is_raised_at_once(deaths: Deaths, error: Exception) -> None:
    with pytest.raises(type(error)):
        deaths.died(Unit(index=1), error)


def test_one_line_names_the_type_and_stays_short() -> None:
    assert one_line(ValueError("a\n b")) == "ValueError: a b"
    assert one_line(ValueError()) == "ValueError: no message"
    assert len(one_line(ValueError("x" * 1000))) == 300
