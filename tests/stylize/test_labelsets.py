from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylize import labelsets
from stylize.errors import BadInput, ConfigurationError
from stylize.labelsets import CAMVID11, CITYSCAPES19, CITYSCAPES34, IGNORE, LabelSet, between, id_mapping, label_set
from stylize.scenes.kinds import CLASSES
from stylize.scenes.kinds import IGNORE as SCENE_IGNORE


def name_after(mapping: labelsets.IdMapping, source: LabelSet, name: str) -> str | None:
    result = int(mapping(np.array([[source.classes.index(name)]]))[0, 0])
    return None if result == IGNORE else mapping.target.classes[result]


def test_the_sets_are_the_published_ones() -> None:
    assert CAMVID11.classes == CLASSES
    assert SCENE_IGNORE in CAMVID11.ignore
    assert [len(CAMVID11), len(CITYSCAPES19), len(CITYSCAPES34)] == [11, 19, 34]
    # The two ends and some of the middle of Cityscapes' table.
    assert [CITYSCAPES34.classes.index(n) for n in ("road", "sky", "car", "bicycle")] == [7, 23, 26, 33]
    assert [CITYSCAPES19.classes.index(n) for n in ("road", "sky", "car", "bicycle")] == [0, 10, 13, 18]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("road", "road"),
        ("sidewalk", "pavement"),
        ("wall", "building"),
        ("traffic light", "sign_symbol"),
        ("terrain", "tree"),
        ("rider", "bicyclist"),
        ("bus", "car"),
    ],
)
def test_cityscapes_to_camvid(name: str, expected: str) -> None:
    assert name_after(between(CITYSCAPES19, CAMVID11), CITYSCAPES19, name) == expected
    assert name_after(between(CITYSCAPES34, CAMVID11), CITYSCAPES34, name) == expected


def test_either_label_file_of_cityscapes_gives_the_same_truth() -> None:
    ids = np.arange(34)[None]
    train_ids = between(CITYSCAPES34, CITYSCAPES19)(ids)
    assert sorted(set(train_ids[0])) == [*range(19), IGNORE]
    np.testing.assert_array_equal(between(CITYSCAPES19, CAMVID11)(train_ids), between(CITYSCAPES34, CAMVID11)(ids))
    assert name_after(between(CITYSCAPES34, CAMVID11), CITYSCAPES34, "caravan") is None


def test_unknown_ids_are_named_or_ignored() -> None:
    mapping = id_mapping(None, target=CAMVID11)
    ids = np.array([[0, 11, 255, 12, 40]], np.uint16)
    with pytest.raises(BadInput, match=r"ids 12, 40 not in camvid11"):
        mapping(ids)
    assert mapping(ids, unknown="ignore").tolist() == [[0, IGNORE, IGNORE, IGNORE, IGNORE]]
    with pytest.raises(BadInput, match="id -5 not in"):
        mapping(np.array([[-5]]))


def test_own_mapping_of_ids_names_and_nothing(tmp_path: Path) -> None:
    pairs = {"7": 3, "8": "pavement", "0": None, "-1": None, "300": 11}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(pairs))
    for given in (pairs, json.dumps(pairs), str(path)):
        mapping = id_mapping(given, target=CAMVID11)
        assert mapping(np.array([[7, 8, 0, -1, 300]])).tolist() == [[3, 4, IGNORE, IGNORE, IGNORE]]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"7": "street"}, "leads to 'street', which camvid11 has not"),
        ({"7": 12}, "leads to 12"),
        ({"7": True}, "leads to True"),
        ({"road": 3}, "'road' is no id"),
        ({"70000": 3}, "'70000' is no id"),
        ({}, "no mapping of ids"),
        ([1], "no mapping of ids"),
    ],
)
def test_a_wrong_mapping_is_told_with_its_place(pairs: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        id_mapping(pairs, target=CAMVID11)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("camvid11:cityscapes19", None, "no mapping from camvid11 to cityscapes19: known are"),
        ("cityscapes19:camvid12", None, "no label set 'camvid12'"),
        ("cityscapes19", None, "names no target"),
        ("cityscapes19:camvid11", CITYSCAPES19, "leads to camvid11, what is scored is cityscapes19"),
        ("nowhere.json", CAMVID11, "no file nowhere.json"),
        ("{", CAMVID11, "not JSON"),
        (None, None, "name the classes"),
    ],
)
def test_a_mapping_that_cannot_be_names_the_remedy(text: str | None, target: LabelSet | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        id_mapping(text, target=target)


def test_a_mapping_by_names_finds_its_target() -> None:
    assert id_mapping("cityscapes19:camvid11").target is CAMVID11
    assert id_mapping("cityscapes34", target=CAMVID11).ids == between(CITYSCAPES34, CAMVID11).ids


def test_label_set_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    path.write_text('{"classes": ["road", "rest"], "ignore_index": 9}')
    mine = label_set(str(path))
    assert mine.classes == ("road", "rest")
    assert id_mapping(None, target=mine)(np.array([[0, 1, 9, 255]])).tolist() == [[0, 1, IGNORE, IGNORE]]


@pytest.mark.parametrize(
    "text", ["[]", '{"classes": []}', '{"classes": ["a", "a"]}', '{"classes": ["a"], "ignore_index": 0}']
)
def test_a_file_that_is_no_label_set_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"classes\.json"):
        label_set(str(path))


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_ids_are_read_also_from_grey_rgb_and_never_from_colours() -> None:
    ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(labelsets.read_ids(png(ids)), ids)
    np.testing.assert_array_equal(labelsets.read_ids(png(np.stack([ids] * 3, axis=-1))), ids)
    with pytest.raises(BadInput, match="in colours"):
        labelsets.read_ids(png(np.stack([ids, ids, ids + 1], axis=-1)))
