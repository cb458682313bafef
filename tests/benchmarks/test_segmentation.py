from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stylize.errors import ConfigurationError
from stylize.labelsets import IGNORE, LABEL_SETS, id_mapping
from stylize.models.perceptual import efficientnet_weights

pytestmark = pytest.mark.skipif(efficientnet_weights() is None, reason="needs stylize[train]")


def scene(index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture whose left part is red and of class 0, the rest blue and of class 1."""
    labels_HW = (np.arange(64)[None] >= 16 + index).astype(np.uint8).repeat(48, 0)
    return np.where(labels_HW[..., None] == 0, [230, 20, 20], [20, 20, 230]).astype(np.uint8), labels_HW


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for folder in ("train", "trainannot"):
        (tmp_path / folder).mkdir()
    (tmp_path / "classes.json").write_text(json.dumps({"classes": ["red", "blue"], "ignore_index": 11}))
    for index in range(4):
        picture_HWC, labels_HW = scene(index * 8)
        labels_HW[0, 0] = 11
        Image.fromarray(picture_HWC).save(tmp_path / "train" / f"{index}.png")
        Image.fromarray(labels_HW).save(tmp_path / "trainannot" / f"{index}.png")
    return tmp_path


def load(dataset: Path, **more: Any) -> Any:
    from segmentation.frames import load_frames

    return load_frames(dataset, 48, **more)


def test_frames_have_the_size_of_training_and_keep_full_labels(dataset: Path) -> None:
    frames = load(dataset, split="train")
    assert frames.images[0].shape == (48, 64, 3)
    assert frames.full[0][0, 0] == IGNORE
    assert set(np.unique(frames.labels[1])) <= {0, 1, IGNORE}


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    """Frames of two cities in Cityscapes' own files, and one without labels."""
    for name in ("night/n_000000_000019", "fog/f_000000_000019", "fog/f_000001_000019"):
        image = tmp_path / f"leftImg8bit/val/{name}_leftImg8bit.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(image)
        for kind, mode, value in (("color", "RGBA", None), ("labelIds", "L", 26), ("labelTrainIds", "L", 13)):
            label = tmp_path / f"gtFine/val/{name}_gtFine_{kind}.png"
            label.parent.mkdir(parents=True, exist_ok=True)
            if "f_000001" not in name:
                Image.new(mode, (64, 48), value).save(label)
    return tmp_path


@pytest.mark.parametrize("labels", ["", "cityscapes19", "cityscapes34"])
def test_a_target_brings_the_labels_that_hold_ids(cityscapes: Path, labels: str) -> None:
    from segmentation.frames import load_target

    frames = load_target(cityscapes, 48, LABEL_SETS["camvid11"], labels=labels)
    assert len(frames) == 2
    assert {int(value) for full in frames.full for value in np.unique(full)} == {8}, "cars"
    some = load_target(cityscapes, 48, LABEL_SETS["camvid11"], labels=labels, ids="*/night/*")
    assert len(some) == 1
    with pytest.raises(ConfigurationError, match="ids look like leftImg8bit/val/fog"):
        load_target(cityscapes, 48, LABEL_SETS["camvid11"], labels=labels, ids="night/*")


def test_labels_of_another_set_are_mapped(dataset: Path) -> None:
    mapping = id_mapping({"0": "car", "1": None, "11": None}, target=LABEL_SETS["camvid11"])
    assert set(np.unique(load(dataset, mapping=mapping).full[0])) == {8, IGNORE}


def test_crops_keep_pictures_and_labels_together() -> None:
    from segmentation.training import Recipe, _crop

    torch.manual_seed(0)
    for _ in range(20):
        image_CHW, labels_HW = _crop(*scene(20), Recipe())
        inside = labels_HW.float().unfold(1, 3, 1).std(-1) == 0  # not at the border, where crops interpolate
        assert torch.equal((image_CHW[0] < image_CHW[2])[:, 1:-1][inside], (labels_HW == 1)[:, 1:-1][inside])


def test_training_learns_and_measuring_sees_it(dataset: Path) -> None:
    from segmentation.network import SegmentationNetwork
    from segmentation.training import Recipe, confusions, train

    frames = load(dataset)
    torch.manual_seed(1)
    before = sum(m.counts for m in confusions(SegmentationNetwork(2).eval(), 2, frames))
    recipe = Recipe(steps=25, batch=4)
    network = train(2, frames, None, augmentation="none", recipe=recipe, seed=0, tell=str)
    after = sum(m.counts for m in confusions(network, 2, frames))
    assert np.trace(after) > max(0.95 * after.sum(), np.trace(before))


def test_a_standardised_network_sees_neither_brightness_nor_tint(dataset: Path, tmp_path: Path) -> None:
    from segmentation.network import NETWORK, SegmentationNetwork, load_network

    torch.manual_seed(0)
    images_BCHW = torch.rand(2, 3, 64, 96) * 2 - 1
    dim_BCHW = images_BCHW * torch.tensor([0.5, 0.6, 0.8])[:, None, None] - 0.2
    for standardised in (True, False):
        network = SegmentationNetwork(2, standardised=standardised).eval()
        torch.save(network.state_dict(), tmp_path / NETWORK)
        loaded = load_network(tmp_path / NETWORK, 2)
        with torch.no_grad():
            near = [torch.allclose(n(images_BCHW), n(dim_BCHW), atol=0.2) for n in (network, loaded)]
            assert torch.equal(network(images_BCHW), loaded(images_BCHW))
        assert near == [standardised, standardised]


def test_a_network_of_before_is_none_that_standardises(tmp_path: Path) -> None:
    from segmentation.network import NETWORK, SegmentationNetwork, load_network

    state = SegmentationNetwork(2, standardised=True).state_dict()
    del state["standardised"]
    torch.save(state, tmp_path / NETWORK)
    assert not load_network(tmp_path / NETWORK, 2).standardised


class Lopsided(torch.nn.Module):
    """Says class 1 with certainty 0.9 where a picture is bright, and class 0 with 0.6 in its left half."""

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        bright_BHW = torch.nn.functional.avg_pool2d(images_BCHW.mean(1), 4) > 0
        left_W = torch.arange(bright_BHW.shape[2]) < bright_BHW.shape[2] // 2
        likely_BHW = torch.where(bright_BHW, 0.9, torch.where(left_W, 0.4, 0.7))
        return torch.stack([1 - likely_BHW, likely_BHW], 1).log()


def test_scales_average_what_both_ways_round_say() -> None:
    from segmentation.training import predict

    image_HWC = np.zeros((64, 96, 3), np.uint8)
    image_HWC[16:48, 16:80] = 255
    once, often = (predict(Lopsided(), image_HWC, 128, 192, scales) for scales in ((), (0.5, 1.0)))  # type: ignore[arg-type]
    assert (once[:, :24] == 0).all()
    assert (once[:, -24:] == 1).all()
    assert (often[:24] == 1).all(), "0.4 on one side and 0.7 on the other are 0.55 on both"
    assert np.array_equal(often, often[:, ::-1])


def test_equal_seeds_train_equal_networks(dataset: Path) -> None:
    from segmentation.training import Recipe, train

    frames = load(dataset)
    recipe = Recipe(steps=2, batch=2)
    both = [train(2, frames, frames, augmentation="weather", recipe=recipe, seed=3, tell=str) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*(n.state_dict().values() for n in both), strict=True))


@pytest.mark.parametrize("name", ["colour-jitter", "weather", "relight"])
def test_changes_of_colour_leave_labels_alone(name: str) -> None:
    from segmentation.augment import AUGMENTATIONS

    torch.manual_seed(0)
    images_BCHW, labels_BHW = torch.rand(8, 3, 32, 48), torch.randint(2, (8, 32, 48))
    changed_BCHW, kept_BHW = AUGMENTATIONS[name](images_BCHW, labels_BHW)
    assert torch.equal(kept_BHW, labels_BHW)
    assert not torch.equal(changed_BCHW, images_BCHW)
    assert 0 <= changed_BCHW.min() <= changed_BCHW.max() <= 1


def test_cutmix_pastes_pixels_with_their_labels() -> None:
    from segmentation.augment import cutmix

    torch.manual_seed(0)
    labels_BHW = torch.arange(8)[:, None, None].expand(8, 32, 48).contiguous()
    images_BCHW = (labels_BHW[:, None] / 8).expand(8, 3, 32, 48).contiguous()
    mixed_BCHW, mixed_BHW = cutmix(images_BCHW, labels_BHW)
    assert torch.equal(mixed_BCHW[:, 0], mixed_BHW / 8)
    assert not torch.equal(mixed_BHW, labels_BHW)


def test_every_arm_says_what_it_is_trained_on() -> None:
    from segmentation.arms import all_arms

    arms = all_arms(["dusk"])
    assert len({arm.describe for arm in arms.values()}) == len(arms)
    assert all(arm.name == name for name, arm in arms.items())
    assert arms["issa"].mix == "stylization-source-x4"
    assert arms["essa:dusk+all-weather"].mix == "stylization-dusk-x4-g1-h1-b1-c1"


def test_the_main_arms_are_among_all() -> None:
    from segmentation.arms import all_arms, main_arms

    assert main_arms(["dusk", "weather"]).items() <= all_arms(["dusk", "weather"]).items()


def test_the_name_of_an_arm_says_what_it_is() -> None:
    from segmentation.arms import arm_of

    exemplars = ("dusk", "weather")
    assert arm_of("essa:dusk", exemplars).mix == arm_of("essa:dusk+colour-jitter", exemplars).mix
    assert arm_of("essa:dusk", exemplars).mix != arm_of("essa:dusk-strong", exemplars).mix
    adain = arm_of("adain:weather+blur+weather", exemplars)
    assert (adain.method, adain.exemplars, adain.blur, adain.augmentation) == ("adain", "weather", 1.0, "weather")
    assert arm_of("cutmix", exemplars).augmentation == "cutmix"
    assert arm_of("issa-relit", exemplars).exemplars == "relit"
    assert arm_of("source+standardised", exemplars).standardised
    assert arm_of("essa:dusk+standardised", exemplars).mix == arm_of("essa:dusk", exemplars).mix


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("essa", "no arm 'essa'"), ("fda:night", "no exemplars 'night'"), ("issa+fog", "nothing called 'fog' is added")],
)
def test_an_arm_that_there_is_not_is_named_with_those_that_there_are(name: str, wrong: str) -> None:
    from segmentation.arms import arm_of

    with pytest.raises(ValueError, match=wrong):
        arm_of(name, ["dusk"])


def test_all_exemplars_are_those_of_dusk_and_of_weather_together(tmp_path: Path) -> None:
    from segmentation.worlds import camvid

    pictures = {"camvid/dusk/a.png": "dusk/a.png", "exemplars/fog/a.jpg": "weather/fog/a.jpg"}
    for path in pictures:
        (tmp_path / "data" / path).parent.mkdir(parents=True)
        (tmp_path / "data" / path).write_text(path)
    for _ in range(2):
        together = camvid(tmp_path / "work", tmp_path / "data").exemplars["all"]
    assert {path.relative_to(together).as_posix() for path in together.rglob("*.*")} == set(pictures.values())
    assert all((together / copy).read_text() == path for path, copy in pictures.items())


def test_drives_share_no_frame_between_training_exemplars_and_tests(tmp_path: Path) -> None:
    from segmentation.worlds import EXEMPLAR_FRAMES, NORMAL, OVEREXPOSED, drives

    names = {"train": [*(f"{NORMAL}_{n:05d}" for n in range(4)), *(f"{OVEREXPOSED}_{n:05d}" for n in range(35))]}
    names["val"] = [f"{NORMAL}_{n:05d}" for n in range(4, 6)]
    for folder in (f"{split}{kind}" for split in names for kind in ("", "annot")):
        (tmp_path / "camvid" / folder).mkdir(parents=True)
        for name in names[folder.removesuffix("annot")]:
            (tmp_path / "camvid" / folder / f"{name}.png").write_text(f"{folder} {name}")
    (tmp_path / "camvid" / "classes.json").write_text("{}")
    world = drives(tmp_path / "work", tmp_path)

    def found(folder: Path) -> list[str]:
        return sorted(path.stem for path in folder.iterdir())

    assert found(world.source / "train") == names["train"][:4]
    assert found(world.source / "val") == names["val"]
    assert found(world.exemplars["drive"]) == names["train"][4 : 4 + EXEMPLAR_FRAMES]
    assert found(world.tests["drive"] / "test") == found(world.tests["drive"] / "testannot") == names["train"][-5:]
    assert (world.source / "valannot" / f"{names['val'][0]}.png").read_text() == f"valannot {names['val'][0]}"
    assert not (world.exemplars["drive"].parent / "driveannot").exists()
    back = drives(tmp_path / "work", tmp_path, OVEREXPOSED, NORMAL)
    assert [len(found(back.source / split)) for split in ("train", "val")] == [28, 7]


def test_calls_that_share_a_folder_wait_for_one_another(dataset: Path, tiny_model: str) -> None:
    from domain_generalization import prepare
    from segmentation.arms import arm_of, path_of
    from segmentation.worlds import World

    world = World(source=dataset, train="train", val="val", model=tiny_model, exemplars={}, height=48)
    work, arms = dataset / "work", [arm_of(name, {}) for name in ("issa", "issa+standardised", "reinhard")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda arm: prepare(world, [arm], work), arms))
    assert all((path_of(work, arm) / "manifest.json").exists() for arm in arms)
