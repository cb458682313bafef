from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stylize.models.perceptual import efficientnet_weights
from tests.stylize.test_regions import street

pytestmark = pytest.mark.skipif(efficientnet_weights() is None, reason="needs stylize[train]")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, sky in enumerate([(250, 250, 250), (20, 18, 25)]):
        Image.fromarray(street(sky)[0]).save(folder / f"{index}.png")
    return folder


class Stub(torch.nn.Module):
    """Calls everything above the middle `above`, the rest `below`, as a network with 11 classes."""

    def __init__(self, above: int, below: int) -> None:
        super().__init__()
        self.above, self.below = above, below

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        height, width = (side // 4 for side in images_BCHW.shape[2:])
        scores_BCHW = torch.zeros(len(images_BCHW), 11, height, width)
        scores_BCHW[:, self.above, : height // 2] = 1
        scores_BCHW[:, self.below, height // 2 :] = 1
        return scores_BCHW


def test_plain_sky_and_ground_are_counted_where_they_are(pictures: Path) -> None:
    from unlabelled import load, recognised

    frames = load(str(pictures), 96)
    assert all(frame.plain_PHW[0].mean() > 0.05 and frame.plain_PHW[1].mean() > 0.2 for frame in frames)
    sky, ground, other = recognised(Stub(0, 3), frames, [(0, [0]), (1, [3, 4]), (1, [8])])
    assert sky > 0.95
    assert ground > 0.85
    assert other == 0
    assert recognised(Stub(1, 0), frames, [(1, [3, 4])])[0] < 0.15


def test_a_work_folder_without_networks_is_named(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import unlabelled

    monkeypatch.setattr("sys.argv", ["unlabelled.py", str(tmp_path), str(pictures)])
    with pytest.raises(SystemExit):
        unlabelled.main()
    assert "domain_generalization.py first" in capsys.readouterr().err


def test_a_table_of_all_networks_is_printed_and_kept(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import unlabelled
    from segmentation.network import SegmentationNetwork

    place = tmp_path / "models" / "source-0" / "network.pt"
    place.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(SegmentationNetwork(11).state_dict(), place)
    out = tmp_path / "found.json"
    monkeypatch.setattr(
        "sys.argv", ["unlabelled.py", str(tmp_path), str(pictures), "--height", "96", "--json", str(out)]
    )
    unlabelled.main()
    printed = capsys.readouterr().out
    assert "| source-0 |" in printed
    assert out.with_suffix(".md").read_text() == printed
    assert np.isfinite(np.array(list(json.loads(out.read_text()).values()))).all()
