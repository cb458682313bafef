"""`stylize status` says where a run stands in words."""

from __future__ import annotations

from typing import Any

import pytest

from cli.status import describe
from pipelines.status import Status
from pipelines.summary import Summary
from pipelines.units import Failure

FAILURE = Failure(id="val/a", kind="bad-input", reason="truncated: no end")


def status(*, failed: bool = False, units: int = 2, **changes: Any) -> Status:
    failures = (FAILURE,) if failed else ()
    done = Summary(
        kind="invert",
        url="/cache",
        units=units,
        rows=31 * units,
        bytes=2_000_000,
        failed=len(failures),
        failures=failures,
        causes={"truncated": 1} if failed else {},
        seconds={},
        figures={},
    )
    usual: dict[str, Any] = {
        "kind": "invert",
        "url": "/cache",
        "total_units": 13,
        "inputs": 406,
        "finished": False,
        "done": done,
        "rate": 12.5,
        "remaining": 27.5,
        "silent": 3.0,
        "active": True,
    }
    return Status(**{**usual, **changes})


def test_a_run_at_work() -> None:
    assert describe(status()) == [
        "invert in /cache: running, last unit 3.0 s ago",
        "  62 of 406 images in 2 of 13 units, 2.0 MB",
        "  12.5 images/s lately, 28 s left at that rate",
    ]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"finished": True, "active": False}, "finished"),
        ({"units": 0, "rate": 0.0, "silent": 0.0}, "running, no unit yet"),
        ({"active": False, "silent": 700.0}, "stands still since 11 min 40 s; the same command again goes on"),
        ({"active": False, "units": 0, "rate": 0.0}, "stands still, no unit yet; the same command again goes on"),
    ],
)
def test_states(changes: dict[str, Any], state: str) -> None:
    assert describe(status(**changes))[0] == f"invert in /cache: {state}"


def test_failures_are_named() -> None:
    assert describe(status(failed=True))[-2:] == [
        "  1 input failed (1 truncated); mend them and add --retry-failed, or allow them with --max-failures",
        "  failed: val/a: truncated: no end",
    ]
