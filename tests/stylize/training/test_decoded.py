from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stylize.datasets.base import open_dataset
from stylize.errors import FatalError
from stylize.images import decode_rgb, from_model, to_model
from stylize.training import decoded as module
from stylize.training.decoded import Located, decoded, user_folder
from stylize.training.team import ALONE, Team

SIZE = (10, 12)


@pytest.fixture
def data(tmp_path: Path, write_pictures: Callable[..., Path]) -> Path:
    return write_pictures(tmp_path / "data", count=5)


def located(folder: Path) -> list[Located]:
    dataset = open_dataset(folder)
    return [(dataset, sample) for sample in dataset.samples]


def test_pictures_are_those_of_the_dataset(data: Path, tmp_path: Path) -> None:
    pictures, bad = decoded(located(data), SIZE, tmp_path / "kept", team=ALONE)
    expected = [from_model(to_model(decode_rgb(f.read_bytes()), *SIZE)) for f in sorted(data.iterdir())]
    assert bad == ()
    assert pictures.dtype == torch.uint8
    assert torch.equal(pictures, torch.stack([torch.from_numpy(rgb).permute(2, 0, 1) for rgb in expected]))


def test_they_are_decoded_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "frame002.png").write_bytes(b"")
    calls: list[int] = []

    def count(done: int, total: int) -> None:
        calls.append(done)

    first, bad = decoded(located(data), SIZE, tmp_path / "kept", team=ALONE, on_picture=count)
    listed = located(data)
    for file in data.iterdir():
        file.write_bytes(b"nobody reads me")
    again, still = decoded(listed, SIZE, tmp_path / "kept", team=ALONE, on_picture=count)
    assert torch.equal(first, again)
    assert bad == still == (("frame002", bad[0][1]),)
    assert len(calls) == 5


def test_another_size_or_list_is_decoded_anew(data: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    decoded(located(data), SIZE, kept, team=ALONE)
    assert decoded(located(data), (8, 8), kept, team=ALONE)[0].shape == (5, 3, 8, 8)
    assert decoded(located(data)[1:], SIZE, kept, team=ALONE)[0].shape == (4, 3, *SIZE)
    assert len(list(kept.glob("*.json"))) == 3


def test_a_killed_attempt_leaves_nothing_that_counts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decoded(located(data), SIZE, tmp_path / "kept", team=ALONE, on_picture=kill)
    pictures, _ = decoded(located(data), SIZE, tmp_path / "kept", team=ALONE)
    assert len(pictures) == 5
    assert sorted(f.suffix for f in (tmp_path / "kept").iterdir()) == [".json", ".pixels"]


def test_the_others_on_a_machine_wait_for_the_first(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Second(Team):
        rank = local_rank = 1

    def first_comes(_: float) -> None:
        decoded(located(data), SIZE, tmp_path / "kept", team=ALONE)

    monkeypatch.setattr(module.time, "sleep", first_comes)
    pictures, _ = decoded(located(data), SIZE, tmp_path / "kept", team=Second(2))
    assert len(pictures) == 5


def test_few_pictures_are_decoded_ahead(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AHEAD", 2)
    read = module._read
    seen: list[int] = []
    monkeypatch.setattr(module, "_read", lambda size, one: (seen.append(1), read(size, one))[1])
    ahead = [len(seen) for _ in module._read_all(located(data), SIZE)]
    assert ahead == [2, 2, 4, 4, 5] or max(n - i for i, n in enumerate(ahead)) <= 2


def test_nothing_readable_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(b"no picture")
    with pytest.raises(FatalError, match=r"none of 1 pictures .* is readable .a: .*doctor"):
        decoded(located(tmp_path / "data"), SIZE, tmp_path / "kept", team=ALONE)
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("damage", ["file in the way", "half a file", "no json"])
def test_a_folder_that_cannot_be_used_is_named_with_the_remedy(data: Path, tmp_path: Path, damage: str) -> None:
    kept = tmp_path / "kept"
    if damage == "file in the way":
        kept.write_text("")
    else:
        decoded(located(data), SIZE, kept, team=ALONE)
        (pixels,), (listing,) = kept.glob("*.pixels"), kept.glob("*.json")
        if damage == "half a file":
            shutil.copy(listing, pixels)
        else:
            listing.write_text(json.dumps({}))
    with pytest.raises(FatalError, match=r"cannot keep decoded pictures in .*kept .*--picture-cache"):
        decoded(located(data), SIZE, kept, team=ALONE)


def test_a_user_has_a_folder_for_runs_at_urls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "stylize" / "pictures"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_folder() == tmp_path / "home" / ".cache" / "stylize" / "pictures"
