from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from stylize.datasets.base import Dataset, open_dataset
from stylize.images import decode_rgb, to_model
from stylize.training.decoded import Located
from stylize.training.pictures import TrainingPictures, step_rng


def test_every_epoch_shows_every_picture_once(pictures: TrainingPictures) -> None:
    seen = [index for step in range(18) for index in pictures.draw(step, 4, seed=0)]
    epochs = [sorted(seen[i : i + 9]) for i in range(0, 72, 9)]
    assert epochs == [list(range(9))] * 8
    assert seen[:9] != seen[9:18]


def test_a_draw_depends_on_seed_and_step_alone(pictures: TrainingPictures) -> None:
    assert pictures.draw(7, 4, seed=0) == pictures.draw(7, 4, seed=0)
    assert [pictures.draw(s, 4, seed=0) for s in range(4)] != [pictures.draw(s, 4, seed=1) for s in range(4)]


def test_a_batch_may_be_larger_than_the_dataset(pictures: TrainingPictures) -> None:
    drawn = pictures.draw(0, 25, seed=0)
    assert len(drawn) == 25
    assert set(drawn) == set(range(9))


def test_crops_have_the_size_and_range_of_the_model(pictures: TrainingPictures) -> None:
    crops = pictures.crop(range(9), step_rng(0, 0, "test"), 0.5)
    assert crops.shape == (9, 3, 16, 16)
    assert crops.min() >= -1
    assert crops.max() <= 1


def test_a_crop_of_everything_is_the_picture_or_its_mirror_image(pictures: TrainingPictures) -> None:
    indices = [0] * 40
    crops = pictures.crop(indices, step_rng(0, 0, "test"), 1.0)
    straight = (crops == crops[0]).flatten(1).all(dim=1)
    mirrored = (crops - crops[0].flip(-1)).abs().flatten(1).amax(dim=1) < 1e-5
    assert (straight | mirrored).all()
    assert 10 < straight.sum() < 30


def located(dataset: Dataset) -> list[Located]:
    return [(dataset, sample) for sample in dataset.samples]


def test_unreadable_pictures_are_reported_and_left_out(tmp_path: Path, write_pictures: Callable[..., Path]) -> None:
    folder = write_pictures(tmp_path / "data", count=5)
    (folder / "frame001.png").write_bytes(b"")
    (folder / "frame003.png").write_bytes((folder / "frame003.png").read_bytes()[:60])
    dataset = open_dataset(folder)
    calls: list[tuple[int, int]] = []
    loaded, bad = TrainingPictures.load(
        located(dataset),
        16,
        16,
        folder=tmp_path / "kept",
        scale=1,
        on_picture=lambda done, total: calls.append((done, total)),
    )
    assert [name for name, _ in bad] == ["frame001", "frame003"]
    assert "empty" in bad[0][1]
    assert calls == [(n, 5) for n in range(1, 6)]
    expected = [to_model(decode_rgb((folder / f"frame00{i}.png").read_bytes()), 16, 16) for i in (0, 2, 4)]
    assert np.allclose(loaded.whole(range(3)).numpy(), np.stack(expected), atol=1e-6)


def test_pictures_are_kept_larger_than_the_model(tmp_path: Path, write_pictures: Callable[..., Path]) -> None:
    dataset = open_dataset(write_pictures(tmp_path / "data", count=2))
    loaded, _ = TrainingPictures.load(located(dataset), 16, 32, folder=tmp_path / "kept")
    assert loaded.pictures_NCHW.shape == (2, 3, 20, 40)
    assert loaded.whole([1]).shape == (1, 3, 16, 32)


def test_a_share_is_cut_as_in_the_whole_batch(pictures: TrainingPictures) -> None:
    whole = pictures.crop(range(6), step_rng(0, 0, "test"), 0.5)
    rng = step_rng(0, 0, "test")
    assert torch.equal(pictures.crop(range(6), rng, 0.5, slice(1, None, 2)), whole[1::2])
    other = step_rng(0, 0, "test")
    assert pictures.crop([4], other, 0.5, slice(1, None, 2)).shape == (0, 3, 16, 16)
    pictures.crop([4], rng := step_rng(0, 0, "test"), 0.5)
    assert torch.equal(rng.get_state(), other.get_state()), "a share draws what the whole draws"


def test_random_streams_differ_by_step_and_purpose() -> None:
    def first(seed: int, step: int, purpose: str) -> float:
        return torch.rand(1, generator=step_rng(seed, step, purpose)).item()

    values = [first(0, 0, "a"), first(1, 0, "a"), first(0, 1, "a"), first(0, 0, "b")]
    assert len(set(values)) == 4
    assert first(0, 0, "a") == values[0]
