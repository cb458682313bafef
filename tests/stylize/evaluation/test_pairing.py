from __future__ import annotations

from pathlib import Path

import pytest

from stylize.datasets.base import open_dataset
from stylize.errors import ConfigurationError
from stylize.evaluation.pairing import Predictions, labelled, own_set, pair
from stylize.storage import Storage

CITY = "leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png"
FINE = "gtFine/val/ulm/ulm_000000_000019_gtFine_"


def write(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


def found(dataset: Path, predictions: Path) -> list[str | None]:
    frames, _ = labelled(open_dataset(dataset))
    keys = {sample.key for sample, _ in frames}
    return [one.prediction for one in pair(frames, Predictions(Storage(predictions), keys))]


@pytest.mark.parametrize(
    "name",
    [
        "ulm_000000_000019_leftImg8bit.png",
        "ulm/ulm_000000_000019_leftImg8bit.png",
        "val/ulm/ulm_000000_000019_gtFine_labelTrainIds.png",
        "ulm_000000_000019.png",
        "ulm_000000_000019_pred.png",
    ],
)
def test_predictions_go_by_the_names_of_picture_label_or_frame(tmp_path: Path, name: str) -> None:
    data = write(tmp_path / "data", CITY, FINE + "labelTrainIds.png")
    assert found(data, write(tmp_path / "out", name, "ulm_000000_000020_pred.png")) == [name]


def test_the_picture_of_the_exact_name_wins_over_its_companions(tmp_path: Path) -> None:
    data = write(tmp_path / "data", "train/a.png", "trainannot/a.png", "train/a_1.png", "trainannot/a_1.png")
    out = write(tmp_path / "out", "a.png", "a_colour.png", "a_1_pred.png")
    assert found(data, out) == ["a.png", "a_1_pred.png"]


def test_a_missing_prediction_is_none_and_never_the_neighbours(tmp_path: Path) -> None:
    data = write(tmp_path / "data", *(f"{folder}/{n}.png" for folder in ("train", "trainannot") for n in ("a", "a_1")))
    assert found(data, write(tmp_path / "out", "a_1.png")) == [None, "a_1.png"]


def test_folders_tell_equal_names_apart(tmp_path: Path) -> None:
    files = [f"{kind}/{drive}/001.png" for kind in ("images", "labels") for drive in ("x", "y")]
    data = write(tmp_path / "data", *files)
    assert found(data, write(tmp_path / "good", "x/001.png", "y/001.png")) == ["x/001.png", "y/001.png"]
    with pytest.raises(ConfigurationError, match=r"001\.png in .* would be the prediction of images/x/001\.png and of"):
        found(data, write(tmp_path / "flat", "001.png"))


def test_two_pictures_that_fit_alike_are_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "data", "train/a.png", "trainannot/a.png")
    with pytest.raises(
        ConfigurationError, match=r"a_one\.png and a_two\.png .* both be the prediction of train/a\.png"
    ):
        found(data, write(tmp_path / "out", "a_one.png", "a_two.png"))


@pytest.mark.parametrize(
    ("files", "message"),
    [(["notes.txt"], "no label pictures in"), (["b.png"], r"none of the 1 labelled pictures.* holds b\.png")],
)
def test_a_folder_without_any_fitting_prediction_is_refused(tmp_path: Path, files: list[str], message: str) -> None:
    data = write(tmp_path / "data", "train/a.png", "trainannot/a.png")
    with pytest.raises(ConfigurationError, match=message):
        found(data, write(tmp_path / "out", *files))


def test_train_ids_come_before_label_ids_and_colours_never(tmp_path: Path) -> None:
    data = write(tmp_path, CITY, *(FINE + kind for kind in ("color.png", "labelIds.png", "instanceIds.png")))
    frames, kind = labelled(open_dataset(data))
    assert (kind, frames[0][1]) == ("gtFine_labelIds", FINE + "labelIds.png")
    write(tmp_path, FINE + "labelTrainIds.png")
    assert labelled(open_dataset(data))[1] == "gtFine_labelTrainIds"
    assert labelled(open_dataset(data), "gtFine_labelIds")[1] == "gtFine_labelIds"
    with pytest.raises(ConfigurationError, match=r"no labels of kind 'gtCoarse'.*there are gtFine_color, "):
        labelled(open_dataset(data), "gtCoarse")


def test_an_open_choice_of_labels_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path, CITY, FINE + "labelIds.png", (FINE + "labelIds.png").replace("gtFine", "gtCoarse"))
    with pytest.raises(ConfigurationError, match="--label-kind gtCoarse_labelIds or gtFine_labelIds"):
        labelled(open_dataset(data))


def test_no_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no label pictures in"):
        labelled(open_dataset(write(tmp_path, "a.png")))


def test_the_label_set_follows_from_kind_file_or_layout(tmp_path: Path) -> None:
    city = open_dataset(write(tmp_path / "city", CITY, FINE + "labelIds.png"))
    assert own_set(city, "gtFine_labelIds") is not None
    assert own_set(city, "gtFine_labelIds").name == "cityscapes34"  # type: ignore[union-attr]
    plain = write(tmp_path / "plain", "train/a.png", "trainannot/a.png")
    assert own_set(open_dataset(plain), "annot") is None
    (plain / "classes.json").write_text('{"classes": ["a", "b"]}')
    assert own_set(open_dataset(plain), "annot").classes == ("a", "b")  # type: ignore[union-attr]
    (plain / "classes.json").write_text('{"names": 3}')  # another tool's file
    assert own_set(open_dataset(plain), "annot") is None
