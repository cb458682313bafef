"""`stylize doctor` shows what a dataset holds and every problem with its remedy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.main import run


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for number in range(3):
        for part, shape in (("train", (40, 48, 3)), ("trainannot", (40, 48))):
            (tmp_path / part).mkdir(exist_ok=True)
            Image.fromarray(np.full(shape, number, np.uint8)).save(tmp_path / part / f"{number}.png")
    (tmp_path / "classes.json").write_text(json.dumps({"classes": ["sky", "road", "car"], "ignore_index": 11}))
    return tmp_path


def test_a_good_dataset(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", str(dataset)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{dataset}: 3 images"
    assert "  splits: train (3)" in lines
    assert "  sizes: 48x40 (3)" in lines
    assert any(line.split() == ["1", "road", "33.3", "%", "##########"] for line in lines)
    assert lines[-1] == f"all well; next: stylize invert {dataset} CACHE"


def test_errors_are_named_and_exit_with_1(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset / "train" / "1.png").write_bytes(b"")
    assert run(["doctor", str(dataset)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("error: pictures cannot be read: 1 (train/1.png: ") for line in lines)
    assert not any(line.startswith("all well") for line in lines)


def test_json_is_the_whole_diagnosis(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", str(dataset), "--json", "--limit", "2"]) == 0
    diagnosis = json.loads(capsys.readouterr().out)
    assert (diagnosis["images"], diagnosis["checked"], diagnosis["healthy"]) == (3, 2, True)
