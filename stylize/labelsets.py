"""What label ids mean: the class lists of CamVid and Cityscapes, a user's own, and mappings from one to another.

A label set is known by name (`camvid11`, `cityscapes19`, `cityscapes34`) or read from a JSON file in the form of
CamVid's `classes.json`, `{"classes": ["sky", ...], "ignore_index": 11}`. A mapping is named `cityscapes19:camvid11`, or
is a JSON file of ids, `{"7": 0, "8": "pavement", "0": null}`: to an id, to a class by name, or to nothing (ignored).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stylize.errors import BadInput, ConfigurationError, NotFound
from stylize.images import decode_label
from stylize.storage import Storage

Ids = npt.NDArray[np.uint8]

IGNORE = 255  # what pixels of no class become; every known set may hold it
MOST_CLASSES = 255
LAST_ID = 65535  # of a 16-bit label
_UNKNOWN = -1
SHOWN = 8  # ids named in an error


@dataclass(frozen=True, kw_only=True)
class LabelSet:
    """A list of classes: a pixel's id is the place of its class; the ids of `ignore` are known and do not count."""

    name: str
    classes: tuple[str, ...]
    ignore: frozenset[int] = frozenset({IGNORE})

    def __len__(self) -> int:
        return len(self.classes)


CAMVID11 = LabelSet(
    name="camvid11",
    classes=(
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign_symbol",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
    ),
    ignore=frozenset({11, IGNORE}),
)
CITYSCAPES19 = LabelSet(
    name="cityscapes19",
    classes=(
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ),
)
CITYSCAPES34 = LabelSet(
    name="cityscapes34",
    classes=(
        "unlabeled",
        "ego vehicle",
        "rectification border",
        "out of roi",
        "static",
        "dynamic",
        "ground",
        "road",
        "sidewalk",
        "parking",
        "rail track",
        "building",
        "wall",
        "fence",
        "guard rail",
        "bridge",
        "tunnel",
        "pole",
        "polegroup",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "caravan",
        "trailer",
        "train",
        "motorcycle",
        "bicycle",
    ),
)
LABEL_SETS: Mapping[str, LabelSet] = {known.name: known for known in (CAMVID11, CITYSCAPES19, CITYSCAPES34)}

# As CamVid's 32 classes were grouped into 11: walls are building, traffic lights are signs, grass is tree (vegetation
# of any kind), every vehicle is car, and riders are one with their two wheels.
_CITYSCAPES_TO_CAMVID = {
    "road": "road",
    "sidewalk": "pavement",
    "building": "building",
    "wall": "building",
    "fence": "fence",
    "pole": "pole",
    "traffic light": "sign_symbol",
    "traffic sign": "sign_symbol",
    "vegetation": "tree",
    "terrain": "tree",
    "sky": "sky",
    "person": "pedestrian",
    "rider": "bicyclist",
    "car": "car",
    "truck": "car",
    "bus": "car",
    "train": "car",
    "motorcycle": "bicyclist",
    "bicycle": "bicyclist",
}
# Classes that Cityscapes does not score (parking, caravan, ...) are ignored from either of its sets alike.
_TRANSLATIONS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("cityscapes19", "camvid11"): _CITYSCAPES_TO_CAMVID,
    ("cityscapes34", "camvid11"): _CITYSCAPES_TO_CAMVID,
    ("cityscapes34", "cityscapes19"): {name: name for name in CITYSCAPES19.classes},
}


@dataclass(frozen=True, kw_only=True)
class IdMapping:
    """A lookup table from the ids of a file to those of a label set; `IGNORE` as a value means of no class."""

    name: str
    target: LabelSet
    ids: Mapping[int, int]

    @property
    def reached(self) -> frozenset[int]:
        """The classes of the target that some id leads to."""
        return frozenset(self.ids.values()) - {IGNORE}

    def without(self, ids: Collection[int]) -> IdMapping:
        """Return this mapping with further ids that do not count."""
        return IdMapping(name=self.name, target=self.target, ids={**self.ids, **dict.fromkeys(ids, IGNORE)})

    def __call__(self, ids_HW: npt.NDArray[np.integer], *, unknown: str = "refuse") -> Ids:
        """Return the target's ids [H, W] uint8, `IGNORE` where there is no class.

        Raises BadInput that names the ids the mapping does not know; with `unknown="ignore"` they become `IGNORE`.
        """
        known = np.clip(ids_HW.astype(np.int32), -1, LAST_ID + 1)
        mapped = self._table[known + 1]
        missing = mapped == _UNKNOWN
        if missing.any():
            if unknown != "ignore":
                raise BadInput(self._refusal(ids_HW[missing]))
            mapped[missing] = IGNORE
        return mapped.astype(np.uint8)

    @cached_property
    def _table(self) -> npt.NDArray[np.int16]:
        """Row `id + 1` holds what becomes of `id`; the first and the last are all ids below and beyond."""
        table = np.full(LAST_ID + 3, _UNKNOWN, np.int16)
        for source, target in self.ids.items():
            table[source + 1] = target
        return table

    def _refusal(self, ids: npt.NDArray[np.integer]) -> str:
        found = np.unique(ids)
        named = ", ".join(map(str, found[:SHOWN])) + (", ..." if len(found) > SHOWN else "")
        return (
            f"{'id' if len(found) == 1 else 'ids'} {named} not in {self.name}: "
            "name what its ids mean with --label-mapping or --prediction-mapping, or pass --ignore-unknown"
        )


def label_set(text: str, *, storage_options: Mapping[str, Any] | None = None) -> LabelSet:
    """Return a label set by name, or from a JSON file at a path or URL; raises ConfigurationError for anything else."""
    if text in LABEL_SETS:
        return LABEL_SETS[text]
    if not text.endswith(".json"):
        raise ConfigurationError(
            f"no label set {text!r}: give {', '.join(LABEL_SETS)}, or a file such as classes.json with "
            '{"classes": ["sky", ...], "ignore_index": 11}'
        )
    return described_set(_read_json(text, storage_options), text)


def described_set(described: Any, name: str) -> LabelSet:
    """Return the label set of a parsed classes.json; raises ConfigurationError when it is none."""
    classes = described.get("classes") if isinstance(described, dict) else None
    ignore = described.get("ignore_index") if isinstance(described, dict) else None
    if not isinstance(classes, list) or not classes or not all(isinstance(word, str) for word in classes):
        raise ConfigurationError(f'{name} is no label set: write {{"classes": ["sky", ...], "ignore_index": 11}}')
    if len(set(classes)) < len(classes) or len(classes) > MOST_CLASSES:
        raise ConfigurationError(f"{name}: a label set has at most {MOST_CLASSES} classes, each of another name")
    if ignore is not None and (not isinstance(ignore, int) or 0 <= ignore < len(classes)):
        raise ConfigurationError(f"{name}: ignore_index {ignore!r} is not an id beside the {len(classes)} classes")
    return LabelSet(
        name=name, classes=tuple(classes), ignore=frozenset({IGNORE} if ignore is None else {IGNORE, ignore})
    )


def identity(labels: LabelSet) -> IdMapping:
    """Return the mapping of a label set to itself: ids stay, what is ignored becomes `IGNORE`."""
    return IdMapping(
        name=labels.name,
        target=labels,
        ids={**dict.fromkeys(labels.ignore, IGNORE), **{k: k for k in range(len(labels))}},
    )


def between(source: LabelSet, target: LabelSet) -> IdMapping:
    """Return the mapping between two sets; raises ConfigurationError where none is known.

    A set of a file counts as the known one whose classes it lists in the same order.
    """
    if source.classes == target.classes:
        return identity(target).without(source.ignore - target.ignore)
    names = _TRANSLATIONS.get((_known_name(source), _known_name(target)))
    if names is None:
        known = ", ".join(f"{one}:{other}" for one, other in _TRANSLATIONS)
        raise ConfigurationError(
            f"no mapping from {source.name} to {target.name}: known are {known}; write your own as a JSON file of ids, "
            'such as {"7": 0, "8": "pavement", "0": null}'
        )
    ids = {k: target.classes.index(names[name]) if name in names else IGNORE for k, name in enumerate(source.classes)}
    return IdMapping(
        name=f"{source.name}:{target.name}", target=target, ids={**dict.fromkeys(source.ignore, IGNORE), **ids}
    )


def id_mapping(
    text: str | Mapping[str, Any] | None,
    *,
    target: LabelSet | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> IdMapping:
    """Return the mapping that a user names, onto the label set `target`.

    Args:
        text: "cityscapes19:camvid11"; the name of the source set alone; a JSON file (path or URL) or JSON object of
            ids; None for ids that are the target's own.
        target: the label set to arrive at; only a mapping that names its target can do without.
        storage_options: passed to fsspec for URLs.

    Raises:
        ConfigurationError: there is no such mapping, it leads elsewhere, or its target is not known.
    """
    if isinstance(text, str) and not text.lstrip().startswith("{") and not text.endswith(".json"):
        source, colon, end = text.partition(":")
        arrival = label_set(end) if colon else target
        if arrival is None:
            raise ConfigurationError(f"mapping {text!r} names no target: write {text}:camvid11, or name the classes")
        if target is not None and arrival.classes != target.classes:
            raise ConfigurationError(f"mapping {text!r} leads to {arrival.name}, what is scored is {target.name}")
        return between(label_set(source), target or arrival)
    if target is None:
        raise ConfigurationError("name the classes that ids are mapped to, such as camvid11 or a classes.json")
    if text is None:
        return identity(target)
    if isinstance(text, str):
        inline = text.lstrip().startswith("{")
        return _own(
            _parsed(text) if inline else _read_json(text, storage_options), "the mapping" if inline else text, target
        )
    return _own(text, "the mapping", target)


def read_ids(data: bytes) -> npt.NDArray[np.integer]:
    """Decode a label picture to ids [H, W]; grey stored as RGB counts as ids, colours are `BadInput`."""
    ids = decode_label(data)
    if ids.ndim == 2:
        return ids
    first = ids[..., 0]
    if all(np.array_equal(first, ids[..., channel]) for channel in range(1, ids.shape[2])):
        return first
    raise BadInput("a picture in colours, not of ids: give label ids as grey or palette pictures")


def _known_name(labels: LabelSet) -> str:
    return next((known.name for known in LABEL_SETS.values() if known.classes == labels.classes), labels.name)


def _own(pairs: Any, name: str, target: LabelSet) -> IdMapping:
    """Return a user's mapping; every mistake in it is told with its place."""
    if not isinstance(pairs, Mapping) or not pairs:
        raise ConfigurationError(
            f'{name} is no mapping of ids: write {{"7": 0, "8": "{target.classes[0]}", "0": null}}'
        )
    ids = {}
    for source, arrival in pairs.items():
        if not str(source).lstrip("-").isdigit() or not -1 <= int(source) <= LAST_ID:
            raise ConfigurationError(f"{name}: {source!r} is no id; ids are -1 to {LAST_ID}")
        ids[int(source)] = _arrival(arrival, f"{name}: {source!r}", target)
    return IdMapping(name=name, target=target, ids=ids)


def _arrival(value: Any, where: str, target: LabelSet) -> int:
    if value is None:
        return IGNORE
    if isinstance(value, str) and value in target.classes:
        return target.classes.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(target):
        return value
    if isinstance(value, int) and value in target.ignore:
        return IGNORE
    raise ConfigurationError(
        f"{where} leads to {value!r}, which {target.name} has not: its ids are 0 to {len(target) - 1}, "
        f"its names {', '.join(target.classes)}; null is ignored"
    )


def _read_json(where: str, storage_options: Mapping[str, Any] | None) -> Any:
    folder, slash, name = where.rpartition("/")
    try:
        return Storage(folder or slash or ".", storage_options).read_json(name)
    except NotFound:
        raise ConfigurationError(
            f"no file {where}: give a label set, a mapping, or the path of its JSON file"
        ) from None
    except BadInput as error:
        raise ConfigurationError(error.reason) from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"the mapping is not JSON: {error}") from None
