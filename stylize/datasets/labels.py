"""What a label file means: which kind it is by its name, and whether its pixels are label ids, train ids or colours."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, Protocol

from stylize.datasets.tree import is_image, stem
from stylize.packed import inner

Verdict = Literal["colour", "train-ids", "label-ids", "binary", "instances", "ids", "data"]

CITYSCAPES_FAMILY = frozenset({"cityscapes", "acdc", "bdd100k"})
IGNORE = 255
LAST_TRAIN_ID = 18
LAST_LABEL_ID = 33
MOST_CLASSES = 256

EXPLANATIONS: dict[Verdict, str] = {
    "colour": "colours for viewing, not ids",
    "train-ids": "train ids 0..18, 255 = ignore (Cityscapes' 19 classes)",
    "label-ids": "label ids 0..33 (Cityscapes' full list; trainers map them to train ids)",
    "binary": "a mask of two values",
    "instances": "more than 256 values: instances, depth or disparity",
    "ids": "class ids of the dataset's own",
    "data": "not an image",
}


class Named(Protocol):
    """What the name of a sample's picture tells, of a `Sample` or of an entry of a cache."""

    @property
    def image(self) -> str: ...

    @property
    def split(self) -> str: ...

    @property
    def key(self) -> str: ...


def label_kind(sample: Named, path: str) -> str:
    """Return what distinguishes a label file from the other labels of its sample: `gtFine_labelIds`, `annot`, `labels`.

    It is the part of the name after the key; where nothing follows, the folders that the image does not share.
    """
    rest = stem(path)[len(sample.key) :].strip("_.-")
    extension = "" if is_image(path) else path[path.rfind(".") :].lower()
    if rest:
        return rest + extension
    own = set(inner(sample.image).split("/")[:-1])
    folders = [part for part in inner(path).split("/")[:-1] if part not in own]
    if sample.split:
        folders = [part.removeprefix(sample.split) or part for part in folders]
    return ("/".join(folders) or "labels") + extension


def judge(ids: Collection[int], *, colour: bool, layout: str, kind: str) -> Verdict:
    """Say what the values of one kind of label are, from all values that occur in it.

    Values alone decide where they can: 19..33 are never train ids, and 255 is no label id. Where they cannot (few
    classes seen), the name does.
    """
    if colour:
        return "colour"
    values = set(ids)
    if len(values) > MOST_CLASSES or max(values, default=0) > IGNORE:
        return "instances"
    classes = values - {IGNORE}
    if values <= {0, IGNORE} and IGNORE in values:
        return "binary"
    if layout not in CITYSCAPES_FAMILY or max(classes, default=0) > LAST_LABEL_ID:
        return "ids"
    if max(classes, default=0) > LAST_TRAIN_ID:
        return "ids" if IGNORE in values else "label-ids"
    if IGNORE in values:
        return "train-ids"
    return promised(kind) or "ids"


def promised(kind: str) -> Verdict | None:
    """Return what a kind's name says about its values; None when it says nothing."""
    name = kind.lower().replace("_", "")
    if "trainid" in name:
        return "train-ids"
    if "labelids" in name:
        return "label-ids"
    return "instances" if "instanceid" in name or "disparity" in name else "colour" if "color" in name else None


def class_names(described: Any) -> dict[int, str]:
    """Return the name of each id from a parsed classes.json: `{"classes": ["sky", ...], "ignore_index": 11}`.

    Anything else gives no names: the file is the user's, and its format is not ours to demand.
    """
    if not isinstance(described, dict) or not isinstance(described.get("classes"), list):
        return {}
    names = {k: str(name) for k, name in enumerate(described["classes"])}
    ignore = described.get("ignore_index")
    return names | {ignore: "ignore"} if isinstance(ignore, int) else names
