"""The lines of `stylize inspect`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.inspect import histogram
from cli.main import group
from pipelines.invert import invert
from stylize.models.bundle import Bundle
from tests.pipelines.conftest import ENCODER, GENERATOR
from tests.pipelines.helpers import write_dataset


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("inspected")
    (root / "tiny.safetensors").write_bytes(Bundle.create(GENERATOR, ENCODER, seed=1).to_bytes())
    data = write_dataset(root / "data", ["a", "b", "c"])
    (data / "train/c.png").write_bytes(b"")
    invert(data, root / "cache", model=root / "tiny.safetensors", device="cpu")
    return root / "cache"


def lines(*args: str) -> str:
    result = CliRunner().invoke(group, ["inspect", *args], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_overview(cache: Path) -> None:
    text = lines(str(cache))
    for expected in (
        "cache: finished",
        "2 of 3 in 1 unit,",
        "layout camvid",
        "pictures of 32 x 24",
        "two noise maps of 8 x 6 x 8 as int8",
        "failed    1: `stylize status",
        "dB on average",
        "####",
        "train/a",
    ):
        assert expected in text


def test_a_row(cache: Path, tmp_path: Path) -> None:
    text = lines(str(cache), "train/a", "--output", str(tmp_path / "a.png"), "--export", str(tmp_path / "a.npz"))
    for expected in (
        "train/a.png, 40 x 30, sha256 ",
        "labels    trainannot/a.png",
        "split     train; key a",
        "a.png\n",
    ):
        assert expected in text
    assert f"picture: {tmp_path / 'a.png'}" in text
    assert f"export: {tmp_path / 'a.npz'}, 1 picture" in text


def test_a_histogram_has_few_lines_and_all_values() -> None:
    bars = histogram({10.0 + number / 10: 2.0 for number in range(300)})
    assert len(bars) <= 12
    assert sum(int(bar.split()[1]) for bar in bars) == 600
    assert histogram({20.5: 1.0, 22.0: 4.0}) == [
        " 20-21        1  " + 10 * "#",
        " 21-22        0",
        " 22-23        4  " + 40 * "#",
    ]
