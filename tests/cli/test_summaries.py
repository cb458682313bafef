"""The closing lines of a run say what was written, how it went and what to do next."""

from __future__ import annotations

from typing import Any

import pytest

from cli import summaries
from pipelines.summary import Summary


def summary(**changes: Any) -> Summary:
    usual: dict[str, Any] = {
        "kind": "invert",
        "url": "/data/cache",
        "units": 13,
        "rows": 406,
        "bytes": 61_234_567,
        "failed": 0,
        "failures": (),
        "causes": {},
        "seconds": {"decode": 2.0, "model": 6.0, "write": 0.0},
        "figures": {},
        "elapsed": 34.2,
    }
    return Summary(**{**usual, **changes})


def test_a_good_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert summaries.show_run(summary(), ["24.6 dB"], then="stylize mix /data/cache OUT") == 0
    assert capsys.readouterr().out.splitlines() == [
        "/data/cache: 406 images in 13 units, 61.2 MB",
        "  24.6 dB",
        "  34 s in this session; the work of all: model 75 %, decode 25 %, write 0 %",
        "next: stylize mix /data/cache OUT",
    ]


def test_a_run_with_too_many_failures_names_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    bad = summary(failed=3, causes={"truncated": 2, "empty": 1}, rows=403)
    assert summaries.show_run(bad, [], then="x") == 3
    assert (
        "  3 inputs failed (2 truncated, 1 empty); mend them and add --retry-failed, or allow them with --max-failures"
        in capsys.readouterr().out.splitlines()
    )


def test_allowed_failures_are_told_without_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert summaries.show_run(summary(failed=1, causes={"empty": 1}, max_failures=1), [], then="x") == 0
    assert "  1 input failed (1 empty)" in capsys.readouterr().out.splitlines()


def test_a_session_without_work_has_no_times(capsys: pytest.CaptureFixture[str]) -> None:
    summaries.show_run(summary(skipped=13), [], then="x")
    assert "session" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (61_234_567, "61.2 MB"), (25e12, "25.0 TB")]
)
def test_sizes(number: float, text: str) -> None:
    assert summaries.size(number) == text
