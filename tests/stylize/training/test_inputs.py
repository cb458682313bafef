from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stylize.errors import ConfigurationError
from stylize.storage import Storage
from stylize.training.inputs import find_inputs, picture_folder


@pytest.fixture
def data(tmp_path: Path, write_pictures: Callable[..., Path]) -> str:
    return str(write_pictures(tmp_path / "data", count=8))


def test_held_out_pictures_are_not_trained_on(data: str) -> None:
    inputs = find_inputs(data, holdout="*frame00[25]")
    assert [s.id for s in inputs.heldout] == ["frame002", "frame005"]
    assert [s.id for s in inputs.train] == [f"frame00{i}" for i in (0, 1, 3, 4, 6, 7)]


def test_the_limit_counts_training_pictures_only(data: str) -> None:
    inputs = find_inputs(data, holdout="frame000", limit=2)
    assert [s.id for s in inputs.train] == ["frame001", "frame002"]
    assert len(inputs.heldout) == 1


def test_the_hash_follows_the_list(data: str) -> None:
    whole, same, fewer = find_inputs(data), find_inputs(data), find_inputs(data, limit=7)
    assert whole.sha256 == same.sha256 != fewer.sha256


def test_patterns_heed_case(data: str) -> None:
    with pytest.raises(ConfigurationError, match="matches no picture id"):
        find_inputs(data, holdout="FRAME*")


def test_further_datasets_are_trained_on_whole(data: str, tmp_path: Path, write_pictures: Callable[..., Path]) -> None:
    more = str(write_pictures(tmp_path / "more", count=3))
    inputs = find_inputs(data, holdout="frame000", limit=2, extra=[more])
    assert [sample.id for _, sample in inputs.training] == ["frame001", "frame002", "frame000", "frame001", "frame002"]
    assert [dataset.storage.url for dataset, _ in inputs.training] == [inputs.dataset.storage.url] * 2 + [
        inputs.extra[0].storage.url
    ] * 3
    assert inputs.sha256 != find_inputs(data, holdout="frame000", limit=2).sha256


def test_decoded_pictures_lie_beside_a_run_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert picture_folder(Storage(tmp_path / "run"), None) == tmp_path / "run" / "pictures"
    assert picture_folder(Storage("memory://run"), None) == tmp_path / "cache" / "stylize" / "pictures"
    assert picture_folder(Storage("memory://run"), tmp_path / "kept") == tmp_path / "kept"
