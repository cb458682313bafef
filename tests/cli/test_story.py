"""The real commands, one after the other, on a tiny model: what a user sees of a first afternoon."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.main import run


def pictures(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    for number in range(count):
        for part, channels in (("train", 3), ("trainannot", 1)):
            pixels = rng.integers(0, 11, (24, 32, channels), np.uint8)
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.squeeze()).save(folder / part / f"{number:03d}.png")
    return folder


def test_from_pictures_to_a_stylized_dataset(
    tmp_path: Path, tiny_model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = pictures(tmp_path / "data", 5)
    cache, out = str(tmp_path / "cache"), str(tmp_path / "out")
    invert = ["invert", str(data), cache, "--model", tiny_model, "--unit-size", "2"]

    assert run(invert) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{cache}: 5 images in 3 units, ")
    assert lines[-1] == f"next: stylize mix {cache} OUT"

    assert run(["mix", cache, out, "--seed", "7"]) == 0
    assert f"{out}: 5 images in 3 units, " in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "run.json").read_text())["configuration"]["seed"] == 7
    for label in sorted((data / "trainannot").iterdir()):
        assert (tmp_path / "out" / "trainannot" / label.name).read_bytes() == label.read_bytes()

    assert run(["status", out]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"mix in {out}: finished"
    assert run(["verify", out]) == 0
    assert ": all well (3 units, " in capsys.readouterr().out

    (tmp_path / "out" / "train" / "000.png").unlink()
    assert run(["verify", out]) == 1
    assert "missing: train/000.png" in capsys.readouterr().out
    assert run(["verify", out, "--repair"]) == 0
    assert ", repaired (" in capsys.readouterr().out
    assert run(["verify", out]) == 0


def test_a_cache_without_labels_is_for_exemplars(
    tmp_path: Path, tiny_model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = str(tmp_path / "dusk")
    assert run(["invert", str(pictures(tmp_path / "data", 2) / "train"), cache, "--model", tiny_model]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"next: stylize mix CACHE OUT --styles {cache} --weather 1"


def test_a_bad_picture_is_a_line_and_exit_code_3(
    tmp_path: Path, tiny_model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = pictures(tmp_path / "data", 3)
    (data / "train" / "001.png").write_bytes(b"")
    invert = ["invert", str(data), str(tmp_path / "cache"), "--model", tiny_model]
    assert run(invert) == 3
    out, err = capsys.readouterr()
    assert [line for line in err.splitlines() if line.startswith("failed: train/001: ")]
    assert "1 input failed (" in out
    assert run([*invert, "--max-failures", "1"]) == 0


def test_another_configuration_is_refused(tmp_path: Path, tiny_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = pictures(tmp_path / "data", 3)
    invert = ["invert", str(data), str(tmp_path / "cache"), "--model", tiny_model]
    assert run(invert) == 0
    capsys.readouterr()
    assert run([*invert, "--noise", "fp16"]) == 2
    assert 'noise is "int8" there and "fp16" here' in capsys.readouterr().err
    assert run([*invert, "--noise", "fp16", "--overwrite"]) == 0


def test_scenes_are_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "streets"
    args = ["--count", "1", "--size", "24x32", "--condition", "day", "--condition", "fog", "--seed", "3"]
    assert run(["scenes", str(folder), *args]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{folder}: 2 pictures of 1 scene, 24x32"
    with Image.open(folder / "train" / "scene00003_fog.png") as picture:
        assert picture.size == (32, 24)
    assert run(["scenes", "s3://bucket/streets"]) == 2
    assert "is a URL" in capsys.readouterr().err
