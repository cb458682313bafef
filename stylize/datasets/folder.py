"""Plain folders: pictures in any tree, or `images/` beside parallel label trees whose names begin alike."""

from __future__ import annotations

from array import array
from functools import lru_cache, partial

from stylize.datasets.matching import Found, Layout, Matcher
from stylize.datasets.names import Files
from stylize.datasets.tree import Tree, is_image, stem

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


def recognise(tree: Tree) -> bool:
    """Say whether there is any picture."""
    return any(map(is_image, tree.paths))


def collect(tree: Tree) -> Found:
    """Read pictures below `images/` with labels from its sibling folders; where there is none, every picture counts.

    Both `images/train/a.png` with `labels/train/a.png` and `train/images/a.png` with `train/labels/a.png` are read.
    """
    matcher = Matcher(tree.paths)
    rooms: set[str] = set()  # folders that hold an images folder
    others, plain = array("I"), array("I")
    for number, path in enumerate(tree.paths):
        folder = path.rpartition("/")[0]
        room = _room(folder)
        if room is None:
            others.append(number)
        elif is_image(path):
            rooms.add(room)
            matcher.add_image(_group_of_images(folder), stem(path), number, _split(folder))
    left_out = 0
    groups_of = lru_cache(partial(_groups_of_labels, rooms))
    for number, path in Files(tree.paths, others).numbered():
        folder = path.rpartition("/")[0]
        groups = groups_of(folder)
        if folder in rooms:
            left_out += is_image(path)
        elif not groups:
            plain.append(number)
        elif not any(matcher.attach(group, number, path) for group in groups):
            matcher.add_orphan(path, _split(folder))
    for number, path in Files(tree.paths, plain).numbered():  # last, because no label can be meant for them
        if is_image(path):
            folder = path.rpartition("/")[0]
            matcher.add_image(folder, stem(path), number, _split(folder))
    return matcher.found(_note(matcher, left_out))


@lru_cache
def _room(folder: str) -> str | None:
    """Return the folder in which this one's `images` folder lies; None when no part has such a name."""
    parts = folder.split("/")
    index = next((i for i, part in enumerate(parts) if part.lower() in IMAGE_FOLDERS), None)
    return None if index is None else "/".join(parts[:index])


@lru_cache
def _group_of_images(folder: str) -> str:
    room = _room(folder) or ""
    return _group(room, folder[len(room) :].strip("/").split("/")[1:])


def _group(room: str, inner: list[str]) -> str:
    return f"{room}//{'/'.join(inner)}"


def _groups_of_labels(rooms: set[str], folder: str) -> list[str]:
    """Return the groups of pictures that labels of a folder may belong to; none without `images` beside or above it.

    A label folder may be deep (`labels/colour/train/a.png` for `images/train/a.png`): the first group that knows the
    name counts.
    """
    parts = folder.split("/") if folder else []
    inside = [depth for depth in range(len(parts)) if "/".join(parts[:depth]) in rooms]
    return [
        _group("/".join(parts[:depth]), parts[first:]) for depth in inside for first in range(depth + 1, len(parts) + 1)
    ]


@lru_cache
def _split(folder: str) -> str:
    return next((part for part in folder.split("/") if part.lower() in SPLITS), "")


def _note(matcher: Matcher, left_out: int) -> str:
    text = "labels beside images/" if matcher.any_labels else "pictures without labels"
    return f"{text}; {left_out} pictures beside images/ left out" if left_out else text


LAYOUT = Layout(
    name="folder", example="a.jpg, or images/train/a.jpg with labels/train/a.png", recognise=recognise, collect=collect
)
