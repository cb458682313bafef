from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from pipelines.invert import invert
from pipelines.mix import mix
from stylize.errors import BadInput, ConfigurationError
from stylize.readers import Item, MixedDataset
from stylize.storage import Storage
from tests.pipelines.helpers import write_dataset

NAMES = [f"0001TP_{number:03d}" for number in range(12)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """A dataset, `tree` with two copies of each picture and `parquet` with one; all of train."""
    root = tmp_path_factory.mktemp("readers")
    write_dataset(root / "data", NAMES)
    write_dataset(root / "data", ["0002TP_000"], split="val")
    invert(root / "data", root / "cache", model=tiny_model, device="cpu")
    mix(root / "cache", root / "tree", device="cpu", per_image=2, split="train")
    mix(root / "cache", root / "parquet", device="cpu", seed=1, format="parquet", split="train")
    mix(root / "cache", root / "small", device="cpu", size="model", split="train")
    return root


def opened(made: Path, *copies: str, **more: Any) -> MixedDataset:
    return MixedDataset(made / "data", [made / name for name in copies or ("tree",)], **{"split": "train", **more})


def draws(dataset: MixedDataset) -> list[int]:
    return [dataset.drawn(index) for index in range(len(dataset))]


def test_items_are_originals_and_copies(made: Path) -> None:
    dataset = opened(made, "tree", "parquet")
    assert len(dataset) == 12
    assert [dataset.copies_of(index) for index in range(12)] == [3] * 12
    seen: Counter[int] = Counter()
    for epoch in range(8):
        dataset.set_epoch(epoch)
        for index, item in enumerate(dataset):
            assert isinstance(item, Item)
            assert item.image.shape == (3, 30, 40)
            assert item.image.dtype == torch.uint8
            assert item.label.dtype == torch.int64
            assert item.copy == dataset.drawn(index)
            assert item.id == f"train/{NAMES[index]}"
            folder = {0: "/data/train/", 1: "/tree/train/", 2: "__1.png", 3: "/parquet/data/train-"}[item.copy]
            assert folder in item.path
            seen[item.copy] += 1
    assert set(seen) == {0, 1, 2, 3}


def test_p_is_how_often_copies_come(made: Path) -> None:
    def share(p: float) -> float:
        dataset = opened(made, p=p)
        epochs = []
        for epoch in range(60):
            dataset.set_epoch(epoch)
            epochs += [copy > 0 for copy in draws(dataset)]
        return sum(epochs) / len(epochs)

    assert share(0) == 0
    assert share(1) == 1
    assert abs(share(0.3) - 0.3) < 0.06  # 720 draws: three deviations


def test_draws_follow_from_seed_and_epoch_alone(made: Path) -> None:
    first, second = opened(made), opened(made)
    assert draws(first) == draws(second)
    second.set_epoch(1)
    later = draws(second)
    assert later != draws(first)
    second.set_epoch(0)
    assert draws(second) == draws(first)
    assert draws(opened(made, seed=1)) != draws(first)
    first.set_epoch(1)
    assert draws(first) == later


def double(item: Item) -> dict[str, Any]:
    return {"image": item.image * 2, "copy": item.copy}


def test_a_transform_decides_what_comes_out(made: Path) -> None:
    plain, doubled = opened(made), opened(made, transform=double)
    assert torch.equal(doubled[3]["image"], plain[3].image * 2)
    batch = next(iter(DataLoader(doubled, batch_size=5)))
    assert batch["image"].shape == (5, 3, 30, 40)
    assert batch["copy"].tolist() == draws(plain)[:5]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_running_workers_hear_of_the_epoch(made: Path, start: str) -> None:
    dataset = opened(made, "tree", "parquet")
    loader = DataLoader(
        dataset, batch_size=4, num_workers=1 if start == "spawn" else 2, multiprocessing_context=start,
        persistent_workers=True,
    )  # fmt: skip
    found = []
    for epoch in range(2):
        dataset.set_epoch(epoch)
        copies = torch.cat([batch.copy for batch in loader]).tolist()
        assert copies == draws(dataset)
        found.append(copies)
    assert found[0] != found[1]
    del loader


def test_a_pickled_dataset_goes_on_where_it_was(made: Path) -> None:
    dataset = opened(made, "tree", "parquet")
    dataset.set_epoch(5)
    again = pickle.loads(pickle.dumps(dataset))
    assert draws(again) == draws(dataset)
    assert torch.equal(again[2].image, dataset[2].image)


def test_labels_follow_the_size_of_the_copies(made: Path) -> None:
    dataset = opened(made, "small", p=1)
    assert dataset[0].image.shape == (3, 24, 32)
    assert dataset[0].label.shape[-2:] == (24, 32)


def test_pictures_may_come_without_labels(made: Path) -> None:
    dataset = MixedDataset(made / "data", made / "tree", labels=False)
    assert len(dataset) == 13
    assert dataset.copies_of(12) == 0
    assert dataset[12].copy == 0
    assert dataset[0].label.shape == (0,)


def test_flagged_copies_can_be_left_out(made: Path, tmp_path: Path) -> None:
    mix(made / "cache", tmp_path / "all", device="cpu", split="train", min_content_score=1)
    assert sum(map(opened(made, str(tmp_path / "all")).copies_of, range(12))) == 12
    assert sum(map(opened(made, str(tmp_path / "all"), flagged=False).copies_of, range(12))) == 0


def test_indices_end_where_the_dataset_ends(made: Path) -> None:
    dataset = opened(made, p=0)
    assert dataset[-1].id == dataset[11].id
    with pytest.raises(IndexError, match="item 12 of 12"):
        dataset[12]


def test_what_does_not_fit_is_named(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"p is the probability of a copy, between 0 and 1, not 1\.5"):
        opened(made, p=1.5)
    with pytest.raises(ConfigurationError, match="leave one of the two out"):
        opened(made, labels=False, label_kind="annot")
    with pytest.raises(ConfigurationError, match=r"holds no run\.json: give a folder that `stylize mix` wrote"):
        MixedDataset(made / "data", made / "data")
    with pytest.raises(ConfigurationError, match="was written by `stylize invert`"):
        MixedDataset(made / "data", made / "cache")
    with pytest.raises(ConfigurationError, match=r"no copy in .*tree is of a picture in .*data, which has no 'train/"):
        opened(made, split="val")
    (tmp_path / "run.json").write_text('{"kind": "mix", "configuration": {}}')
    with pytest.raises(ConfigurationError, match="holds no copies yet"):
        opened(made, str(tmp_path))
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(ConfigurationError, match=r"run\.json of .* cannot be read"):
        opened(made, str(tmp_path))


def test_a_picture_that_is_gone_is_named(tmp_path: Path, made: Path, tiny_model: str) -> None:
    write_dataset(tmp_path / "data", NAMES[:2])
    invert(tmp_path / "data", tmp_path / "cache", model=tiny_model, device="cpu")
    mix(tmp_path / "cache", tmp_path / "tree", device="cpu")
    dataset = MixedDataset(tmp_path / "data", tmp_path / "tree", p=1)
    (tmp_path / "tree" / "train" / "0001TP_000.png").unlink()
    with pytest.raises(BadInput, match=r"tree/train/0001TP_000\.png"):
        dataset[0]


def test_originals_and_copies_may_lie_in_any_storage(made: Path) -> None:
    storage = Storage("memory://readers")
    for path in Storage(made / "parquet").list():
        storage.write(f"copies/{path}", (made / "parquet" / path).read_bytes())
    for path in Storage(made / "data").list():
        storage.write(f"data/{path}", (made / "data" / path).read_bytes())
    dataset = MixedDataset("memory://readers/data", "memory://readers/copies", p=1, split="train")
    local = opened(made, "parquet", p=1)
    assert torch.equal(dataset[5].image, local[5].image)
    assert dataset[5].path.startswith("memory://readers/copies/data/train-00000-of-00001.parquet!5:image!")
