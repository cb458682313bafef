"""Samples as columns: they read like a tuple of samples."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from stylize.datasets.base import open_dataset
from stylize.datasets.samples import Samples
from stylize.datasets.tree import Sample


@pytest.fixture
def samples(make) -> Samples:
    names = ["train/a.png", "train/b.png", "trainannot/a.png", "trainannot/a_2.png", "val/c.png", "dusk/d.png"]
    return open_dataset(make(*names, "valannot/c.png")).samples


def test_an_index_makes_a_sample(samples: Samples) -> None:
    plain = [
        Sample(id="dusk/d", image="dusk/d.png", labels=(), split="dusk", key="d"),
        Sample(
            id="train/a",
            image="train/a.png",
            labels=("trainannot/a.png", "trainannot/a_2.png"),
            split="train",
            key="a",
        ),
        Sample(id="train/b", image="train/b.png", labels=(), split="train", key="b"),
        Sample(id="val/c", image="val/c.png", labels=("valannot/c.png",), split="val", key="c"),
    ]
    assert list(samples) == plain
    assert samples[-1] == plain[-1]
    with pytest.raises(IndexError):
        samples[4]
    assert list(samples.ids()) == [sample.id for sample in plain]


def test_slices_are_lists_and_heads_are_samples(samples: Samples) -> None:
    plain = list(samples)
    assert (samples[1:3], samples[::-1]) == (plain[1:3], plain[::-1])
    assert list(samples.head(2)) == plain[:2]
    assert samples.head(None) == samples.head(9) == samples
    assert samples.head(2) != samples.head(3)
    assert pickle.loads(pickle.dumps(samples)) == samples


def test_splits_are_counted_and_chosen(samples: Samples) -> None:
    assert samples.per_split() == {"dusk": 1, "train": 2, "val": 1}
    assert samples.per_split(labelled=True) == {"train": 1, "val": 1}
    assert samples.head(1).per_split() == {"dusk": 1}
    assert [sample.id for sample in samples.of_splits({"val", "dusk"})] == ["dusk/d", "val/c"]
    assert list(samples.of_splits({"other"})) == []


def test_a_whole_path_can_be_an_id(make, tmp_path: Path) -> None:
    assert list(open_dataset(make("x/a.png", "x/a.jpg", "x/a-b.png")).samples.ids()) == ["x/a-b", "x/a.jpg", "x/a.png"]
