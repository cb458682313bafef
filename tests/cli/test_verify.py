"""`stylize verify` lists what is wrong and says what mends it."""

from __future__ import annotations

from typing import Any

import pytest

from cli import verify as cli_verify
from cli.main import run
from pipelines import verify as pipeline
from pipelines.verify import Finding, Verdict

FINDING = Finding(path="shards/00003.parquet", problem="corrupt", detail="sha256 differs", unit=3)


def answer(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []
    usual: dict[str, Any] = {"url": "/cache", "units": 13, "files": 26, "bytes": 61_200_000, "findings": ()}

    def verify(run: str, **given: Any) -> Verdict:
        asked.append({"run": run, **given})
        return Verdict(**{**usual, **changes})

    monkeypatch.setattr(pipeline, "verify", verify)
    return asked


def test_a_whole_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = answer(monkeypatch)
    assert run(["verify", "/cache"]) == 0
    assert capsys.readouterr().out == "/cache: all well (13 units, 26 files, 61.2 MB compared)\n"
    assert asked[0]["run"] == "/cache"
    assert asked[0]["repair"] is False


def test_a_damaged_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer(monkeypatch, findings=(FINDING,))
    assert run(["verify", "/cache"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "corrupt: shards/00003.parquet: sha256 differs",
        "/cache: 1 problem (13 units, 26 files, 61.2 MB compared)",
        "next: stylize verify /cache --repair",
    ]


def test_a_long_list_is_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli_verify, "SHOWN", 2)
    answer(monkeypatch, findings=(FINDING,) * 5)
    assert run(["verify", "/cache"]) == 1
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "corrupt: shards/00003.parquet: sha256 differs",
        "... and 3 more",
    ]
