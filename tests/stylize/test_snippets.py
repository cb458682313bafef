from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.invert import invert
from pipelines.mix import mix
from stylize.errors import ConfigurationError
from stylize.images import encode
from stylize.snippets import Folders, folders, snippet
from tests.pipelines.helpers import picture, write_dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """CamVid's layout with train and val, and copies in every format."""
    root = tmp_path_factory.mktemp("snippets")
    write_dataset(root / "data", [f"0001TP_{number:03d}" for number in range(4)])
    write_dataset(root / "data", ["0002TP_000", "0002TP_001"], split="val")
    (root / "data" / "classes.json").write_text('{"classes": ["sky", "road"], "ignore_index": 2}')
    invert(root / "data", root / "cache", model=tiny_model, device="cpu")
    for format in ("tree", "webdataset", "parquet"):
        mix(root / "cache", root / format, device="cpu", per_image=2, format=format)
    return root


def executed(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "snippet", "exec"), names)
    return names


def as_mmsegmentation(dataset: dict[str, Any]) -> list[tuple[Path, Path]]:
    """List a `BaseSegDataset` as its `load_data_list` does without an annotation file."""
    images, labels = (Path(dataset["data_root"], dataset["data_prefix"][name]) for name in ("img_path", "seg_map_path"))
    suffix = dataset["img_suffix"]
    found = sorted(path for path in images.rglob("*") if path.name.endswith(suffix))
    relative = [str(path.relative_to(images)).removesuffix(suffix) + dataset["seg_map_suffix"] for path in found]
    return [(path, labels / name) for path, name in zip(found, relative, strict=True)]


def test_mmsegmentation_finds_every_picture_with_its_label(made: Path) -> None:
    config = executed(snippet(made / "tree", framework="mmsegmentation"))
    assert config["metainfo"] == {"classes": ("sky", "road")}
    datasets = config["train_dataloader"]["dataset"]["datasets"]
    pairs = [as_mmsegmentation(dataset) for dataset in datasets]
    assert [len(some) for some in pairs] == [4, 8, 2, 4]
    for image, label in (pair for some in pairs for pair in some):
        assert label.is_file(), label
        assert image.name == label.name
    first = datasets[1]
    assert (first["data_root"], first["data_prefix"]) == (
        str(made / "tree"), {"img_path": "train", "seg_map_path": "trainannot"},
    )  # fmt: skip
    assert "Ids [2] mean no class" in snippet(made / "tree", framework="mmsegmentation")


def test_one_split_alone(made: Path) -> None:
    config = executed(snippet(made / "tree", framework="mmsegmentation", split="val"))
    assert [len(as_mmsegmentation(d)) for d in config["train_dataloader"]["dataset"]["datasets"]] == [2, 4]


def test_mmengine_reads_the_configuration(made: Path) -> None:
    mmengine = pytest.importorskip("mmengine")
    config = mmengine.Config.fromstring(snippet(made / "tree", framework="mmsegmentation"), ".py")
    assert config.train_dataloader.dataset.datasets[0].type == "BaseSegDataset"


def test_cityscapes_is_found_by_its_endings(tmp_path: Path, tiny_model: str) -> None:
    for number in range(2):
        for folder, ending in (
            ("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelTrainIds"), ("gtFine", "gtFine_color"),
        ):  # fmt: skip
            file = tmp_path / "data" / folder / "train" / "aachen" / f"aachen_00000{number}_000019_{ending}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(picture(number), "png"))
    invert(tmp_path / "data", tmp_path / "cache", model=tiny_model, device="cpu")
    mix(tmp_path / "cache", tmp_path / "out", device="cpu")
    config = executed(snippet(tmp_path / "out", framework="mmsegmentation"))
    _, copies = config["train_dataloader"]["dataset"]["datasets"]
    assert copies["data_prefix"] == {"img_path": "leftImg8bit/train/aachen", "seg_map_path": "gtFine/train/aachen"}
    assert (copies["img_suffix"], copies["seg_map_suffix"]) == ("_leftImg8bit.png", "_gtFine_labelTrainIds.png")
    assert config["metainfo"]["classes"][0] == "road"
    assert all(label.is_file() for _, label in as_mmsegmentation(copies))


def test_folders_of_mixed_endings_are_several() -> None:
    files = [
        ("images/train/a/x.png", "labels/train/a/x.png", "x"),
        ("images/train/b/y.png", "labels/train/b/y.png", "y"),
        ("images/train/b/z.jpg", "labels/train/b/z_ids.png", "z"),
        ("flat/x.png", "flat/x_mask.png", "x"),
    ]
    assert folders(files) == [
        Folders(images="flat", labels="flat", image_suffix=".png", label_suffix="_mask.png"),
        Folders(images="images/train/b", labels="labels/train/b", image_suffix=".jpg", label_suffix="_ids.png"),
        Folders(images="images/train", labels="labels/train", image_suffix=".png", label_suffix=".png"),
    ]


@pytest.mark.parametrize(
    ("framework", "out", "module", "shown"),
    [
        ("torch", "tree", "torch", "torch.Size([1, 3, 30, 40])"),
        ("webdataset", "webdataset", "webdataset", "val/0002TP_000__1 ['label.png', 'png', 'provenance.json']"),
        ("datasets", "parquet", "datasets", "val/0002TP_000 (40, 30)"),
    ],
)
def test_the_code_runs(made: Path, repository: Path, framework: str, out: str, module: str, shown: str) -> None:
    pytest.importorskip(module)
    code = snippet(made / out, framework=framework)
    ran = subprocess.run(
        [sys.executable, "-c", "import warnings; warnings.simplefilter('ignore')\n" + code],
        cwd=repository,
        env={"PATH": "", "HOME": str(made), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ran.returncode == 0, ran.stderr
    assert shown in ran.stdout


def test_what_cannot_be_read_is_named(made: Path) -> None:
    with pytest.raises(ConfigurationError, match="of the format parquet, mmsegmentation reads tree: write the copies"):
        snippet(made / "parquet", framework="mmsegmentation")
    with pytest.raises(ConfigurationError, match="of the format tree, webdataset reads webdataset"):
        snippet(made / "tree", framework="webdataset")
    with pytest.raises(ConfigurationError, match="framework 'tensorflow' is unknown"):
        snippet(made / "tree", framework="tensorflow")
    with pytest.raises(ConfigurationError, match="was written by `stylize invert`"):
        snippet(made / "cache")
    with pytest.raises(ConfigurationError, match="no label pictures in"):
        snippet(made / "tree", dataset=made / "data" / "train")
